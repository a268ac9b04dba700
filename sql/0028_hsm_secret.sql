-- The master secret of an installation whose master key is in a PKCS#11 token: sealed by the token's key, which
-- never leaves the token. Written once, by `harkara vault hsm-init`.
set local role harkara_owner;
set local search_path = harkara;

create table hsm_secret (
    version     integer primary key check (version > 0),
    cipher      bytea not null check (octet_length(cipher) = 32),
    iv          bytea not null check (octet_length(iv) = 12),
    tag         bytea not null check (octet_length(tag) = 16),
    created_at  timestamptz not null default now()
);
grant select, insert on hsm_secret to harkara_admin;
