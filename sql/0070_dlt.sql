-- What a workspace has registered with India's operators (TCCCPR 2018; DLT): its principal entity, the telemarketers between it and
-- the operator, headers, templates, and the links and numbers that a text may have. Nothing in it is personal.
set local role harkara_owner;
set local search_path = harkara;

create table dlt_entity (
    tenant_id     uuid not null references tenant,
    id            uuid not null,
    registered_id text not null check (registered_id ~ '^[0-9]{1,30}$'),
    name          text not null check (char_length(name) between 1 and 200),
    state         text not null default 'active' check (state in ('active', 'inactive', 'blacklisted')),
    created_at    timestamptz not null,
    updated_at    timestamptz not null,
    primary key (tenant_id, id),
    unique (tenant_id, registered_id)
);
select protect_tenant_table('dlt_entity');

-- hash: SHA-256 over the ids of the entity and then its members, in order, with commas between: what operators know the chain by.
create table dlt_chain (
    tenant_id  uuid not null references tenant,
    id         uuid not null,
    entity_id  uuid not null,
    hash       bytea not null check (octet_length(hash) = 32),
    state      text not null default 'active' check (state in ('active', 'inactive', 'suspended', 'blacklisted')),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, id),
    unique (tenant_id, hash),
    foreign key (tenant_id, entity_id) references dlt_entity (tenant_id, id)
);
create index dlt_chain_by_entity on dlt_chain (tenant_id, entity_id);
select protect_tenant_table('dlt_chain');

-- The telemarketers, from the one next to the entity to the one that hands over to the operator.
create table dlt_chain_member (
    tenant_id     uuid not null references tenant,
    chain_id      uuid not null,
    position      integer not null check (position between 1 and 10),
    registered_id text not null check (registered_id ~ '^[0-9]{1,30}$'),
    name          text not null check (char_length(name) <= 200),
    role          text not null check (role in ('aggregator', 'delivery')),
    primary key (tenant_id, chain_id, position),
    foreign key (tenant_id, chain_id) references dlt_chain (tenant_id, id) on delete cascade
);
select protect_tenant_table('dlt_chain_member');

create table dlt_header (
    tenant_id     uuid not null references tenant,
    id            uuid not null,
    entity_id     uuid not null,
    name          text not null check (name ~ '^[A-Za-z0-9]{3,11}$'), -- with its case; digits alone are for promotion
    registered_id text check (registered_id ~ '^[0-9]{1,30}$'),
    state         text not null default 'active'
                  check (state in ('active', 'inactive', 'blacklisted', 'suspended-validity', 'suspended-usage')),
    paused_at     timestamptz, -- by the workspace itself, whatever the registry says
    paused_reason text check (char_length(paused_reason) between 1 and 200),
    created_at    timestamptz not null,
    updated_at    timestamptz not null,
    primary key (tenant_id, id),
    unique (tenant_id, name),
    foreign key (tenant_id, entity_id) references dlt_entity (tenant_id, id),
    check ((paused_at is null) = (paused_reason is null))
);
create index dlt_header_by_entity on dlt_header (tenant_id, entity_id);
select protect_tenant_table('dlt_header');

-- variable_*: of the first variables, what a portal keeps beside the text; 0 points: as the type says.
-- lead: how every text of the template begins, after NFC; so few templates are compared with a text that names none.
create table dlt_template (
    tenant_id           uuid not null references tenant,
    id                  uuid not null,
    entity_id           uuid not null,
    kind                text not null check (kind in ('content', 'consent')),
    registered_id       text not null check (registered_id ~ '^[0-9]{1,30}$'),
    name                text not null check (char_length(name) between 1 and 200),
    category            text check (category in ('transactional', 'service', 'service-explicit', 'promotional', 'government')),
    text                text not null check (char_length(text) between 1 and 4096),
    lead                text not null check (char_length(lead) <= 32),
    variable_types      text[] not null default '{}' check (cardinality(variable_types) <= 32),
    variable_points     integer[] not null default '{}' check (cardinality(variable_points) = cardinality(variable_types)),
    consent_template_id text check (consent_template_id ~ '^[0-9]{1,30}$'),
    state               text not null default 'active' check (state in ('active', 'inactive', 'blacklisted')),
    paused_at           timestamptz,
    paused_reason       text check (char_length(paused_reason) between 1 and 200),
    created_at          timestamptz not null,
    updated_at          timestamptz not null,
    primary key (tenant_id, id),
    unique (tenant_id, registered_id),
    foreign key (tenant_id, entity_id) references dlt_entity (tenant_id, id),
    check ((kind = 'content') = (category is not null)),
    check ((paused_at is null) = (paused_reason is null))
);
create index dlt_template_by_entity on dlt_template (tenant_id, entity_id);
select protect_tenant_table('dlt_template');

-- The headers under which a template may be sent.
create table dlt_template_header (
    tenant_id   uuid not null references tenant,
    template_id uuid not null,
    header_id   uuid not null,
    primary key (tenant_id, template_id, header_id),
    foreign key (tenant_id, template_id) references dlt_template (tenant_id, id) on delete cascade,
    foreign key (tenant_id, header_id) references dlt_header (tenant_id, id) on delete cascade
);
create index dlt_template_header_by_header on dlt_template_header (tenant_id, header_id);
select protect_tenant_table('dlt_template_header');

create table dlt_link (
    tenant_id  uuid not null references tenant,
    id         uuid not null,
    kind       text not null check (kind in ('static', 'dynamic', 'short', 'app', 'ott', 'number')),
    value      text not null check (char_length(value) between 1 and 500),
    expires_at timestamptz,
    created_at timestamptz not null,
    primary key (tenant_id, id),
    unique (tenant_id, kind, value)
);
select protect_tenant_table('dlt_link');

-- What was read from operators' exports: each is one transaction, whole or not at all.
create table dlt_import (
    tenant_id     uuid not null references tenant,
    id            uuid not null,
    kind          text not null check (kind in ('headers', 'templates', 'consent-templates', 'links')),
    digest        bytea not null check (octet_length(digest) = 32), -- SHA-256 of the file
    row_count     integer not null,
    added_count   integer not null,
    changed_count integer not null,
    same_count    integer not null,
    imported_at   timestamptz not null,
    primary key (tenant_id, id)
);
select protect_tenant_table('dlt_import');

grant select, insert, update (name, state, updated_at), delete on dlt_entity to harkara_gateway;
grant select, insert, update (state, updated_at), delete on dlt_chain to harkara_gateway;
grant select, insert, delete on dlt_chain_member to harkara_gateway;
grant select, insert, update (registered_id, state, paused_at, paused_reason, updated_at), delete on dlt_header to harkara_gateway;
grant select, insert, update (name, category, text, lead, variable_types, variable_points, consent_template_id, state, paused_at,
                              paused_reason, updated_at), delete on dlt_template to harkara_gateway;
grant select, insert, delete on dlt_template_header to harkara_gateway;
grant select, insert, update (expires_at), delete on dlt_link to harkara_gateway;
grant select, insert on dlt_import to harkara_gateway;
-- What goes to operators with each part of a message, and whether it still may.
grant select on dlt_entity, dlt_chain, dlt_chain_member, dlt_header, dlt_template, dlt_template_header to harkara_smsc;
