-- SMS: senders (channels of kind sms), a workspace's own accounts at operators (connectors), which of them carries what
-- (routes), the state of their links, and what became of each part of a message.
set local search_path = harkara;
do $$
begin
    if not exists (select from pg_roles where rolname = 'harkara_smsc') then
        create role harkara_smsc login noinherit nocreatedb nocreaterole;
    end if;
    alter role harkara_smsc set search_path = harkara;
    alter role harkara_smsc set idle_in_transaction_session_timeout = '60s';
    alter role harkara_smsc set statement_timeout = '30s';
    alter role harkara_smsc set lock_timeout = '20s';
    alter role harkara_smsc set jit = off;
    -- As the dispatcher, for the same reasons.
    alter role harkara_smsc set enable_sort = off;
    alter role harkara_smsc set enable_seqscan = off;
    alter role harkara_smsc set plan_cache_mode = force_generic_plan;
    execute format('grant connect on database %I to harkara_smsc', current_database());
end
$$;
set local role harkara_owner;
grant usage on schema harkara to harkara_smsc;

alter table channel drop constraint channel_kind_check;
alter table channel add constraint channel_kind_check check (kind in ('whatsapp', 'sms'));
grant select on channel to harkara_smsc;

create table sms_channel (
    tenant_id   uuid not null,
    channel_id  uuid not null,
    -- A header, or a number's digits without a plus. What somebody writes back to it reaches this channel.
    sender      text not null check (sender ~ '^[A-Za-z0-9 ._&-]{1,11}$' or sender ~ '^[0-9]{3,15}$'),
    sender_kind text not null check (sender_kind in ('alphanumeric', 'number', 'short-code')),
    unicode     text not null default 'auto' check (unicode in ('auto', 'refuse')),
    parts_max   smallint not null default 10 check (parts_max between 1 and 255),
    primary key (tenant_id, channel_id),
    foreign key (tenant_id, channel_id) references channel (tenant_id, id)
);
create unique index sms_channel_sender on sms_channel (tenant_id, upper(sender));
select protect_tenant_table('sms_channel');
grant select, insert, update (unicode, parts_max), delete on sms_channel to harkara_gateway;
grant select on sms_channel to harkara_smsc;
select allow_across('sms_channel', 'harkara_smsc', 'sms.connect', 'select');

create table sms_connector (
    tenant_id            uuid not null references tenant,
    id                   uuid not null,
    name                 text not null check (char_length(name) between 1 and 120),
    state                text not null default 'active' check (state in ('active', 'paused', 'broken')),
    state_reason         text check (char_length(state_reason) <= 200),
    created_at           timestamptz not null default now(),
    updated_at           timestamptz not null default now(),
    revision             integer not null default 1, -- ETag
    host                 text not null check (char_length(host) between 1 and 253),
    port                 integer not null check (port between 1 and 65535),
    tls                  text not null check (tls in ('off', 'on')),
    tls_ca               text check (octet_length(tls_ca) <= 16384), -- PEM, in place of the system's
    system_id            text not null check (char_length(system_id) between 1 and 15),
    password_key_version integer not null,
    password_generation  integer not null default 1,
    password_ct          bytea not null,
    password_iv          bytea not null check (octet_length(password_iv) = 12),
    password_tag         bytea not null check (octet_length(password_tag) = 16),
    system_type          text not null default '' check (char_length(system_type) <= 12),
    address_range        text not null default '' check (char_length(address_range) <= 40),
    service_type         text not null default '' check (char_length(service_type) <= 5),
    transceivers         smallint not null check (transceivers between 0 and 16),
    transmitters         smallint not null check (transmitters between 0 and 16),
    receivers            smallint not null check (receivers between 0 and 16),
    window_max           smallint not null default 10 check (window_max between 1 and 500),
    per_second           integer not null default 10 check (per_second between 1 and 10000), -- parts, all binds together
    enquire_s            smallint not null default 30 check (enquire_s between 5 and 600),
    answer_s             smallint not null default 60 check (answer_s between 5 and 300),
    joining              text not null default 'udh-8' check (joining in ('udh-8', 'udh-16', 'sar', 'payload')),
    alphabet             text not null default 'gsm7' check (alphabet in ('gsm7', 'ascii', 'latin1')), -- data_coding 0
    languages            integer not null default 0 check (languages between 0 and 16383), -- bits of enum gsm7_language
    alphanumeric_ton     smallint not null default 5 check (alphanumeric_ton between 0 and 255),
    alphanumeric_npi     smallint not null default 0 check (alphanumeric_npi between 0 and 255),
    number_ton           smallint not null default 1 check (number_ton between 0 and 255),
    number_npi           smallint not null default 1 check (number_npi between 0 and 255),
    short_ton            smallint not null default 3 check (short_ton between 0 and 255),
    short_npi            smallint not null default 0 check (short_npi between 0 and 255),
    recipient_ton        smallint not null default 1 check (recipient_ton between 0 and 255),
    recipient_npi        smallint not null default 1 check (recipient_npi between 0 and 255),
    validity_max_s       integer check (validity_max_s between 60 and 604800), -- longer ones are refused there
    receipt_ids          text not null default 'as-answered' check (receipt_ids in ('as-answered', 'decimal', 'hexadecimal')),
    receipt_zone_minutes smallint not null default 0 check (receipt_zone_minutes between -840 and 840),
    error_codes          text not null default 'india' check (error_codes in ('india', 'none')),
    dlt_entity_tag       integer check (dlt_entity_tag between 1 and 65535), -- null: not sent; so all three
    dlt_template_tag     integer check (dlt_template_tag between 1 and 65535),
    dlt_chain_tag        integer check (dlt_chain_tag between 1 and 65535),
    dlt_ends_with_nul    boolean not null default false,
    primary key (tenant_id, id),
    check (transceivers + transmitters + receivers > 0)
);
select protect_tenant_table('sms_connector');
-- The gateway puts passwords in and cannot read them back.
grant insert, delete on sms_connector to harkara_gateway;
grant select (tenant_id, id, name, state, state_reason, created_at, updated_at, revision, host, port, tls, tls_ca, system_id,
              password_generation, system_type, address_range, service_type, transceivers, transmitters, receivers, window_max,
              per_second, enquire_s, answer_s, joining, alphabet, languages, alphanumeric_ton, alphanumeric_npi, number_ton,
              number_npi, short_ton, short_npi, recipient_ton, recipient_npi, validity_max_s, receipt_ids,
              receipt_zone_minutes, error_codes, dlt_entity_tag, dlt_template_tag, dlt_chain_tag, dlt_ends_with_nul),
      update (name, state, state_reason, updated_at, revision, host, port, tls, tls_ca, system_id, password_key_version,
              password_generation, password_ct, password_iv, password_tag, system_type, address_range, service_type,
              transceivers, transmitters, receivers, window_max, per_second, enquire_s, answer_s, joining, alphabet,
              languages, alphanumeric_ton, alphanumeric_npi, number_ton, number_npi, short_ton, short_npi, recipient_ton,
              recipient_npi, validity_max_s, receipt_ids, receipt_zone_minutes, error_codes, dlt_entity_tag,
              dlt_template_tag, dlt_chain_tag, dlt_ends_with_nul) on sms_connector to harkara_gateway;
grant select, update (state, state_reason, updated_at, revision) on sms_connector to harkara_smsc;
select allow_across('sms_connector', 'harkara_smsc', 'sms.connect', 'select');
insert into sealed_column (name, relation, place_table, purpose, row_column, version_column, generation, columns) values
    ('sms_connector', 'sms_connector', 'sms_connector', 2, 'id', 'password_key_version', 't.password_generation',
     '{password}');

create table sms_route (
    tenant_id    uuid not null,
    id           uuid not null,
    channel_id   uuid, -- null: any
    prefix       text not null check (prefix ~ '^[0-9]{0,15}$'), -- of the recipient's digits
    connector_id uuid not null,
    priority     smallint not null default 0 check (priority between 0 and 99), -- the lowest first
    created_at   timestamptz not null default now(),
    revision     integer not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, channel_id) references channel (tenant_id, id),
    foreign key (tenant_id, connector_id) references sms_connector (tenant_id, id) on delete cascade
);
create unique index sms_route_once on sms_route (tenant_id, connector_id, prefix,
                                                coalesce(channel_id, '00000000-0000-0000-0000-000000000000'::uuid));
select protect_tenant_table('sms_route');
grant select, insert, update (prefix, channel_id, connector_id, priority, revision), delete on sms_route to harkara_gateway;
grant select on sms_route to harkara_smsc;
select allow_across('sms_route', 'harkara_smsc', 'sms.connect', 'select');

-- One row for each bind of a connector, kept by smsc.
create table sms_link (
    tenant_id    uuid not null,
    connector_id uuid not null,
    number       smallint not null check (number between 0 and 47),
    kind         text not null check (kind in ('transceiver', 'transmitter', 'receiver')),
    state        text not null check (state in ('connecting', 'bound', 'waiting', 'refused', 'closed')),
    since        timestamptz not null,
    detail       text check (char_length(detail) <= 200), -- why it is not bound
    next_try_at  timestamptz,
    per_second   integer, -- what its connector's pace is now
    in_flight    integer not null default 0, -- submits without an answer
    told_at      timestamptz not null, -- older than half a minute: nobody keeps it
    primary key (tenant_id, connector_id, number),
    foreign key (tenant_id, connector_id) references sms_connector (tenant_id, id) on delete cascade
);
select protect_tenant_table('sms_link');
grant select on sms_link to harkara_gateway;
grant select, insert, update (kind, state, since, detail, next_try_at, per_second, in_flight, told_at), delete
    on sms_link to harkara_smsc;

-- One row for each part of a message that an operator took, or may have taken (then without an id).
create table sms_part (
    tenant_id    uuid not null,
    message_id   uuid not null,
    sender       smallint not null check (sender between 0 and 3), -- position among the message's senders
    part         smallint not null check (part >= 1),
    part_count   smallint not null check (part_count >= part),
    connector_id uuid not null,
    provider_id  text check (octet_length(provider_id) between 1 and 80), -- canonical
    state        text not null check (state in ('taken', 'unknown', 'delivered', 'failed')),
    error_code   text check (char_length(error_code) <= 64), -- of a failed one
    taken_at     timestamptz not null,
    settled_at   timestamptz,
    primary key (tenant_id, message_id, sender, part)
) with (fillfactor = 70);
create index sms_part_by_id on sms_part (tenant_id, connector_id, provider_id) where provider_id is not null;
create index sms_part_unknown on sms_part (tenant_id, connector_id) where state = 'unknown';
create index sms_part_by_age on sms_part (taken_at);
select protect_tenant_table('sms_part');
select allow_across('sms_part', 'harkara_scheduler', 'retention', 'select', 'delete');
grant select, insert, update (part_count, connector_id, provider_id, state, error_code, taken_at, settled_at) on sms_part
    to harkara_smsc;
grant select, update (provider_id, state, error_code, settled_at) on sms_part to harkara_gateway;
grant select (tenant_id, taken_at), delete on sms_part to harkara_scheduler;

-- Receipts of ids that nobody has recorded yet. Whoever records a part applies what waits here for it.
create table sms_receipt_parked (
    tenant_id    uuid not null,
    connector_id uuid not null,
    provider_id  text not null check (octet_length(provider_id) between 1 and 80),
    state        smallint not null check (state between 0 and 8), -- enum smpp_state
    done         text not null check (octet_length(done) <= 32), -- as the message centre writes it
    error_code   text check (char_length(error_code) <= 64),
    occurred_at  timestamptz not null,
    received_at  timestamptz not null default now(),
    primary key (tenant_id, connector_id, provider_id, state, done)
);
create index sms_receipt_parked_by_age on sms_receipt_parked (received_at);
select protect_tenant_table('sms_receipt_parked');
select allow_across('sms_receipt_parked', 'harkara_scheduler', 'retention', 'select', 'delete');
grant select, insert, delete on sms_receipt_parked to harkara_gateway;
grant select, delete on sms_receipt_parked to harkara_smsc;
grant select (tenant_id, received_at), delete on sms_receipt_parked to harkara_scheduler;

-- Parts of what somebody wrote, until all have come or none comes any more. Their octets are provider_event's.
create table sms_fragment (
    tenant_id         uuid not null,
    connector_id      uuid not null,
    channel_id        uuid not null,
    peer_index        bytea not null check (octet_length(peer_index) = 32),
    reference         integer not null check (reference between 0 and 131071), -- of 16 bits; the 17th: those of 8 and SAR
    part_count        smallint not null check (part_count between 2 and 255),
    part              smallint not null check (part between 1 and part_count),
    event_id          uuid not null, -- of provider_event
    received_at       timestamptz not null,
    primary key (tenant_id, connector_id, channel_id, peer_index, reference, part_count, part)
);
create index sms_fragment_by_age on sms_fragment (received_at);
select protect_tenant_table('sms_fragment');
select allow_across('sms_fragment', 'harkara_gateway', 'provider.interpret', 'select');
grant select, insert, delete on sms_fragment to harkara_gateway;

-- A PDU that an operator sent us is a provider's event of a connector: which channel it is for is read from it.
alter table provider_event alter column channel_id drop not null;
alter table provider_event add column connector_id uuid;
alter table provider_event add constraint provider_event_of_one check (num_nonnulls(channel_id, connector_id) = 1);
create unique index provider_event_of_connector on provider_event (tenant_id, connector_id, digest)
    where connector_id is not null;
grant insert (tenant_id, id, connector_id, digest, received_at, key_version, body_ct, body_iv, body_tag) on provider_event
    to harkara_smsc;
grant select (tenant_id, connector_id, digest, id) on provider_event to harkara_smsc;
grant insert (tenant_id, id, events, due_at, attempt) on provider_batch to harkara_smsc;

-- Whoever parks a receipt and whoever records its part at the same moment do not see each other: gateways look again.
select allow_across('sms_receipt_parked', 'harkara_gateway', 'provider.interpret', 'select');
select allow_across('sms_part', 'harkara_gateway', 'provider.interpret', 'select');

create or replace function tenant_settle(for_good boolean) returns void language plpgsql
    security definer set search_path = harkara, pg_temp as $$
declare
    this uuid := current_setting('harkara.tenant')::uuid;
begin
    update dispatch_lane set is_open = false where tenant_id = this;
    update webhook_endpoint set state = 'disabled', disabled_reason = 'workspace closed'
        where tenant_id = this and state = 'enabled';
    update sms_connector set state = 'paused', state_reason = 'workspace closed', revision = revision + 1
        where tenant_id = this and state = 'active';
    if not for_good then
        return;
    end if;
    if not exists (select from tenant where tenant_id = this and state = 'closed') then
        raise exception 'not a closed tenant' using errcode = 'check_violation';
    end if;
    update channel set state = 'deleted', state_reason = 'workspace shredded' where tenant_id = this; -- callbacks: 404
    delete from sms_connector where tenant_id = this; -- with its routes and links
    delete from sms_fragment where tenant_id = this;
    delete from sms_receipt_parked where tenant_id = this;
    with gone as (delete from provider_batch where tenant_id = this returning events)
    update provider_event set error = 'workspace-shredded' where tenant_id = this and id in (select unnest(events) from gone);
    update provider_task set state = 'failed', finished_at = now(), error_code = 'workspace-shredded', key_version = null,
                             request_ct = null, request_iv = null, request_tag = null
        where tenant_id = this and state in ('waiting', 'leased');
    update webhook_delivery set state = 'canceled', finished_at = now() where tenant_id = this and state = 'pending';
    delete from dispatch_queue where tenant_id = this;
end
$$;
