-- A message's receipts of the policy gate: when it was accepted, and when it last was to leave (packed:
-- src/domain/policy/policy_gate.h); for which purpose its recipient is asked for consent, if not for its category's; and the
-- template of India's registry that its text is.
set local role harkara_owner;
set local search_path = harkara;

alter table message add column purpose text, add column policy bytea, add column policy_sent bytea,
    add column dlt_template_id uuid;
do $$
declare
    child regclass;
begin
    for child in select inhrelid::regclass from pg_inherits where inhparent = 'message'::regclass loop
        perform prepare_month_partition('message', child);
    end loop;
end
$$;
grant update (policy_sent) on message to harkara_dispatcher, harkara_smsc;
-- What is there of a key's earlier message, and how many promotions a person had.
grant select (policy, peer_index, category, direction, status) on message to harkara_accept;
grant select (kind) on channel to harkara_accept;

create or replace function event_data(type text, data jsonb) returns jsonb language sql stable as $$
    select case
        when type = any ('{message.accepted,message.held,message.blocked}'::text[])
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
