-- The event log is read in the order of its writing transactions. A dump that is restored into another cluster brings numbers
-- that the new cluster has not reached: its own would be below the cursor, and nothing would be told for a long time. So the
-- log counts on from where it was: `base` is added to each transaction's number, and made anew for each cluster.
set local role harkara_owner;
set local search_path = harkara;

create table event_clock (
    is_only           boolean primary key default true check (is_only),
    system_identifier text not null,
    base              bigint not null default 0
);
insert into event_clock (system_identifier) select system_identifier::text from pg_control_system();
grant select on event_clock to harkara_webhooks;

-- Before any role is started (by the supervisor, with its migrations). True: this is another cluster than before, and the
-- numbers go on behind all that are there. The default of `event.xid` is a constant expression: it costs nothing by the row.
create function event_clock_check() returns boolean language plpgsql
    security definer set search_path = harkara, pg_temp as $$
declare
    present text := (select system_identifier::text from pg_control_system());
    reached bigint;
begin
    perform from event_clock where system_identifier = present;
    if found then
        return false;
    end if;
    lock table event in share row exclusive mode;
    alter table event no force row level security;
    select greatest(coalesce((select max(xid) from event)::text::bigint, 0), max(c.xid::text::bigint)) into reached
        from consumer_cursor c;
    alter table event force row level security;
    update event_clock set system_identifier = present,
        base = greatest(0, reached + 1 - pg_snapshot_xmin(pg_current_snapshot())::text::bigint)
        returning base into reached;
    execute format('alter table event alter column xid set default'
                   ' (((pg_current_xact_id()::text)::bigint + %s)::text)::xid8', reached);
    return true;
end
$$;
