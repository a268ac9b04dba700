-- Signing keys of endpoints in a table of their own, several at a time while one replaces another; and what else a tenant
-- chooses for an endpoint: how it is signed, what the body holds, which senders' events, fields of the request.
set local role harkara_owner;
set local search_path = harkara;

alter table webhook_endpoint
    add signature           text not null default 'hmac' check (signature in ('hmac', 'ed25519', 'both')),
    add payload             text not null default 'full' check (payload in ('full', 'thin')),
    add channels            uuid[] not null default '{}' check (cardinality(channels) <= 50), -- none is all
    add header_names        text[] not null default '{}' check (cardinality(header_names) <= 10),
    add headers_generation  integer not null default 0,
    add headers_key_version integer,
    add headers_ct          bytea,
    add headers_iv          bytea check (octet_length(headers_iv) = 12),
    add headers_tag         bytea check (octet_length(headers_tag) = 16),
    add check (num_nonnulls(headers_key_version, headers_ct, headers_iv, headers_tag) in (0, 4));

-- One row per generation. The present one does not expire; those before it sign beside it until they do. A generation has
-- a shared secret, an Ed25519 key, or both. The seals are of webhook_endpoint.secret and webhook_endpoint.private_key.
create table webhook_secret (
    tenant_id               uuid not null,
    endpoint_id             uuid not null,
    generation              integer not null,
    created_at              timestamptz not null default now(),
    expires_at              timestamptz, -- null: the present one
    secret_key_version      integer,
    secret_ct               bytea,
    secret_iv               bytea check (octet_length(secret_iv) = 12),
    secret_tag              bytea check (octet_length(secret_tag) = 16),
    public_key              bytea check (octet_length(public_key) = 32),
    private_key_key_version integer,
    private_key_ct          bytea,
    private_key_iv          bytea check (octet_length(private_key_iv) = 12),
    private_key_tag         bytea check (octet_length(private_key_tag) = 16),
    primary key (tenant_id, endpoint_id, generation),
    foreign key (tenant_id, endpoint_id) references webhook_endpoint (tenant_id, id),
    check (num_nonnulls(secret_key_version, secret_ct, secret_iv, secret_tag) in (0, 4)),
    check (num_nonnulls(public_key, private_key_key_version, private_key_ct, private_key_iv, private_key_tag) in (0, 5)),
    check (num_nonnulls(secret_ct, private_key_ct) > 0)
);
create index webhook_secret_expired on webhook_secret (expires_at) where expires_at is not null;
select protect_tenant_table('webhook_secret');

-- The rows of all tenants move: for that the owner is let past the tenant rule, until the end of this.
alter table webhook_endpoint no force row level security;
alter table webhook_secret no force row level security;
insert into webhook_secret (tenant_id, endpoint_id, generation, created_at, secret_key_version, secret_ct, secret_iv, secret_tag)
    select tenant_id, id, generation, created_at, key_version, secret_ct, secret_iv, secret_tag
    from webhook_endpoint where state <> 'deleted';
alter table webhook_endpoint force row level security;
alter table webhook_secret force row level security;
alter table webhook_endpoint drop key_version, drop secret_ct, drop secret_iv, drop secret_tag;

select allow_across('webhook_secret', 'harkara_webhooks', 'webhook.claim', 'select');
select allow_across('webhook_secret', 'harkara_scheduler', 'retention', 'select', 'delete');
-- The gateway puts secrets in and never reads their ciphertext back.
grant select (tenant_id, endpoint_id, generation, created_at, expires_at, secret_key_version, public_key), insert,
      update (expires_at, secret_key_version, secret_ct, secret_iv, secret_tag, public_key, private_key_key_version,
              private_key_ct, private_key_iv, private_key_tag), delete on webhook_secret to harkara_gateway;
grant select on webhook_secret to harkara_webhooks;
grant select (tenant_id, endpoint_id, generation, expires_at), delete on webhook_secret to harkara_scheduler;
grant select (signature, payload, channels, header_names, headers_generation),
      update (signature, payload, channels, header_names, headers_generation, headers_key_version, headers_ct, headers_iv,
              headers_tag) on webhook_endpoint to harkara_gateway;
