-- As with what was accepted and sent: of most messages a provider reports the same, and it is not stored with each. What a row says
-- itself goes before.
set local role harkara_owner;
set local search_path = harkara;

create or replace function event_data(type text, data jsonb) returns jsonb language sql stable as $$
    select case
        when type = any ('{message.accepted,message.held}'::text[])
            then '{"direction": "outbound", "reference": null, "tags": [], "provider_id": null, "attempt": 0, "error": null}'::jsonb
                || jsonb_build_object('status', substr(type, 9)) || data
        when type = any ('{message.sending,message.sent}'::text[])
            then '{"actor": "dispatcher", "direction": "outbound", "reference": null, "tags": [], "provider_id": null, "attempt": 1,
                   "error": null}'::jsonb || jsonb_build_object('status', substr(type, 9)) || data
        when type = any ('{message.delivered,message.read}'::text[])
            then '{"actor": "provider", "direction": "outbound", "reference": null, "tags": [], "attempt": 1, "error": null}'::jsonb
                || jsonb_build_object('status', substr(type, 9)) || data
        else data end
$$;
