-- Roles, the schema, and the rule that every tenant table obeys.
-- Run by an administrator of the database: a superuser, or its owner with CREATEROLE. All objects belong to
-- harkara_owner, which nobody logs in as. Login roles get their passwords from the supervisor, never from a migration.
do $$
declare
    name text;
begin
    if not exists (select from pg_roles where rolname = 'harkara_owner') then
        create role harkara_owner nologin noinherit;
    end if;
    -- A superuser may become anybody; another administrator must be a member.
    if not (select rolsuper from pg_roles where rolname = current_user) then
        execute format('grant harkara_owner to %I', current_user);
    end if;
    foreach name in array array['harkara_admin', 'harkara_gateway', 'harkara_dispatcher', 'harkara_webhooks',
                                'harkara_scheduler'] loop
        if not exists (select from pg_roles where rolname = name) then
            execute format('create role %I login noinherit nocreatedb nocreaterole', name);
        end if;
        execute format('alter role %I set search_path = harkara', name);
        execute format('alter role %I set idle_in_transaction_session_timeout = ''60s''', name);
        execute format('alter role %I set statement_timeout = ''30s''', name);
        execute format('alter role %I set lock_timeout = ''20s''', name);
    end loop;
    -- Only our roles come in, and none of them makes tables, not even temporary ones.
    execute format('revoke all on database %I from public', current_database());
    execute format('grant connect on database %I to harkara_admin, harkara_gateway, harkara_dispatcher, '
                   'harkara_webhooks, harkara_scheduler', current_database());
    if has_schema_privilege('public', 'public', 'create') then
        revoke create on schema public from public;
    end if;
end
$$;

create schema harkara authorization harkara_owner;
set local role harkara_owner;
set local search_path = harkara;
grant usage on schema harkara to harkara_admin, harkara_gateway, harkara_dispatcher, harkara_webhooks, harkara_scheduler;
-- A new function is its owner's alone until it is granted.
alter default privileges revoke execute on functions from public;

-- Puts a table under the tenant rule: rows are seen and written only inside a transaction opened for their tenant.
-- FORCE, so that the rule holds for the owner too. With no tenant set, the comparison is with NULL: no rows.
create function protect_tenant_table(name regclass) returns void language plpgsql as $$
begin
    execute format('alter table %s enable row level security', name);
    execute format('alter table %s force row level security', name);
    execute format('create policy one_tenant on %s using (tenant_id = '
                   '(select nullif(current_setting(''harkara.tenant'', true), '''')::uuid))', name);
end
$$;

-- Opens rows of every tenant of one table to one role for the named commands, only in a transaction that has named
-- this purpose (harkara.across). All such openings stand in docs/database.md, "Work across tenants"; a test compares.
create function allow_across(name regclass, grantee name, purpose text, variadic commands text[]) returns void
    language plpgsql as $$
declare
    command text;
begin
    foreach command in array commands loop
        execute format('create policy %I on %s for %s to %I %s ((select current_setting(''harkara.across'', true)) = %L)',
                       'across_' || replace(purpose, '.', '_') || '_' || command, name, command, grantee,
                       case command when 'insert' then 'with check' else 'using' end, purpose);
    end loop;
end
$$;

-- The smallest UUIDv7 of an instant: bounds of the monthly partitions.
create function id_at(at timestamptz) returns uuid language sql immutable strict parallel safe as $$
    select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;
grant execute on function id_at(timestamptz) to public;

-- Makes the partition of the UTC month that holds `at`, when it is missing. A table made beside and then attached
-- does not stop the inserts into its siblings, as PARTITION OF would. Nobody is granted anything on a partition: its
-- rows are reached through the parent, under the parent's policies.
create function ensure_month_partition(parent text, at timestamptz) returns boolean language plpgsql
    security definer set search_path = harkara, pg_temp as $$
declare
    first timestamptz := date_trunc('month', at at time zone 'UTC') at time zone 'UTC';
    next timestamptz := (date_trunc('month', at at time zone 'UTC') + interval '1 month') at time zone 'UTC';
    child text := parent || to_char(first at time zone 'UTC', '_YYYY_MM');
begin
    if parent not in ('message', 'event') then
        raise exception 'not a monthly table: %', parent;
    end if;
    perform pg_advisory_xact_lock(hashtext('harkara.partition.' || parent));
    if to_regclass('harkara.' || child) is not null then
        return false;
    end if;
    execute format('create table %I (like %I including all)', child, parent);
    perform protect_tenant_table(format('harkara.%I', child)::regclass);
    execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, child, id_at(first),
                   id_at(next));
    return true;
end
$$;
grant execute on function ensure_month_partition(text, timestamptz) to harkara_scheduler;

-- The key-encryption keys: what scrypt needs besides the master key, and a sealed constant that tells a wrong one.
create table kek (
    version      integer primary key check (version > 0),
    scrypt_n     integer not null,
    scrypt_r     integer not null,
    scrypt_p     integer not null,
    salt         bytea not null check (octet_length(salt) = 32),
    check_ct     bytea not null,
    check_iv     bytea not null check (octet_length(check_iv) = 12),
    check_tag    bytea not null check (octet_length(check_tag) = 16),
    created_at   timestamptz not null default now(),
    retired_at   timestamptz
);
grant select, insert on kek to harkara_admin;

-- Where each consumer of the event log stands: (transaction, id) of the last event it has applied.
create table consumer_cursor (
    consumer   text primary key,
    xid        xid8 not null default '0',
    id         uuid not null default '00000000-0000-0000-0000-000000000000',
    updated_at timestamptz not null default now()
);
insert into consumer_cursor (consumer) values ('webhooks');
grant select, update (xid, id, updated_at) on consumer_cursor to harkara_webhooks;
grant select on consumer_cursor to harkara_scheduler;
