-- What became of messages, counted as it happens: what the overview shows, however many messages there are. One gateway reads
-- the event log behind everybody and tells the others what has changed.
set local role harkara_owner;
set local search_path = harkara;

-- By the quarter of an hour: the finest step by which time zones differ.
create table message_figure (
    tenant_id  uuid not null references tenant,
    at         timestamptz not null, -- the quarter's beginning
    channel_id uuid not null,
    sent       bigint not null default 0,
    delivered  bigint not null default 0,
    failed     bigint not null default 0,
    received   bigint not null default 0,
    primary key (tenant_id, at, channel_id)
) with (fillfactor = 50); -- the newest rows change all the time, none of it in an index
create index message_figure_by_at on message_figure (at);
select protect_tenant_table('message_figure');
select allow_across('message_figure', 'harkara_scheduler', 'retention', 'select', 'delete');
grant select, insert, update (sent, delivered, failed, received) on message_figure to harkara_gateway;
grant select (tenant_id, at), delete on message_figure to harkara_scheduler;
select allow_across('event', 'harkara_gateway', 'overview.count', 'select');
select allow_across('message', 'harkara_gateway', 'overview.count', 'select');

-- Where the count stands. Its own row, not one of consumer_cursor: a gateway moves this one and no other.
create table overview_cursor (
    is_only boolean primary key default true check (is_only),
    xid     xid8 not null default '0',
    id      uuid not null default '00000000-0000-0000-0000-000000000000'
) with (fillfactor = 10);
insert into overview_cursor default values;
grant select, update (xid, id) on overview_cursor to harkara_gateway;
grant select on event_clock to harkara_gateway;

-- As before (0057), and the count's cursor: its numbers go on with the log's.
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
                    coalesce((select max(told_xid) from message)::text::bigint, 0),
                    (select xid from overview_cursor)::text::bigint, max(c.xid::text::bigint)) into reached
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

-- What people, keys and operators did is told as it commits. Numbers that were shown are not: they change nothing, and notices
-- make commits wait for one another.
create function audit_tell() returns trigger language plpgsql security definer set search_path = harkara, pg_temp as $$
begin
    perform pg_notify('harkara_live', concat_ws(' ', replace(new.tenant_id::text, '-', ''), 'act', new.action,
                                                coalesce(replace(new.object_id::text, '-', ''), '-')));
    return null;
end
$$;
create trigger audit_tell after insert on audit_entry for each row when (new.action <> 'contact.identity_revealed')
    execute function audit_tell();

-- The workspace's own day: the dashboard's figures begin with it.
alter table message_settings add column time_zone text not null default 'UTC' check (char_length(time_zone) between 1 and 64);
grant update (time_zone) on message_settings to harkara_gateway;
