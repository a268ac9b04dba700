-- What people may do for the platform itself: roles beside those of workspaces, given on the command line alone.
set local role harkara_owner;
set local search_path = harkara;

create table platform_role (
    tenant_id  uuid not null references tenant,
    person_id  uuid not null,
    role       text not null check (role in ('operator', 'support', 'auditor')),
    granted_at timestamptz not null,
    granted_by text not null check (octet_length(granted_by) between 1 and 64), -- an operator's login
    primary key (tenant_id, person_id),
    foreign key (tenant_id, person_id) references person (tenant_id, id)
);
select protect_tenant_table('platform_role');
grant select on platform_role to harkara_gateway;
grant select, insert, update (role, granted_at, granted_by), delete on platform_role to harkara_admin;
-- Who there is, by id: what people are called stays sealed.
grant select (tenant_id, id, state, created_at) on person to harkara_admin;

select allow_across('tenant', 'harkara_gateway', 'platform.workspaces', 'select');

-- The transaction's workspace, and neither back from its end nor Harkara itself. False: it was not done.
create function tenant_suspend(suspended boolean) returns boolean language sql
    security definer set search_path = harkara, pg_temp as $$
    with done as (
        update tenant set state = case when suspended then 'suspended' else 'active' end
            where tenant_id = nullif(current_setting('harkara.tenant', true), '')::uuid
            and tenant_id <> '00000000-0000-7000-8000-000000000000' and state in ('active', 'suspended')
            returning 1)
    select exists (select from done)
$$;
revoke execute on function tenant_suspend(boolean) from public;
grant execute on function tenant_suspend(boolean) to harkara_gateway;
