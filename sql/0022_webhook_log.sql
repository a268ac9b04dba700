-- What an attempt met, how often an endpoint failed, and deliveries that are made again.
set local role harkara_owner;
set local search_path = harkara;

-- The address that was spoken to, and the first KiB of the answer, sealed as webhook_attempt.answer.
alter table webhook_attempt
    add address            text check (char_length(address) <= 45),
    add answer_key_version integer,
    add answer_ct          bytea check (octet_length(answer_ct) <= 1024),
    add answer_iv          bytea check (octet_length(answer_iv) = 12),
    add answer_tag         bytea check (octet_length(answer_tag) = 16),
    add check (num_nonnulls(answer_key_version, answer_ct, answer_iv, answer_tag) in (0, 4));

alter table webhook_endpoint
    add failures integer not null default 0,  -- since the last success; from ten on only probes are sent
    add notices  smallint not null default 0; -- of its failing since, that were told to the other endpoints
grant select (failures, notices), update (failures, notices) on webhook_endpoint to harkara_gateway;
grant update (failures, notices) on webhook_endpoint to harkara_webhooks;

-- What is out, by tenant and endpoint: counted at every claim.
create index webhook_delivery_leased on webhook_delivery (tenant_id, endpoint_id) where state = 'pending' and lease_until is not null;
create index webhook_delivery_by_endpoint on webhook_delivery (tenant_id, endpoint_id, id);
grant select (lease_until), update (attempt, due_at) on webhook_delivery to harkara_gateway; -- makes one again

-- Events of a time made again for one endpoint, in the background, by event id. One at a time for each endpoint.
create table webhook_replay (
    tenant_id   uuid not null,
    id          uuid not null,
    endpoint_id uuid not null,
    since       timestamptz not null,
    until       timestamptz not null,
    events      text[] not null check (cardinality(events) between 1 and 64), -- as an endpoint's; '*' is what it wants
    has_all     boolean not null,                                             -- those that were delivered, too
    state       text not null default 'running' check (state in ('running', 'done', 'canceled')),
    cursor_id   uuid not null,
    count       integer not null default 0,
    created_at  timestamptz not null default now(),
    finished_at timestamptz,
    primary key (tenant_id, id),
    foreign key (tenant_id, endpoint_id) references webhook_endpoint (tenant_id, id),
    check (since <= until)
);
create unique index webhook_replay_running on webhook_replay (tenant_id, endpoint_id) where state = 'running';
create index webhook_replay_by_age on webhook_replay (created_at);
select protect_tenant_table('webhook_replay');
select allow_across('webhook_replay', 'harkara_webhooks', 'webhook.replay', 'select');
select allow_across('webhook_replay', 'harkara_scheduler', 'retention', 'select', 'delete');
grant select, insert, update (state, finished_at) on webhook_replay to harkara_gateway;
grant select, update (state, cursor_id, count, finished_at) on webhook_replay to harkara_webhooks;
grant select (tenant_id, id, created_at), delete on webhook_replay to harkara_scheduler;
