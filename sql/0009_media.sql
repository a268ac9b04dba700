-- Media: what tenants upload to send, and what their customers send. The bytes lie in sealed chunks.
set local role harkara_owner;
set local search_path = harkara;

create table media (
    tenant_id    uuid not null,
    id           uuid not null, -- UUIDv7: its time is when it was begun
    direction    text not null check (direction in ('out', 'in')),
    -- storing: an upload is on its way; fetching: the provider has the bytes still.
    state        text not null check (state in ('storing', 'ready', 'fetching', 'failed')),
    mime_type    text not null check (char_length(mime_type) <= 127),
    bytes        bigint not null check (bytes >= 0), -- until it is ready: what is reserved for it
    sha256       bytea check (octet_length(sha256) = 32),
    chunk_count  integer not null default 0,
    writer       uuid, -- who may add chunks: a writer that was overtaken cannot mix its own in
    key_version  integer,
    file_name_ct  bytea,
    file_name_iv  bytea check (octet_length(file_name_iv) = 12),
    file_name_tag bytea check (octet_length(file_name_tag) = 16),
    channel_id   uuid, -- of incoming media, as the next two
    message_id   uuid,
    provider_id  text check (char_length(provider_id) <= 255),
    error_code   text check (char_length(error_code) <= 64),
    error_title  text check (char_length(error_title) <= 255),
    expires_at   timestamptz not null,
    updated_at   timestamptz not null default now(),
    primary key (tenant_id, id),
    check (num_nonnulls(key_version, file_name_ct, file_name_iv, file_name_tag) in (0, 4))
);
create index media_by_expiry on media (expires_at);
create index media_left on media (updated_at) where state = 'storing';
select protect_tenant_table('media');
select allow_across('media', 'harkara_scheduler', 'retention', 'select', 'delete');
grant select, insert, delete, update (state, bytes, sha256, chunk_count, writer, updated_at) on media to harkara_gateway;
grant select, update (state, bytes, sha256, chunk_count, writer, error_code, error_title, updated_at) on media
    to harkara_dispatcher;
grant select (tenant_id, id, state, expires_at, updated_at), delete on media to harkara_scheduler;

-- A chunk is sealed for its own number, and the last one for being the last: see domain/media/media.h.
create table media_chunk (
    tenant_id   uuid not null,
    media_id    uuid not null,
    number      integer not null check (number >= 0),
    key_version integer not null,
    body_ct     bytea not null check (octet_length(body_ct) <= 262144),
    body_iv     bytea not null check (octet_length(body_iv) = 12),
    body_tag    bytea not null check (octet_length(body_tag) = 16),
    primary key (tenant_id, media_id, number),
    foreign key (tenant_id, media_id) references media (tenant_id, id) on delete cascade
);
alter table media_chunk alter column body_ct set storage external; -- what is sealed does not get smaller
select protect_tenant_table('media_chunk');
grant select, insert, delete on media_chunk to harkara_gateway, harkara_dispatcher;

-- What the provider calls our media, per sender: it keeps an upload for 30 days.
create table media_provider (
    tenant_id   uuid not null,
    media_id    uuid not null,
    channel_id  uuid not null,
    state       text not null check (state in ('pushing', 'ready', 'failed')),
    provider_id text check (char_length(provider_id) <= 255),
    expires_at  timestamptz not null, -- of `pushing` and `failed`: when it is tried again
    error_code  text check (char_length(error_code) <= 64),
    error_title text check (char_length(error_title) <= 255),
    primary key (tenant_id, media_id, channel_id),
    foreign key (tenant_id, media_id) references media (tenant_id, id) on delete cascade
);
select protect_tenant_table('media_provider');
grant select, insert, delete, update (state, provider_id, expires_at, error_code, error_title) on media_provider
    to harkara_dispatcher;

-- Messages that wait until the provider has their media.
create table media_wait (
    tenant_id  uuid not null,
    media_id   uuid not null,
    channel_id uuid not null,
    message_id uuid not null,
    primary key (tenant_id, media_id, channel_id, message_id),
    foreign key (tenant_id, media_id) references media (tenant_id, id) on delete cascade
);
select protect_tenant_table('media_wait');
grant select, insert, delete on media_wait to harkara_dispatcher;
