-- The audit log. An entry is written in the transaction of its act. Nobody has a grant to change or to remove one.
set local role harkara_owner;
set local search_path = harkara;

create table audit_entry (
    tenant_id   uuid not null references tenant,
    id          uuid not null,
    at          timestamptz not null default date_trunc('milliseconds', now()),
    actor_kind  text not null check (actor_kind in ('key', 'person', 'operator', 'system', 'nobody')),
    actor_id    uuid,
    session_id  uuid,
    actor_name  text check (octet_length(actor_name) between 1 and 64),
    action      text not null check (octet_length(action) between 1 and 64),
    object_kind text check (octet_length(object_kind) between 1 and 8),
    object_id   uuid,
    outcome     text not null check (outcome in ('done', 'refused', 'failed')),
    -- The bytes as they were written: they are part of what is hashed.
    detail      text not null default '{}' check (octet_length(detail) <= 4096 and jsonb_typeof(detail::jsonb) = 'object'),
    commitments bytea[] not null default '{}' check (cardinality(commitments) <= 4), -- to the private parts, in order
    subjects    uuid[] not null default '{}',
    primary key (tenant_id, id),
    check ((object_kind is null) = (object_id is null)),
    check (cardinality(commitments) = cardinality(subjects))
);
select protect_tenant_table('audit_entry');
create index audit_entry_by_actor on audit_entry (tenant_id, actor_id, id) where actor_id is not null;
create index audit_entry_by_object on audit_entry (tenant_id, object_id, id) where object_id is not null;
create index audit_entry_by_action on audit_entry (tenant_id, action, id);
grant select, insert on audit_entry to harkara_gateway;
grant insert, select (tenant_id, id) on audit_entry to harkara_admin;

-- What has no place in the workspace's tree yet.
create table audit_unsealed (
    tenant_id uuid not null,
    entry_id  uuid not null,
    primary key (tenant_id, entry_id)
);
select protect_tenant_table('audit_unsealed');
grant insert on audit_unsealed to harkara_gateway, harkara_admin;

-- What is personal about an entry, of one subject: may be erased, and the entry still verifies.
create table audit_private (
    tenant_id   uuid not null,
    id          uuid not null,
    entry_id    uuid not null,
    subject_id  uuid not null,
    key_version integer not null,
    part_ct     bytea not null,
    part_iv     bytea not null check (octet_length(part_iv) = 12),
    part_tag    bytea not null check (octet_length(part_tag) = 16),
    primary key (tenant_id, id),
    foreign key (tenant_id, entry_id) references audit_entry (tenant_id, id)
);
select protect_tenant_table('audit_private');
create index audit_private_by_entry on audit_private (tenant_id, entry_id);
create index audit_private_by_subject on audit_private (tenant_id, subject_id);
grant select, insert on audit_private to harkara_gateway;
insert into sealed_column (name, relation, place_table, purpose, row_column, version_column, generation, columns) values
    ('audit_private', 'audit_private', 'audit_private', 1, 'id', 'key_version', '0', '{part}');
