-- Messages, their place in the queue, idempotency, and the tenant's event log.
set local role harkara_owner;
set local search_path = harkara;

-- Outgoing and incoming. Address and content are sealed with the tenant's content key; lookups by blind index.
create table message (
    tenant_id            uuid not null,
    id                   uuid not null, -- UUIDv7: its time is when the message was accepted
    channel_id           uuid not null,
    direction            text not null check (direction in ('out', 'in')),
    kind                 text not null check (char_length(kind) <= 40),
    category             text not null check (category in ('otp', 'transactional', 'service', 'promotional')),
    status               text not null check (status in ('accepted', 'queued', 'held', 'sending', 'sent', 'delivered',
                             'read', 'blocked', 'failed', 'expired', 'canceled', 'uncertain', 'received')),
    peer_index           bytea not null check (octet_length(peer_index) = 32),
    key_version          integer not null,
    peer_ct              bytea not null,
    peer_iv              bytea not null check (octet_length(peer_iv) = 12),
    peer_tag             bytea not null check (octet_length(peer_tag) = 16),
    content_ct           bytea not null,
    content_iv           bytea not null check (octet_length(content_iv) = 12),
    content_tag          bytea not null check (octet_length(content_tag) = 16),
    reference            text check (char_length(reference) <= 255), -- the tenant's own word for it
    provider_id          text check (char_length(provider_id) <= 255),
    error_code           text check (char_length(error_code) <= 64),
    error_title          text check (char_length(error_title) <= 255),
    error_class          text check (error_class in ('retry', 'throttle', 'permanent', 'credential')),
    target_id            uuid, -- the message it answers or reacts to
    attempt_count        smallint not null default 0,
    updated_at           timestamptz not null default now(),
    primary key (tenant_id, id)
) partition by range (id);
select protect_tenant_table('message');
create index message_by_peer on message (tenant_id, peer_index, id);
grant select, update (status, provider_id, error_code, error_title, error_class, attempt_count, updated_at)
    on message to harkara_gateway, harkara_dispatcher;
grant insert on message to harkara_gateway;
grant select (tenant_id, id, channel_id, direction, kind, category, status, updated_at) on message to harkara_scheduler;

-- How a provider's own id leads back to a message: within one channel, never across tenants.
create table provider_ref (
    tenant_id   uuid not null,
    channel_id  uuid not null,
    provider_id text not null check (char_length(provider_id) <= 255),
    message_id  uuid not null,
    primary key (tenant_id, channel_id, provider_id)
);
select protect_tenant_table('provider_ref');
grant select, insert on provider_ref to harkara_gateway, harkara_dispatcher;

create table idempotency_key (
    tenant_id   uuid not null,
    key         text not null check (char_length(key) between 1 and 255),
    fingerprint bytea not null check (octet_length(fingerprint) = 32), -- of method, path and canonical body
    message_id  uuid not null,
    created_at  timestamptz not null default now(),
    primary key (tenant_id, key)
);
create index idempotency_key_by_age on idempotency_key (created_at);
select protect_tenant_table('idempotency_key');
select allow_across('idempotency_key', 'harkara_scheduler', 'retention', 'select', 'delete');
grant select, insert on idempotency_key to harkara_gateway;
grant select (tenant_id, key, created_at), delete on idempotency_key to harkara_scheduler;

-- The queue: one narrow row per message that still has to go out. The fence grows with every claim; an outcome
-- is written only by the claim that still holds the row.
create table dispatch_queue (
    tenant_id    uuid not null,
    message_id   uuid not null,
    channel_id   uuid not null,
    priority     smallint not null check (priority between 0 and 3), -- otp first
    -- ready -> leased (claimed) -> sending (recorded before the request leaves) -> the row goes with the outcome.
    -- A lease that ran out goes back to ready; a sending one is uncertain, since the provider may have it.
    state        text not null default 'ready' check (state in ('ready', 'leased', 'sending', 'uncertain')),
    due_at       timestamptz not null default now(),
    attempt      smallint not null default 0,
    fence        bigint not null default 0,
    lease_owner  uuid,
    lease_until  timestamptz,
    primary key (tenant_id, message_id)
) with (fillfactor = 70);
create index dispatch_queue_by_lane on dispatch_queue (channel_id, priority, due_at) where state = 'ready';
create index dispatch_queue_by_lease on dispatch_queue (lease_until) where state in ('leased', 'sending');
create index dispatch_queue_uncertain on dispatch_queue (due_at) where state = 'uncertain';
select protect_tenant_table('dispatch_queue');
select allow_across('dispatch_queue', 'harkara_dispatcher', 'dispatch.claim', 'select', 'update');
grant select, insert, delete on dispatch_queue to harkara_gateway;
grant select, update (state, due_at, attempt, fence, lease_owner, lease_until), delete on dispatch_queue
    to harkara_dispatcher;

-- The event log: whatever happens is a row, written in the transaction that made it happen. `data` holds nothing
-- personal; what is personal lies sealed in content_*. Consumers read in the order (xid, id), below the oldest
-- running transaction, so that no late commit is skipped.
create table event (
    tenant_id   uuid not null,
    id          uuid not null,
    xid         xid8 not null default pg_current_xact_id(),
    type        text not null check (char_length(type) <= 64),
    subject_id  uuid not null,
    channel_id  uuid,
    occurred_at timestamptz not null,
    data        jsonb not null default '{}',
    key_version integer,
    content_ct  bytea,
    content_iv  bytea check (octet_length(content_iv) = 12),
    content_tag bytea check (octet_length(content_tag) = 16),
    primary key (tenant_id, id),
    check (num_nonnulls(key_version, content_ct, content_iv, content_tag) in (0, 4))
) partition by range (id);
select protect_tenant_table('event');
create index event_by_subject on event (tenant_id, subject_id, id);
create index event_by_xid on event (xid, id);
select allow_across('event', 'harkara_webhooks', 'webhook.fanout', 'select');
grant select, insert on event to harkara_gateway, harkara_dispatcher, harkara_webhooks;

do $$
begin
    for month in -1..3 loop
        perform harkara.ensure_month_partition('message', now() + make_interval(months => month));
        perform harkara.ensure_month_partition('event', now() + make_interval(months => month));
    end loop;
end
$$;
