-- SMPP for workspaces' own software: parts of long messages are kept until all have come, so that each is answered when
-- it is safe; what customers write is owed to accounts; and a submit that is repeated may be known again.
set local role harkara_owner;
set local search_path = harkara;

-- 'reference': a submit with the same user_message_reference, addresses and text is the same message once more.
alter table smpp_account add column dedupe text not null default 'none' check (dedupe in ('none', 'reference'));
grant update (dedupe) on smpp_account to harkara_gateway;

create table smpp_group (
    tenant_id     uuid not null,
    id            uuid not null, -- and of the message, once all parts have come
    key_id        uuid not null,
    identity      bytea not null check (octet_length(identity) = 32), -- keyed: addresses, reference and count
    part_count    smallint not null check (part_count between 2 and 32),
    wants_receipt boolean not null, -- for the group that fails
    state         text not null default 'open' check (state in ('open', 'done', 'failed')),
    failed_as     smallint check (failed_as between 1 and 8), -- SMPP's message_state
    began_at      timestamptz not null default now(),
    ended_at      timestamptz,
    primary key (tenant_id, id),
    check ((state = 'failed') = (failed_as is not null))
);
create unique index smpp_group_by_identity on smpp_group (tenant_id, key_id, identity) where state <> 'failed';
create index smpp_group_by_key on smpp_group (tenant_id, key_id, id);
create index smpp_group_by_age on smpp_group (began_at);
select protect_tenant_table('smpp_group');
select allow_across('smpp_group', 'harkara_gateway', 'smpp.sweep', 'select');
grant select, insert, update (wants_receipt, state, failed_as, ended_at), delete on smpp_group to harkara_gateway;

create table smpp_part (
    tenant_id   uuid not null,
    group_id    uuid not null,
    part        smallint not null check (part between 1 and 32),
    id          uuid not null, -- the place of its seal
    command     bigint not null, -- of the PDU, whose body this is
    key_version integer not null,
    pdu_ct      bytea not null,
    pdu_iv      bytea not null check (octet_length(pdu_iv) = 12),
    pdu_tag     bytea not null check (octet_length(pdu_tag) = 16),
    primary key (tenant_id, group_id, part),
    foreign key (tenant_id, group_id) references smpp_group (tenant_id, id) on delete cascade
);
select protect_tenant_table('smpp_part');
grant select, insert, delete on smpp_part to harkara_gateway;
insert into sealed_column (name, relation, place_table, purpose, row_column, version_column, generation, columns) values
    ('smpp_part', 'smpp_part', 'smpp_part', 1, 'id', 'key_version', '0', '{pdu}');

-- What somebody wrote to an SMS channel, until the account has taken it.
create table smpp_inbound (
    tenant_id   uuid not null,
    key_id      uuid not null,
    message_id  uuid not null,
    parts_taken smallint[] not null default '{}', -- of a long text
    owed_at     timestamptz not null default now(),
    primary key (tenant_id, key_id, message_id)
);
create index smpp_inbound_by_age on smpp_inbound (owed_at);
select protect_tenant_table('smpp_inbound');
select allow_across('smpp_inbound', 'harkara_gateway', 'smpp.sweep', 'select');
grant select, insert, update (parts_taken), delete on smpp_inbound to harkara_gateway;

-- What nobody takes is forgotten, also when its account never binds again.
create index smpp_receipt_by_age on smpp_receipt (wanted_at);
select allow_across('smpp_receipt', 'harkara_gateway', 'smpp.sweep', 'select');
