-- SMPP for workspaces' own software: a face of an API key, and whom receipts are owed.
set local search_path = harkara;
set local role harkara_owner;

create table smpp_account (
    tenant_id  uuid not null,
    key_id     uuid not null,
    system_id  text not null check (system_id ~ '^[a-z0-9]{1,15}$'),
    channel_id uuid not null, -- of what names no other sender
    category   text not null check (category in ('otp', 'transactional', 'service', 'promotional')),
    binds_max  smallint not null check (binds_max between 1 and 32),
    -- scrypt of the password, which has 48 random bits and is shown once.
    cost_n     integer not null check (cost_n between 16384 and 1048576),
    salt       bytea not null check (octet_length(salt) = 32),
    verifier   bytea not null check (octet_length(verifier) = 32),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    revision   integer not null default 1, -- another one ends what was bound before
    primary key (tenant_id, key_id),
    foreign key (tenant_id, key_id) references api_key (tenant_id, id),
    foreign key (tenant_id, channel_id) references channel (tenant_id, id)
);
create unique index smpp_account_by_system_id on smpp_account (system_id);
select protect_tenant_table('smpp_account');
grant select, insert, update (channel_id, category, binds_max, cost_n, salt, verifier, updated_at, revision), delete on smpp_account to harkara_gateway;
select allow_across('smpp_account', 'harkara_gateway', 'authenticate', 'select');

-- Whoever submitted a message over SMPP and wants to hear what becomes of it; gone when it was told.
create table smpp_receipt (
    tenant_id     uuid not null,
    message_id    uuid not null,
    key_id        uuid not null,
    sender        text not null check (octet_length(sender) <= 64), -- as it was written: the receipt goes back there
    sender_ton    smallint not null check (sender_ton between 0 and 255),
    sender_npi    smallint not null check (sender_npi between 0 and 255),
    failures_only boolean not null,
    wanted_at     timestamptz not null default now(),
    primary key (tenant_id, message_id)
);
create index smpp_receipt_by_key on smpp_receipt (tenant_id, key_id, message_id);
select protect_tenant_table('smpp_receipt');
grant select, insert, delete on smpp_receipt to harkara_gateway;
