-- An accepted message and its event "message.accepted" say the same: so of most messages the event is no row of its own with
-- three index entries, but the message itself, which says in which transaction it was told of and who asked for it. What is
-- held or has further senders keeps an event: its sender and times change later.
set local role harkara_owner;
set local search_path = harkara;

alter table message add column told_xid xid8, add column accepted_by text; -- an API key's id, as it is printed
create index message_by_told on message (told_xid, id) where told_xid is not null;

-- The number that the running transaction has in the event log: with what event_clock adds to it. The expression is put into
-- the statement that calls it.
do $$
begin
    execute format('create function event_xid() returns xid8 language sql stable as %L',
                   format('select (((pg_current_xact_id()::text)::bigint + %s)::text)::xid8', (select base from event_clock)));
end
$$;
grant execute on function event_xid() to harkara_gateway, harkara_accept;

-- As before (0023), and the messages that are events.
create or replace function event_clock_check() returns boolean language plpgsql
    security definer set search_path = harkara, pg_temp as $$
declare
    present text := (select system_identifier::text from pg_control_system());
    reached bigint;
begin
    perform from event_clock where system_identifier = present;
    if found then
        return false;
    end if;
    lock table event, message in share row exclusive mode;
    alter table event no force row level security;
    alter table message no force row level security;
    select greatest(coalesce((select max(xid) from event)::text::bigint, 0),
                    coalesce((select max(told_xid) from message)::text::bigint, 0), max(c.xid::text::bigint)) into reached
        from consumer_cursor c;
    alter table event force row level security;
    alter table message force row level security;
    update event_clock set system_identifier = present,
        base = greatest(0, reached + 1 - pg_snapshot_xmin(pg_current_snapshot())::text::bigint)
        returning base into reached;
    execute format('alter table event alter column xid set default'
                   ' (((pg_current_xact_id()::text)::bigint + %s)::text)::xid8', reached);
    execute format('create or replace function event_xid() returns xid8 language sql stable as %L',
                   format('select (((pg_current_xact_id()::text)::bigint + %s)::text)::xid8', reached));
    return true;
end
$$;

create function id_time(id uuid) returns timestamptz language sql immutable as $$
    select to_timestamp(('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint / 1000.0)
$$;

-- What all readers of the event log read, under the rights and the row-level security of who asks. A message that is no event has
-- no xid here; a condition in the view itself would keep an index's order from being used, so whoever reads asks that xid be there.
create view event_log with (security_invoker = true) as
    select tenant_id, id, xid, type, subject_id, channel_id, occurred_at, data, key_version, content_ct, content_iv, content_tag
        from event
    union all
    select m.tenant_id, m.id, m.told_xid, 'message.accepted', m.id, m.channel_id, id_time(m.id),
        jsonb_build_object('actor', 'api-key', 'category', m.category, 'reference', m.reference, 'tags', m.tags)
            || case when m.accepted_by is null then '{}' else jsonb_build_object('key_id', m.accepted_by) end,
        null::integer, null::bytea, null::bytea, null::bytea
        from message m;
grant execute on function id_time(uuid) to harkara_gateway, harkara_dispatcher, harkara_webhooks;
grant select on event_log to harkara_gateway, harkara_dispatcher, harkara_webhooks;
grant select (tenant_id, id, channel_id, category, reference, tags, told_xid, accepted_by) on message to harkara_webhooks;
select allow_across('message', 'harkara_webhooks', 'webhook.fanout', 'select');

-- Whoever accepts tells the webhooks processes himself, where a trigger of the event log did.
grant select (consumer, is_resting) on consumer_cursor to harkara_gateway, harkara_accept;
