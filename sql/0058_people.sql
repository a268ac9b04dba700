-- Invitations, access reviews, and who made a key; keys whose secret is being replaced.
set local role harkara_owner;
set local search_path = harkara;

create table invitation (
    tenant_id    uuid not null references tenant,
    id           uuid not null,
    key_version  integer not null,
    email_ct     bytea not null,
    email_iv     bytea not null check (octet_length(email_iv) = 12),
    email_tag    bytea not null check (octet_length(email_tag) = 16),
    email_index  bytea not null check (octet_length(email_index) = 32),
    role         text check (role ~ '^[a-z]{1,20}$'),
    role_id      uuid,
    scope        text not null check (scope in ('all', 'teams', 'channels')),
    channels     uuid[] not null default '{}' check (cardinality(channels) <= 200),
    teams        uuid[] not null default '{}' check (cardinality(teams) <= 50),
    state        text not null default 'pending' check (state in ('pending', 'accepted', 'expired', 'revoked')),
    token_hash   bytea not null unique check (octet_length(token_hash) = 32), -- of 256 random bits
    sent_count   integer not null default 1,
    invited_by_kind text not null check (invited_by_kind in ('person', 'key')),
    invited_by   uuid not null,
    accepted_by  uuid,
    created_at   timestamptz not null,
    expires_at   timestamptz not null,
    settled_at   timestamptz,
    primary key (tenant_id, id),
    foreign key (tenant_id, role_id) references role (tenant_id, id),
    check ((role is null) <> (role_id is null))
);
create unique index invitation_pending on invitation (tenant_id, email_index) where state = 'pending';
create index invitation_by_role on invitation (tenant_id, role_id) where role_id is not null;
select protect_tenant_table('invitation');
select allow_across('invitation', 'harkara_gateway', 'invitation.find', 'select');
select allow_across('tenant', 'harkara_gateway', 'invitation.find', 'select');
grant select, insert, update (role, role_id, state, token_hash, sent_count, accepted_by, expires_at, settled_at) on invitation
    to harkara_gateway;
insert into sealed_column (name, relation, place_table, purpose, row_column, version_column, generation, columns) values
    ('invitation', 'invitation', 'invitation', 1, 'id', 'key_version', '0', '{email}');

create table access_review (
    tenant_id  uuid not null references tenant,
    id         uuid not null,
    state      text not null default 'open' check (state in ('open', 'closed')),
    due_at     timestamptz not null,
    every_days integer check (every_days between 1 and 366), -- the next one opens when this one is closed
    created_at timestamptz not null,
    closed_at  timestamptz,
    primary key (tenant_id, id)
);
create unique index access_review_open on access_review (tenant_id) where state = 'open';
select protect_tenant_table('access_review');
grant select, insert, update (state, closed_at) on access_review to harkara_gateway;

-- What each had when the review was opened, and what was decided of it.
create table access_review_item (
    tenant_id     uuid not null references tenant,
    review_id     uuid not null,
    membership_id uuid not null,
    role_name     text not null,
    permissions   text[] not null,
    scope         text not null,
    key_count     integer not null,
    last_seen_at  timestamptz,
    decision      text check (decision in ('confirmed', 'revoked')),
    decided_by_kind text check (decided_by_kind in ('person', 'key')),
    decided_by    uuid,
    decided_at    timestamptz,
    primary key (tenant_id, review_id, membership_id),
    foreign key (tenant_id, review_id) references access_review (tenant_id, id),
    foreign key (tenant_id, membership_id) references membership (tenant_id, id),
    check ((decision is null) = (decided_at is null))
);
create index access_review_item_by_member on access_review_item (tenant_id, membership_id);
select protect_tenant_table('access_review_item');
grant select, insert, update (decision, decided_by_kind, decided_by, decided_at) on access_review_item to harkara_gateway;

-- A key's maker: when the person leaves, the key goes. And the secret before the last rotation, for as long as it is good.
alter table api_key add column created_by_kind text check (created_by_kind in ('person', 'key', 'operator')),
                    add column created_by uuid,
                    add column previous_salt bytea check (octet_length(previous_salt) = 16),
                    add column previous_hash bytea check (octet_length(previous_hash) = 32),
                    add column previous_until timestamptz,
                    add column rotated_at timestamptz,
                    add check ((previous_salt is null) = (previous_hash is null)
                               and (previous_salt is null) = (previous_until is null));
create index api_key_by_maker on api_key (tenant_id, created_by) where created_by is not null;
grant update (salt, hash, last_four, scopes, cidrs, expires_at, previous_salt, previous_hash, previous_until, rotated_at)
    on api_key to harkara_gateway;
