-- People, their browsers' sessions, and the links that let a first owner in: rows of Harkara's own workspace.
set local role harkara_owner;
set local search_path = harkara;

create table person (
    tenant_id         uuid not null references tenant,
    id                uuid not null,
    state             text not null default 'active' check (state in ('active', 'left')),
    key_version       integer not null,
    generation        integer not null default 0, -- of both values; raised with each change
    name_ct           bytea not null,
    name_iv           bytea not null check (octet_length(name_iv) = 12),
    name_tag          bytea not null check (octet_length(name_tag) = 16),
    email_ct          bytea,
    email_iv          bytea check (octet_length(email_iv) = 12),
    email_tag         bytea check (octet_length(email_tag) = 16),
    email_index       bytea check (octet_length(email_index) = 32), -- blind; equal addresses meet
    email_verified_at timestamptz,
    created_at        timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, email_index),
    check ((email_ct is null) = (email_index is null))
);
select protect_tenant_table('person');
grant select, insert, update (state, key_version, generation, name_ct, name_iv, name_tag, email_ct, email_iv, email_tag,
    email_index, email_verified_at) on person to harkara_gateway;
insert into sealed_column (name, relation, place_table, purpose, row_column, version_column, generation, columns) values
    ('person', 'person', 'person', 1, 'id', 'key_version', 't.generation', '{name,email}');

-- The token has 256 random bits: its plain hash tells nothing. `factors` are what the person has shown.
create table person_session (
    tenant_id     uuid not null references tenant,
    id            uuid not null,
    person_id     uuid not null,
    token_hash    bytea not null unique check (octet_length(token_hash) = 32),
    acting_tenant uuid, -- the workspace it works in
    factors       text[] not null check (cardinality(factors) between 1 and 4),
    created_at    timestamptz not null,
    seen_at       timestamptz not null,
    expires_at    timestamptz not null,
    stepped_up_at timestamptz,
    address       inet,
    user_agent    text not null check (char_length(user_agent) <= 256),
    ended_at      timestamptz,
    ended_why     text check (ended_why in ('signed_out', 'revoked', 'replaced')),
    primary key (tenant_id, id),
    foreign key (tenant_id, person_id) references person (tenant_id, id)
);
create index person_session_by_person on person_session (tenant_id, person_id, id);
create index person_session_by_end on person_session (expires_at);
select protect_tenant_table('person_session');
select allow_across('person_session', 'harkara_scheduler', 'retention', 'select', 'delete');
grant select, insert, update (token_hash, acting_tenant, factors, seen_at, stepped_up_at, address, ended_at, ended_why)
    on person_session to harkara_gateway;
grant select (tenant_id, id, expires_at), delete on person_session to harkara_scheduler;

-- Ceremonies that ended well. What they ask for is worked out of their id; only that each is done once is kept.
create table ceremony (
    tenant_id uuid not null references tenant,
    id        uuid not null,
    used_at   timestamptz not null default now(),
    primary key (tenant_id, id)
);
create index ceremony_by_use on ceremony (used_at);
select protect_tenant_table('ceremony');
select allow_across('ceremony', 'harkara_scheduler', 'retention', 'select', 'delete');
grant select, insert on ceremony to harkara_gateway;
grant select, delete on ceremony to harkara_scheduler;

create table enrolment (
    tenant_id    uuid not null references tenant,
    id           uuid not null,
    token_hash   bytea not null unique check (octet_length(token_hash) = 32),
    workspace_id uuid not null,
    created_at   timestamptz not null,
    expires_at   timestamptz not null,
    used_at      timestamptz,
    used_by      uuid,
    primary key (tenant_id, id)
);
select protect_tenant_table('enrolment');
grant select, insert on enrolment to harkara_admin;
grant select, update (used_at, used_by) on enrolment to harkara_gateway;

-- Attempts that failed, by a hash of whom they are held against.
create table throttle (
    tenant_id uuid not null references tenant,
    subject   bytea not null check (octet_length(subject) = 32),
    failures  integer not null,
    failed_at timestamptz not null,
    primary key (tenant_id, subject)
);
create index throttle_by_time on throttle (failed_at);
select protect_tenant_table('throttle');
select allow_across('throttle', 'harkara_scheduler', 'retention', 'select', 'delete');
grant select, insert, update (failures, failed_at), delete on throttle to harkara_gateway;
grant select, delete on throttle to harkara_scheduler;
