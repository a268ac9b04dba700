-- What a provider posted is written once. What is still to be done with it stands beside it, in narrow rows that go when it is
-- done: one for all the bodies of a tenant that were stored together, however many, or for one that is tried again.
set local role harkara_owner;
set local search_path = harkara;

create table provider_batch (
    tenant_id uuid not null,
    id        uuid not null,
    events    uuid[] not null check (cardinality(events) > 0), -- of provider_event
    due_at    timestamptz not null, -- until then they are in somebody's hands, or wait
    attempt   smallint not null,
    fence     bigint not null default 0, -- grows with each claim
    error     text check (char_length(error) <= 64), -- of the last attempt
    primary key (tenant_id, id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
create index provider_batch_due on provider_batch (due_at);

-- The owner is held to one tenant's rows as everybody is; while the table is moved he is not.
alter table provider_event no force row level security;
insert into provider_batch (tenant_id, id, events, due_at, attempt, error)
    select tenant_id, id, array[id], greatest(due_at, lease_until), attempt, error from provider_event where state = 'stored';
update provider_event set error = null where state <> 'failed' and error is not null;
alter table provider_event force row level security;
drop policy across_provider_interpret_update on provider_event;
-- `error` is that of what was given up, and of nothing else.
alter table provider_event drop column state, drop column due_at, drop column attempt, drop column fence, drop column lease_until;
alter table provider_event reset (fillfactor);

select protect_tenant_table('provider_batch');
select allow_across('provider_batch', 'harkara_gateway', 'provider.interpret', 'select', 'update');
select allow_across('provider_batch', 'harkara_scheduler', 'retention', 'select');
grant select, insert, update (events, due_at, attempt, fence, error), delete on provider_batch to harkara_gateway;
grant select (tenant_id, events) on provider_batch to harkara_scheduler;

create or replace function tenant_settle(for_good boolean) returns void language plpgsql
    security definer set search_path = harkara, pg_temp as $$
declare
    this uuid := current_setting('harkara.tenant')::uuid;
begin
    update dispatch_lane set is_open = false where tenant_id = this;
    update webhook_endpoint set state = 'disabled', disabled_reason = 'workspace closed'
        where tenant_id = this and state = 'enabled';
    if not for_good then
        return;
    end if;
    if not exists (select from tenant where tenant_id = this and state = 'closed') then
        raise exception 'not a closed tenant' using errcode = 'check_violation';
    end if;
    update channel set state = 'deleted', state_reason = 'workspace shredded' where tenant_id = this; -- callbacks: 404
    with gone as (delete from provider_batch where tenant_id = this returning events)
    update provider_event set error = 'workspace-shredded' where tenant_id = this and id in (select unnest(events) from gone);
    update provider_task set state = 'failed', finished_at = now(), error_code = 'workspace-shredded', key_version = null,
                             request_ct = null, request_iv = null, request_tag = null
        where tenant_id = this and state in ('waiting', 'leased');
    update webhook_delivery set state = 'canceled', finished_at = now() where tenant_id = this and state = 'pending';
    delete from dispatch_queue where tenant_id = this;
end
$$;
