-- What providers post to us: verified, stored raw (sealed), answered, and interpreted afterwards.
set local role harkara_owner;
set local search_path = harkara;

create table provider_event (
    tenant_id   uuid not null,
    id          uuid not null,
    channel_id  uuid not null,
    digest      bytea not null check (octet_length(digest) = 32), -- keyed; the same bytes posted again are one row
    state       text not null default 'stored' check (state in ('stored', 'interpreted', 'failed')),
    received_at timestamptz not null default now(),
    due_at      timestamptz not null default now(),
    attempt     smallint not null default 0,
    fence       bigint not null default 0,
    lease_until timestamptz,
    error       text check (char_length(error) <= 64),
    key_version integer not null,
    body_ct     bytea not null,
    body_iv     bytea not null check (octet_length(body_iv) = 12),
    body_tag    bytea not null check (octet_length(body_tag) = 16),
    primary key (tenant_id, id),
    unique (tenant_id, channel_id, digest)
);
create index provider_event_waiting on provider_event (due_at) where state = 'stored';
create index provider_event_by_age on provider_event (received_at);
select protect_tenant_table('provider_event');
select allow_across('provider_event', 'harkara_gateway', 'provider.interpret', 'select', 'update');
select allow_across('provider_event', 'harkara_scheduler', 'retention', 'select', 'delete');
grant select, insert, update (state, due_at, attempt, fence, lease_until, error) on provider_event to harkara_gateway;
grant select (tenant_id, id, state, received_at), delete on provider_event to harkara_scheduler;
