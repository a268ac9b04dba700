-- Of most events most of `data` is what it always is. What every accepted message says the same of itself is not written with
-- each: whoever reads an event asks for its data through this function. What a row says itself goes before.
set local role harkara_owner;
set local search_path = harkara;

create function event_data(type text, data jsonb) returns jsonb language sql stable as $$
    select case when type = any ('{message.accepted,message.held}'::text[])
        then '{"direction": "outbound", "reference": null, "tags": [], "provider_id": null, "attempt": 0, "error": null}'::jsonb
            || jsonb_build_object('status', substr(type, 9)) || data
        else data end
$$;
grant execute on function event_data(text, jsonb) to harkara_gateway, harkara_dispatcher, harkara_webhooks;
