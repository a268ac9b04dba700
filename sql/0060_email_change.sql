-- Another e-mail address of a person, until a link has shown that it is his. And an address that nobody has shown to be his
-- keeps nobody else from it: only those that were shown are one person's alone.
set local role harkara_owner;
set local search_path = harkara;

alter table person drop constraint person_tenant_id_email_index_key;
create unique index person_by_email on person (tenant_id, email_index) where email_verified_at is not null;

create table email_change (
    tenant_id   uuid not null references tenant,
    id          uuid not null,
    person_id   uuid not null,
    key_version integer not null,
    email_ct    bytea not null,
    email_iv    bytea not null check (octet_length(email_iv) = 12),
    email_tag   bytea not null check (octet_length(email_tag) = 16),
    token_hash  bytea not null unique check (octet_length(token_hash) = 32), -- of 256 random bits
    is_mailed   boolean not null, -- the link was sent to the address; else it was shown, and proves nothing
    created_at  timestamptz not null,
    expires_at  timestamptz not null,
    primary key (tenant_id, id),
    unique (tenant_id, person_id),
    foreign key (tenant_id, person_id) references person (tenant_id, id)
);
create index email_change_by_end on email_change (expires_at);
select protect_tenant_table('email_change');
select allow_across('email_change', 'harkara_scheduler', 'retention', 'select', 'delete');
grant select, insert, delete on email_change to harkara_gateway;
grant select (tenant_id, id, expires_at), delete on email_change to harkara_scheduler;
insert into sealed_column (name, relation, place_table, purpose, row_column, version_column, generation, columns) values
    ('email_change', 'email_change', 'email_change', 1, 'id', 'key_version', '0', '{email}');
