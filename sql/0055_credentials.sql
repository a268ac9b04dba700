-- What people sign in with beside nothing that they would have to remember: passkeys, secrets for one-time codes, and recovery
-- codes. Rows of Harkara's own workspace, as the people are.
set local role harkara_owner;
set local search_path = harkara;

create table passkey (
    tenant_id          uuid not null references tenant,
    id                 uuid not null,
    person_id          uuid not null,
    credential_id      bytea not null check (octet_length(credential_id) between 1 and 1023),
    public_key         bytea not null check (octet_length(public_key) <= 1200), -- COSE_Key
    algorithm          integer not null check (algorithm in (-7, -8, -257)),
    sign_count         bigint not null check (sign_count between 0 and 4294967295),
    aaguid             bytea not null check (octet_length(aaguid) = 16),
    transports         integer not null check (transports between 0 and 63), -- a bit each
    is_backup_eligible boolean not null,
    is_backed_up       boolean not null check (is_backup_eligible or not is_backed_up),
    name               text not null check (char_length(name) between 1 and 60),
    created_at         timestamptz not null,
    last_used_at       timestamptz,
    primary key (tenant_id, id),
    unique (tenant_id, credential_id),
    foreign key (tenant_id, person_id) references person (tenant_id, id)
);
create index passkey_by_person on passkey (tenant_id, person_id, id);
select protect_tenant_table('passkey');
grant select, insert, update (sign_count, is_backed_up, name, last_used_at), delete on passkey to harkara_gateway;

-- One of a person. The gateway hands the ciphertext to the vault, which checks codes and never opens it for anybody.
create table totp (
    tenant_id          uuid not null references tenant,
    person_id          uuid not null,
    generation         integer not null check (generation > 0), -- another one with each secret
    secret_key_version integer not null,
    secret_ct          bytea not null,
    secret_iv          bytea not null check (octet_length(secret_iv) = 12),
    secret_tag         bytea not null check (octet_length(secret_tag) = 16),
    last_step          bigint not null default 0, -- a code of this step or an earlier one is not good any more
    created_at         timestamptz not null,
    confirmed_at       timestamptz, -- when a code was shown for the first time: until then it is no factor
    primary key (tenant_id, person_id),
    foreign key (tenant_id, person_id) references person (tenant_id, id)
);
select protect_tenant_table('totp');
grant select, insert, update (generation, secret_key_version, secret_ct, secret_iv, secret_tag, last_step, created_at, confirmed_at),
    delete on totp to harkara_gateway;
insert into sealed_column (name, relation, place_table, purpose, row_column, version_column, generation, columns) values
    ('totp', 'totp', 'totp', 2, 'person_id', 'secret_key_version', 't.generation', '{secret}');

create table recovery_code (
    tenant_id  uuid not null references tenant,
    person_id  uuid not null,
    hash       bytea not null check (octet_length(hash) = 32), -- SHA-256 of the salt and the code's 80 random bits
    salt       bytea not null check (octet_length(salt) = 16),
    created_at timestamptz not null,
    used_at    timestamptz,
    primary key (tenant_id, person_id, hash),
    foreign key (tenant_id, person_id) references person (tenant_id, id)
);
select protect_tenant_table('recovery_code');
grant select, insert, update (used_at), delete on recovery_code to harkara_gateway;
