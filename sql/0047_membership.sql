-- People in workspaces: their roles, which may be the workspace's own, and teams. The person belongs to no workspace and
-- is an id here.
set local role harkara_owner;
set local search_path = harkara;

create table role (
    tenant_id   uuid not null references tenant,
    id          uuid not null,
    name        text not null check (char_length(name) between 1 and 60),
    description text not null default '' check (char_length(description) <= 300),
    permissions text[] not null check (cardinality(permissions) between 1 and 64),
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    revision    integer not null default 1,
    primary key (tenant_id, id),
    unique (tenant_id, name)
);
select protect_tenant_table('role');
select allow_across('role', 'harkara_gateway', 'session.workspaces', 'select');
grant select, insert, update (name, description, permissions, updated_at, revision), delete on role to harkara_gateway;

create table membership (
    tenant_id    uuid not null references tenant,
    id           uuid not null,
    person_id    uuid not null,
    role         text check (role ~ '^[a-z]{1,20}$'), -- one that is built in
    role_id      uuid,                                -- or one of the workspace's own
    state        text not null default 'active' check (state in ('active', 'suspended', 'left')),
    scope        text not null check (scope in ('all', 'teams', 'channels')),
    channels     uuid[] not null default '{}' check (cardinality(channels) <= 200),
    joined_at    timestamptz not null,
    last_seen_at timestamptz,
    left_at      timestamptz,
    updated_at   timestamptz not null default now(),
    revision     integer not null default 1,
    primary key (tenant_id, id),
    unique (tenant_id, person_id),
    foreign key (tenant_id, role_id) references role (tenant_id, id),
    check ((role is null) <> (role_id is null)),
    check (scope = 'channels' or channels = '{}')
);
create index membership_by_person on membership (person_id);
create index membership_by_role on membership (tenant_id, role_id) where role_id is not null;
select protect_tenant_table('membership');
select allow_across('membership', 'harkara_gateway', 'session.workspaces', 'select');
select allow_across('tenant', 'harkara_gateway', 'session.workspaces', 'select');
grant select, insert, update (role, role_id, state, scope, channels, joined_at, last_seen_at, left_at, updated_at, revision)
    on membership to harkara_gateway;

create table team (
    tenant_id  uuid not null references tenant,
    id         uuid not null,
    name       text not null check (char_length(name) between 1 and 60),
    channels   uuid[] not null default '{}' check (cardinality(channels) <= 200),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    revision   integer not null default 1,
    primary key (tenant_id, id),
    unique (tenant_id, name)
);
select protect_tenant_table('team');
grant select, insert, update (name, channels, updated_at, revision), delete on team to harkara_gateway;

create table team_member (
    tenant_id     uuid not null references tenant,
    team_id       uuid not null,
    membership_id uuid not null,
    added_at      timestamptz not null default now(),
    primary key (tenant_id, team_id, membership_id),
    foreign key (tenant_id, team_id) references team (tenant_id, id) on delete cascade,
    foreign key (tenant_id, membership_id) references membership (tenant_id, id)
);
create index team_member_by_membership on team_member (tenant_id, membership_id);
select protect_tenant_table('team_member');
grant select, insert, delete on team_member to harkara_gateway;

-- Whoever shows numbers and addresses needs a permission for it from now on: keys that could see them still can.
alter table api_key no force row level security;
update api_key set scopes = scopes || '{contact.identity.reveal}'
    where scopes && '{messages:send,messages:read,messages:export,webhooks:read,webhooks:manage}'
    and not scopes && '{contact.identity.reveal}';
alter table api_key force row level security;
