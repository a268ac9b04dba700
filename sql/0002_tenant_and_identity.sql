-- Tenants, their data keys, their API keys.
set local role harkara_owner;
set local search_path = harkara;

create table tenant (
    tenant_id  uuid primary key,
    name       text not null check (char_length(name) between 1 and 120),
    slug       text not null unique check (slug ~ '^[a-z0-9](-?[a-z0-9]){0,62}$'),
    state      text not null default 'active' check (state in ('active', 'suspended', 'closed')),
    created_at timestamptz not null default now()
);
select protect_tenant_table('tenant');
select allow_across('tenant', 'harkara_admin', 'admin.tenant', 'select');
grant select, insert, update (name, state) on tenant to harkara_admin;
grant select on tenant to harkara_gateway, harkara_dispatcher, harkara_webhooks, harkara_scheduler;

-- Data keys, wrapped by a key-encryption key: useless without the vault.
create table tenant_key (
    tenant_id   uuid not null references tenant,
    purpose     smallint not null check (purpose in (1, 2, 3)), -- 1 content, 2 credential, 3 blind index
    version     integer not null check (version > 0),
    kek_version integer not null references kek (version),
    wrapped_ct  bytea not null check (octet_length(wrapped_ct) = 32),
    wrapped_iv  bytea not null check (octet_length(wrapped_iv) = 12),
    wrapped_tag bytea not null check (octet_length(wrapped_tag) = 16),
    created_at  timestamptz not null default now(),
    primary key (tenant_id, purpose, version)
);
select protect_tenant_table('tenant_key');
grant select, insert on tenant_key to harkara_admin;
grant select on tenant_key to harkara_gateway, harkara_dispatcher, harkara_webhooks;

create table api_key (
    tenant_id    uuid not null references tenant,
    id           uuid not null,
    name         text not null check (char_length(name) between 1 and 120),
    mode         text not null check (mode in ('live', 'test')),
    salt         bytea not null check (octet_length(salt) = 16),
    hash         bytea not null check (octet_length(hash) = 32), -- SHA-256(salt || secret); the secret has 256 bits
    last_four    text not null check (char_length(last_four) = 4),
    scopes       text[] not null check (cardinality(scopes) between 1 and 32),
    cidrs        cidr[] not null default '{}' check (cardinality(cidrs) <= 64), -- empty: from anywhere
    created_at   timestamptz not null default now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    last_used_from inet,
    primary key (tenant_id, id)
);
create unique index api_key_by_id on api_key (id);
select protect_tenant_table('api_key');
select allow_across('api_key', 'harkara_gateway', 'authenticate', 'select');
select allow_across('tenant', 'harkara_gateway', 'authenticate', 'select');
grant select, insert, update (name, revoked_at) on api_key to harkara_admin;
grant select, insert, update (name, revoked_at, last_used_at, last_used_from) on api_key to harkara_gateway;
