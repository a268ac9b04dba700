-- Mails to the people who work with Harkara, until they were sent; and the language that a person reads. A row's data can be
-- opened by a dispatcher alone: it may hold a link.
set local role harkara_owner;
set local search_path = harkara;

alter table person add column language text not null default 'en' check (language in ('en', 'hi'));
grant update (language) on person to harkara_gateway;

create table mail_notice (
    tenant_id        uuid not null references tenant,
    id               uuid not null,
    kind             text not null check (kind ~ '^[a-z_]{1,30}$'),
    language         text not null check (language in ('en', 'hi')),
    about            uuid, -- the invitation or the change that its link is of
    data_key_version integer not null,
    data_ct          bytea not null,
    data_iv          bytea not null check (octet_length(data_iv) = 12),
    data_tag         bytea not null check (octet_length(data_tag) = 16),
    happened_at      timestamptz not null,
    expires_at       timestamptz not null,
    due_at           timestamptz not null default now(), -- a claim puts it off for as long as its lease
    fence            bigint not null default 0,
    attempt          integer not null default 0,
    primary key (tenant_id, id)
);
create index mail_notice_due on mail_notice (tenant_id, due_at);
create index mail_notice_about on mail_notice (tenant_id, about) where about is not null;
create index mail_notice_end on mail_notice (expires_at);
select protect_tenant_table('mail_notice');
select allow_across('mail_notice', 'harkara_scheduler', 'retention', 'select', 'delete');
grant select (tenant_id, id, about), insert, delete on mail_notice to harkara_gateway;
grant select, update (due_at, fence, attempt), delete on mail_notice to harkara_dispatcher;
grant select (tenant_id, id, expires_at), delete on mail_notice to harkara_scheduler;
insert into sealed_column (name, relation, place_table, purpose, row_column, version_column, generation, columns) values
    ('mail_notice', 'mail_notice', 'mail_notice', 2, 'id', 'data_key_version', '0', '{data}');
