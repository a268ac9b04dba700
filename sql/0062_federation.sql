-- Sign-in by another's identity provider: who is believed, whom they name, and what the dispatcher, which alone calls out, is asked
-- for it. Rows of Harkara's own workspace, as the people are.
set local role harkara_owner;
set local search_path = harkara;

create table oidc_issuer (
    tenant_id              uuid not null references tenant,
    id                     uuid not null,
    name                   text not null check (char_length(name) between 1 and 60),
    issuer                 text not null check (char_length(issuer) between 8 and 1024),
    client_id              text not null check (char_length(client_id) between 1 and 512),
    algorithm              text not null check (algorithm in ('RS256', 'ES256', 'EdDSA')),
    domains                text[] not null check (cardinality(domains) <= 50), -- none: any
    key_version            integer not null,
    client_secret_ct       bytea not null,
    client_secret_iv       bytea not null check (octet_length(client_secret_iv) = 12),
    client_secret_tag      bytea not null check (octet_length(client_secret_tag) = 16),
    created_at             timestamptz not null,
    authorization_endpoint text check (char_length(authorization_endpoint) <= 1024), -- as it said last
    names_itself           boolean,
    discovered_at          timestamptz,
    primary key (tenant_id, id),
    unique (tenant_id, issuer),
    check ((authorization_endpoint is null) = (discovered_at is null) and (names_itself is null) = (discovered_at is null))
);
select protect_tenant_table('oidc_issuer');
grant select, insert, delete on oidc_issuer to harkara_admin;
grant select (tenant_id, id, name, issuer, client_id, algorithm, domains, created_at, authorization_endpoint, names_itself,
              discovered_at) on oidc_issuer to harkara_gateway;
grant select, update (authorization_endpoint, names_itself, discovered_at) on oidc_issuer to harkara_dispatcher;

-- The subject is the issuer's name for a person; kept is a blind index of it. The address is what the issuer says, to be shown.
create table oidc_identity (
    tenant_id     uuid not null references tenant,
    id            uuid not null,
    person_id     uuid not null,
    issuer_id     uuid not null,
    subject_index bytea not null check (octet_length(subject_index) = 32),
    key_version   integer,
    email_ct      bytea,
    email_iv      bytea check (octet_length(email_iv) = 12),
    email_tag     bytea check (octet_length(email_tag) = 16),
    created_at    timestamptz not null,
    last_used_at  timestamptz,
    primary key (tenant_id, id),
    unique (tenant_id, issuer_id, subject_index),
    foreign key (tenant_id, person_id) references person (tenant_id, id),
    foreign key (tenant_id, issuer_id) references oidc_issuer (tenant_id, id) on delete cascade,
    check ((email_ct is null) = (key_version is null))
);
create index oidc_identity_by_person on oidc_identity (tenant_id, person_id, id);
select protect_tenant_table('oidc_identity');
grant select, insert, update (last_used_at), delete on oidc_identity to harkara_gateway;
grant select (tenant_id, id, person_id, issuer_id) on oidc_identity to harkara_admin;

-- What an operator takes an issuer away for may be that it is not to be believed: its sessions end with it.
grant select (tenant_id, id, person_id, factors, expires_at, ended_at), update (ended_at, ended_why) on person_session
    to harkara_admin;

-- What the dispatcher is asked, once, and what it answers; a gateway's thread waits for it for some seconds.
create table oidc_task (
    tenant_id           uuid not null references tenant,
    id                  uuid not null,
    issuer_id           uuid not null,
    kind                text not null check (kind in ('discovery', 'exchange')),
    state               text not null default 'waiting' check (state in ('waiting', 'taken', 'done')),
    address             inet, -- who asks: of one address only some wait at a time
    request_key_version integer,
    request_ct          bytea,
    request_iv          bytea check (octet_length(request_iv) = 12),
    request_tag         bytea check (octet_length(request_tag) = 16),
    outcome             text check (outcome in ('done', 'refused', 'failed')),
    answer_key_version  integer,
    answer_ct           bytea,
    answer_iv           bytea check (octet_length(answer_iv) = 12),
    answer_tag          bytea check (octet_length(answer_tag) = 16),
    created_at          timestamptz not null default clock_timestamp(),
    primary key (tenant_id, id),
    foreign key (tenant_id, issuer_id) references oidc_issuer (tenant_id, id) on delete cascade,
    check ((state = 'done') = (outcome is not null)),
    check ((kind = 'exchange') >= (request_ct is not null))
);
create index oidc_task_by_age on oidc_task (created_at);
select protect_tenant_table('oidc_task');
select allow_across('oidc_task', 'harkara_scheduler', 'retention', 'select', 'delete');
grant select, insert, delete on oidc_task to harkara_gateway;
grant select, update (state, request_key_version, request_ct, request_iv, request_tag, outcome, answer_key_version, answer_ct,
    answer_iv, answer_tag) on oidc_task to harkara_dispatcher;
grant select (tenant_id, id, created_at), delete on oidc_task to harkara_scheduler;

insert into sealed_column (name, relation, place_table, purpose, row_column, version_column, generation, columns) values
    ('oidc_issuer', 'oidc_issuer', 'oidc_issuer', 2, 'id', 'key_version', '0', '{client_secret}'),
    ('oidc_identity', 'oidc_identity', 'oidc_identity', 1, 'id', 'key_version', '0', '{email}'),
    ('oidc_task.request', 'oidc_task', 'oidc_task', 2, 'id', 'request_key_version', '0', '{request}'),
    ('oidc_task.answer', 'oidc_task', 'oidc_task', 1, 'id', 'answer_key_version', '0', '{answer}');
