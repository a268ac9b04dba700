-- A message changes its status four times on a good day, and each time all of its indexes got a new entry, because one of them
-- (the rare statuses) was about the status. A column that is null on a good day stands in its place: so these changes
-- stay within the row's page, which is left half empty for them: messages that came together go together, so all rows of a page
-- change at once.
set local role harkara_owner;
set local search_path = harkara;

alter table message add column rare_status text generated always as (case when status =
    any ('{held,queued,uncertain,failed,expired,canceled,blocked}'::text[]) then status end) stored;
drop index message_by_rare_status;
create index message_by_rare_status on message (tenant_id, rare_status, id) where rare_status is not null;

-- The monthly tables. Ciphertext, addresses' indexes and event data are not looked into when the planner's figures are
-- made: no plan depends on them, and a sample of them would lie in the catalogue.
create function prepare_month_partition(parent text, child regclass) returns void language plpgsql as $$
declare
    name text;
begin
    if parent = 'message' then
        execute format('alter table %s set (fillfactor = 50)', child);
    end if;
    for name in select attname from pg_attribute where attrelid = child and attnum > 0 and not attisdropped
                    and atttypid in ('bytea'::regtype, 'jsonb'::regtype) and attname <> 'peer_index' loop
        execute format('alter table %s alter column %I set statistics 0', child, name);
    end loop;
end
$$;

create or replace function ensure_month_partition(parent text, at timestamptz) returns boolean language plpgsql
    security definer set search_path = harkara, pg_temp as $$
declare
    first timestamptz := date_trunc('month', at at time zone 'UTC') at time zone 'UTC';
    next timestamptz := (date_trunc('month', at at time zone 'UTC') + interval '1 month') at time zone 'UTC';
    child text := parent || to_char(first at time zone 'UTC', '_YYYY_MM');
begin
    if parent not in ('message', 'message_tag', 'message_fallback', 'event') then
        raise exception 'not a monthly table: %', parent;
    end if;
    perform pg_advisory_xact_lock(hashtext('harkara.partition.' || parent));
    if to_regclass('harkara.' || child) is not null then
        return false;
    end if;
    execute format('create table %I (like %I including all)', child, parent);
    perform protect_tenant_table(format('harkara.%I', child)::regclass);
    perform prepare_month_partition(parent, format('harkara.%I', child)::regclass);
    execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, child, id_at(first),
                   id_at(next));
    return true;
end
$$;

do $$
declare
    parent text;
    child regclass;
begin
    foreach parent in array array['message', 'message_tag', 'message_fallback', 'event'] loop
        for child in select inhrelid::regclass from pg_inherits where inhparent = parent::regclass loop
            perform prepare_month_partition(parent, child);
        end loop;
    end loop;
end
$$;
