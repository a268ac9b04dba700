-- The peer's own database: what such a service keeps, and no more. Every table that belongs to a tenant is under forced
-- row-level security; the service works as harkara_peer.
create role harkara_peer;
create schema peer;
grant usage, create on schema peer to harkara_peer; -- create: pg-boss makes its own tables elsewhere
set search_path = peer;

create table tenant (
    id   uuid primary key,
    name text not null
);
create table api_key (
    digest    bytea primary key, -- SHA-256
    tenant_id uuid not null references tenant
);
create table channel (
    id              uuid primary key,
    tenant_id       uuid not null references tenant,
    phone_number_id text not null,
    access_token    text not null,
    app_secret      text not null
);
create table webhook_endpoint (
    id        uuid primary key,
    tenant_id uuid not null references tenant,
    url       text not null,
    secret    text not null
);
create table message (
    id           uuid primary key, -- UUIDv7
    tenant_id    uuid not null,
    channel_id   uuid not null,
    recipient    text not null,
    category     text not null,
    content      jsonb not null,
    status       text not null default 'accepted',
    status_rank  smallint not null default 0,
    provider_ref text,
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now()
);
create unique index message_by_provider_ref on message (provider_ref) where provider_ref is not null;
create table idempotency_key (
    tenant_id   uuid not null,
    key         text not null,
    fingerprint bytea not null, -- SHA-256 of the body
    message_id  uuid not null,
    created_at  timestamptz not null default now(),
    primary key (tenant_id, key)
);
create table message_event (
    id          uuid primary key,
    tenant_id   uuid not null,
    message_id  uuid not null,
    type        text not null,
    data        jsonb not null default '{}',
    occurred_at timestamptz not null default now()
);
create table webhook_delivery (
    id           uuid primary key,
    tenant_id    uuid not null,
    endpoint_id  uuid not null,
    event_id     uuid not null,
    status       text not null,
    answer       smallint,
    delivered_at timestamptz not null default now()
);

do $$
declare
    name text;
begin
    foreach name in array array['message', 'idempotency_key', 'message_event', 'webhook_delivery'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I using (tenant_id = (select current_setting(''peer.tenant'')::uuid))', name);
        execute format('grant select, insert, update on %I to harkara_peer', name);
    end loop;
end $$;
grant select on tenant, api_key, channel, webhook_endpoint to harkara_peer; -- looked up before the tenant is known
