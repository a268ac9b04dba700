-- Consent: what each person allowed, purpose by purpose, as a ledger that is only appended to; what it amounts to; and whom
-- never to write to. The ledger knows people by a keyed index alone, the one that messages have: the address and what proves a
-- consent lie in rows of their own beside it, so that these can be erased and the opt-out stays.
set local role harkara_owner;
set local search_path = harkara;

-- What people were told. A version is never changed; its hash is what a consent refers to.
create table consent_notice (
    tenant_id       uuid not null references tenant,
    id              uuid not null,
    name            text not null check (name ~ '^[a-z0-9-]{1,40}$'),
    language        text not null check (language ~ '^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$'),
    version         integer not null check (version > 0),
    text            text not null check (octet_length(text) between 1 and 65536),
    text_hash       bytea not null check (octet_length(text_hash) = 32), -- SHA-256
    terms           jsonb not null, -- controller, data categories, retention, recipients, ...: as the API shows it
    created_at      timestamptz not null,
    created_by_kind text not null check (created_by_kind in ('person', 'key')),
    created_by      uuid not null,
    primary key (tenant_id, id),
    unique (tenant_id, name, language, version)
);
select protect_tenant_table('consent_notice');
grant select, insert on consent_notice to harkara_gateway;

create table consent_event (
    tenant_id    uuid not null references tenant,
    id           uuid not null,
    peer_index   bytea not null check (octet_length(peer_index) = 32), -- as in message
    channel_kind text not null check (channel_kind ~ '^[a-z]{1,20}$'),
    purpose      text not null check (purpose ~ '^[a-z0-9-]{1,40}$'),
    state        text not null check (state in ('granted', 'withdrawn', 'unknown')),
    source       text not null check (source in ('manual', 'import', 'inbound', 'api', 'provider')),
    method       text check (method ~ '^[a-z-]{1,40}$'),
    language     text check (char_length(language) <= 35),
    notice_id    uuid,
    has_evidence boolean not null,
    message_id   uuid, -- the message in which the person said so
    channel_id   uuid, -- and the sender that it went to
    actor_kind   text not null check (actor_kind in ('person', 'key', 'contact', 'system')),
    actor_id     uuid,
    at           timestamptz not null, -- when the person decided
    recorded_at  timestamptz not null default now(),
    primary key (tenant_id, id),
    foreign key (tenant_id, notice_id) references consent_notice (tenant_id, id),
    check (state <> 'granted' or has_evidence)
);
-- The same said twice is one row.
create unique index consent_event_once on consent_event (tenant_id, peer_index, channel_kind, purpose, at, state, source);
create index consent_event_by_peer on consent_event (tenant_id, peer_index, id);
select protect_tenant_table('consent_event');
grant select, insert on consent_event to harkara_gateway;

-- Whose index it is, once.
create table consent_peer (
    tenant_id   uuid not null references tenant,
    id          uuid not null,
    peer_index  bytea not null check (octet_length(peer_index) = 32),
    key_version integer not null,
    peer_ct     bytea not null,
    peer_iv     bytea not null check (octet_length(peer_iv) = 12),
    peer_tag    bytea not null check (octet_length(peer_tag) = 16),
    primary key (tenant_id, id),
    unique (tenant_id, peer_index)
);
select protect_tenant_table('consent_peer');
grant select, insert on consent_peer to harkara_gateway;

create table consent_evidence (
    tenant_id    uuid not null references tenant,
    event_id     uuid not null,
    key_version  integer not null,
    evidence_ct  bytea not null,
    evidence_iv  bytea not null check (octet_length(evidence_iv) = 12),
    evidence_tag bytea not null check (octet_length(evidence_tag) = 16),
    primary key (tenant_id, event_id),
    foreign key (tenant_id, event_id) references consent_event (tenant_id, id)
);
select protect_tenant_table('consent_evidence');
grant select, insert on consent_evidence to harkara_gateway;
insert into sealed_column (name, relation, place_table, purpose, row_column, version_column, generation, columns) values
    ('consent_peer', 'consent_peer', 'consent_peer', 1, 'id', 'key_version', '0', '{peer}'),
    ('consent_evidence', 'consent_evidence', 'consent_evidence', 1, 'event_id', 'key_version', '0', '{evidence}');

-- What the ledger amounts to: the latest word that is not `unknown`; a withdrawal wins on equal time. Written with the ledger.
create table consent_state (
    tenant_id    uuid not null references tenant,
    peer_index   bytea not null check (octet_length(peer_index) = 32),
    channel_kind text not null,
    purpose      text not null,
    state        text not null check (state in ('granted', 'withdrawn', 'unknown')),
    at           timestamptz not null,
    event_id     uuid not null,
    primary key (tenant_id, peer_index, channel_kind, purpose)
);
select protect_tenant_table('consent_state');
select allow_many('consent_state', 'harkara_accept', 'select');
grant select, insert, update (state, at, event_id) on consent_state to harkara_gateway;
grant select on consent_state to harkara_accept, harkara_dispatcher, harkara_smsc;

-- Whom never to write to. Who put himself here is taken off by nobody else.
create table suppression (
    tenant_id    uuid not null references tenant,
    peer_index   bytea not null check (octet_length(peer_index) = 32),
    channel_kind text not null check (channel_kind ~ '^[a-z]{1,20}$'), -- 'any': all of them
    scope        text not null check (scope in ('all', 'promotional')),
    reason       text not null check (reason in ('keyword', 'preference', 'complaint', 'manual', 'import')),
    id           uuid not null,
    event_id     uuid, -- of the ledger: what the person said
    actor_kind   text not null check (actor_kind in ('person', 'key', 'contact', 'system')),
    actor_id     uuid,
    at           timestamptz not null, -- since when
    created_at   timestamptz not null default now(),
    primary key (tenant_id, peer_index, channel_kind, scope),
    unique (tenant_id, id)
);
select protect_tenant_table('suppression');
select allow_many('suppression', 'harkara_accept', 'select');
grant select, insert, update (reason, event_id, actor_kind, actor_id, at), delete on suppression to harkara_gateway;
grant select on suppression to harkara_accept, harkara_dispatcher, harkara_smsc;

-- What a workspace decides. No row: as it comes.
create table consent_settings (
    tenant_id       uuid primary key references tenant,
    default_manual  text not null check (default_manual in ('granted', 'unknown')),
    default_import  text not null check (default_import in ('granted', 'unknown')),
    default_inbound text not null check (default_inbound in ('granted', 'unknown')),
    default_api     text not null check (default_api in ('granted', 'unknown')),
    stop_scope      text not null check (stop_scope in ('promotional', 'all')),
    stop_words      text[] not null default '{}' check (cardinality(stop_words) <= 50),
    start_words     text[] not null default '{}' check (cardinality(start_words) <= 50),
    help_words      text[] not null default '{}' check (cardinality(help_words) <= 50),
    is_stop_answered  boolean not null,
    is_start_answered boolean not null,
    is_help_answered  boolean not null,
    stop_text       text check (char_length(stop_text) between 1 and 640), -- null: ours
    start_text      text check (char_length(start_text) between 1 and 640),
    help_text       text check (char_length(help_text) between 1 and 640),
    revision        integer not null default 1,
    updated_at      timestamptz not null default now()
);
select protect_tenant_table('consent_settings');
grant select, insert, update (default_manual, default_import, default_inbound, default_api, stop_scope, stop_words, start_words,
                              help_words, is_stop_answered, is_start_answered, is_help_answered, stop_text, start_text,
                              help_text, revision, updated_at) on consent_settings to harkara_gateway;

-- What follows when somebody wrote a keyword and that is committed: the address is kept for the ledger, and the answer is sent
-- as any message is.
create table consent_follow_up (
    tenant_id  uuid not null references tenant,
    id         uuid not null,
    word       text not null check (word in ('stop', 'start', 'help')),
    language   text not null check (language ~ '^[a-z]{2,3}$'), -- of the keyword
    channel_id uuid not null,
    message_id uuid not null, -- in which it was written
    peer_index bytea not null check (octet_length(peer_index) = 32),
    attempt    smallint not null default 0,
    due_at     timestamptz not null default now(),
    created_at timestamptz not null default now(),
    primary key (tenant_id, id)
);
create index consent_follow_up_due on consent_follow_up (due_at);
select protect_tenant_table('consent_follow_up');
select allow_across('consent_follow_up', 'harkara_gateway', 'consent.follow_up', 'select');
grant select, insert, update (attempt, due_at), delete on consent_follow_up to harkara_gateway;
