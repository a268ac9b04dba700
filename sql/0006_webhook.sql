-- Tenants' webhook endpoints, what is on its way to them, and what became of it.
set local role harkara_owner;
set local search_path = harkara;

create table webhook_endpoint (
    tenant_id       uuid not null references tenant,
    id              uuid not null,
    url             text not null check (char_length(url) <= 2048),
    description     text not null default '' check (char_length(description) <= 200),
    events          text[] not null check (cardinality(events) between 1 and 64), -- '*' is all
    state           text not null default 'enabled' check (state in ('enabled', 'disabled', 'deleted')),
    disabled_reason text check (char_length(disabled_reason) <= 64),
    generation      integer not null default 1, -- of the secret
    key_version     integer not null,
    secret_ct       bytea not null,
    secret_iv       bytea not null check (octet_length(secret_iv) = 12),
    secret_tag      bytea not null check (octet_length(secret_tag) = 16),
    failing_since   timestamptz,
    not_before      timestamptz not null default '-infinity', -- the endpoint asked to wait
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    revision        integer not null default 1,
    primary key (tenant_id, id)
);
select protect_tenant_table('webhook_endpoint');
select allow_across('webhook_endpoint', 'harkara_webhooks', 'webhook.claim', 'select');
select allow_across('webhook_endpoint', 'harkara_webhooks', 'webhook.fanout', 'select');
-- The gateway never reads a secret's ciphertext back.
grant select (tenant_id, id, url, description, events, state, disabled_reason, generation, failing_since, not_before,
              created_at, updated_at, revision), insert,
      update (url, description, events, state, disabled_reason, generation, key_version, secret_ct, secret_iv, secret_tag,
              failing_since, not_before, updated_at, revision) on webhook_endpoint to harkara_gateway;
grant select, update (state, disabled_reason, failing_since, not_before, updated_at, revision)
    on webhook_endpoint to harkara_webhooks;

-- One event on its way to one endpoint. The body is rendered once and kept byte for byte for every retry.
create table webhook_delivery (
    tenant_id    uuid not null,
    id           uuid not null,
    endpoint_id  uuid not null,
    event_id     uuid not null,
    event_type   text not null,
    state        text not null default 'pending' check (state in ('pending', 'delivered', 'failed', 'canceled')),
    attempt      smallint not null default 0,
    due_at       timestamptz not null default now(),
    fence        bigint not null default 0,
    lease_until  timestamptz,
    created_at   timestamptz not null default now(),
    finished_at  timestamptz,
    key_version  integer not null,
    body_ct      bytea not null,
    body_iv      bytea not null check (octet_length(body_iv) = 12),
    body_tag     bytea not null check (octet_length(body_tag) = 16),
    primary key (tenant_id, id),
    unique (tenant_id, endpoint_id, event_id),
    foreign key (tenant_id, endpoint_id) references webhook_endpoint (tenant_id, id)
);
create index webhook_delivery_due on webhook_delivery (endpoint_id, due_at) where state = 'pending';
create index webhook_delivery_by_age on webhook_delivery (created_at);
select protect_tenant_table('webhook_delivery');
select allow_across('webhook_delivery', 'harkara_webhooks', 'webhook.claim', 'select', 'update');
select allow_across('webhook_delivery', 'harkara_scheduler', 'retention', 'select', 'delete');
grant select (tenant_id, id, endpoint_id, event_id, event_type, state, attempt, due_at, created_at, finished_at)
    on webhook_delivery to harkara_gateway;
grant update (state, finished_at, lease_until) on webhook_delivery to harkara_gateway; -- cancels what waits
grant select, insert, update (state, attempt, due_at, fence, lease_until, finished_at) on webhook_delivery to harkara_webhooks;
grant select (tenant_id, id, created_at), delete on webhook_delivery to harkara_scheduler;

create table webhook_attempt (
    tenant_id   uuid not null,
    id          uuid not null,
    delivery_id uuid not null,
    number      smallint not null,
    at          timestamptz not null,
    outcome     text not null check (outcome in ('delivered', 'status', 'dns', 'connect', 'tls', 'timeout', 'size',
                    'blocked', 'broken')),
    status_code smallint,
    latency_ms  integer not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, delivery_id) references webhook_delivery (tenant_id, id) on delete cascade
);
create index webhook_attempt_by_delivery on webhook_attempt (tenant_id, delivery_id, number);
select protect_tenant_table('webhook_attempt');
select allow_across('webhook_attempt', 'harkara_scheduler', 'retention', 'select', 'delete');
grant select on webhook_attempt to harkara_gateway;
grant select, insert on webhook_attempt to harkara_webhooks;
grant select (tenant_id, id, delivery_id), delete on webhook_attempt to harkara_scheduler;
