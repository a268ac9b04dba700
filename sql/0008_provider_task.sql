-- What is asked of a provider besides sending a message. The API shows a row as an operation.
set local role harkara_owner;
set local search_path = harkara;

create table provider_task (
    tenant_id   uuid not null,
    id          uuid not null,
    channel_id  uuid not null,
    kind        text not null check (kind ~ '^[a-z][a-z_.]{0,39}$'),
    subject_id  uuid, -- what it is about, where that is not the channel itself
    -- waiting -> leased (claimed: from then on the request may have left) -> done or failed, or waiting again
    state       text not null default 'waiting' check (state in ('waiting', 'leased', 'done', 'failed')),
    due_at      timestamptz not null default now(),
    attempt     smallint not null default 0,
    is_unsure   boolean not null default false, -- what an attempt before this one brought about is not known
    fence       bigint not null default 0,
    lease_until timestamptz,
    error_code  text check (char_length(error_code) <= 64),
    error_title text check (char_length(error_title) <= 255),
    error_class text check (error_class in ('retry', 'throttle', 'permanent', 'credential')),
    result      jsonb not null default '{}', -- nothing personal and no secrets
    created_at  timestamptz not null default now(),
    finished_at timestamptz,
    -- What the provider is to be told and nobody else may read, such as a PIN. It goes when the task has finished.
    key_version integer,
    request_ct  bytea,
    request_iv  bytea check (octet_length(request_iv) = 12),
    request_tag bytea check (octet_length(request_tag) = 16),
    primary key (tenant_id, id),
    foreign key (tenant_id, channel_id) references channel (tenant_id, id),
    check (num_nonnulls(key_version, request_ct, request_iv, request_tag) in (0, 4)),
    check ((state in ('done', 'failed')) = (finished_at is not null)),
    check (state in ('waiting', 'leased') or request_ct is null)
) with (fillfactor = 80);
create index provider_task_waiting on provider_task (channel_id, due_at) where state = 'waiting';
create index provider_task_by_due on provider_task (due_at) where state = 'waiting';
create index provider_task_by_lease on provider_task (lease_until) where state = 'leased';
create index provider_task_by_channel on provider_task (tenant_id, channel_id, id);
create index provider_task_by_age on provider_task (finished_at) where finished_at is not null;
select protect_tenant_table('provider_task');
select allow_across('provider_task', 'harkara_dispatcher', 'task.claim', 'select', 'update');
select allow_across('provider_task', 'harkara_scheduler', 'retention', 'select', 'delete');
grant insert on provider_task to harkara_gateway;
-- The gateway puts requests in and cannot read them back.
grant select (tenant_id, id, channel_id, kind, subject_id, state, due_at, attempt, is_unsure, fence, lease_until,
              error_code, error_title, error_class, result, created_at, finished_at) on provider_task to harkara_gateway;
grant select, insert,
      update (state, due_at, attempt, is_unsure, fence, lease_until, error_code, error_title, error_class, result,
              finished_at, key_version, request_ct, request_iv, request_tag) on provider_task to harkara_dispatcher;
grant select (tenant_id, id, state, finished_at), delete on provider_task to harkara_scheduler;
