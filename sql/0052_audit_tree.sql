-- The audit entries of a workspace in a Merkle tree, sealed by the minute, with signed checkpoints (RFC 9162).
set local role harkara_owner;
set local search_path = harkara;

create table audit_tree (
    tenant_id   uuid primary key references tenant,
    size        bigint not null default 0 check (size >= 0),
    edge        bytea not null default '',             -- the roots of its complete subtrees, the largest first
    signed_size bigint not null default 0 check (signed_size between 0 and size)
);
select protect_tenant_table('audit_tree');
select allow_across('audit_tree', 'harkara_scheduler', 'audit.seal', 'select');
select allow_across('audit_unsealed', 'harkara_scheduler', 'audit.seal', 'select');
grant select, insert, update (size, edge, signed_size) on audit_tree to harkara_scheduler;
grant select on audit_tree to harkara_gateway, harkara_admin;

-- Leaves are level 0. Of the complete subtrees those of 2^8, 2^16, ... leaves are kept.
create table audit_node (
    tenant_id uuid not null,
    level     smallint not null check (level between 0 and 62),
    index     bigint not null check (index >= 0),
    hash      bytea not null check (octet_length(hash) = 32),
    entry_id  uuid,
    primary key (tenant_id, level, index),
    check ((level = 0) = (entry_id is not null))
);
select protect_tenant_table('audit_node');
create unique index audit_node_by_entry on audit_node (tenant_id, entry_id) where entry_id is not null;
grant select, insert on audit_node to harkara_scheduler;
grant select on audit_node to harkara_gateway, harkara_admin;

create table audit_key (
    tenant_id       uuid not null references tenant,
    generation      integer not null check (generation > 0),
    public_key      bytea not null check (octet_length(public_key) = 32),
    key_version     integer not null,
    private_key_ct  bytea not null,
    private_key_iv  bytea not null check (octet_length(private_key_iv) = 12),
    private_key_tag bytea not null check (octet_length(private_key_tag) = 16),
    created_at      timestamptz not null default now(),
    primary key (tenant_id, generation)
);
select protect_tenant_table('audit_key');
grant select, insert on audit_key to harkara_scheduler;
grant select (tenant_id, generation, public_key, created_at) on audit_key to harkara_gateway, harkara_admin;
insert into sealed_column (name, relation, place_table, purpose, row_column, sub_column, version_column, generation,
                           columns) values
    ('audit_key', 'audit_key', 'audit_key', 2, 'tenant_id', 'generation', 'key_version', 't.generation', '{private_key}');

create table audit_checkpoint (
    tenant_id  uuid not null,
    size       bigint not null check (size > 0),
    root       bytea not null check (octet_length(root) = 32),
    at         timestamptz not null,
    generation integer not null,
    signature  bytea not null check (octet_length(signature) = 64),
    primary key (tenant_id, size),
    foreign key (tenant_id, generation) references audit_key
);
select protect_tenant_table('audit_checkpoint');
grant select, insert on audit_checkpoint to harkara_scheduler;
grant select on audit_checkpoint to harkara_gateway, harkara_admin;

-- Who seals reads what it seals; who verifies reads all of it.
grant select on audit_entry to harkara_scheduler, harkara_admin;
grant select, delete on audit_unsealed to harkara_scheduler;
grant select on audit_unsealed to harkara_admin, harkara_gateway;
-- The scheduler signs with the workspaces' keys, which the vault draws and opens for nobody.
grant select on tenant_key to harkara_scheduler;
alter table audit_entry add constraint audit_entry_detail_is_one_line check (position(E'\n' in detail) = 0);
