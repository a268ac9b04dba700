-- What a workspace decides about its messages: what becomes of a send whose outcome is not known. No row: as it comes.
set local role harkara_owner;
set local search_path = harkara;

create table message_settings (
    tenant_id               uuid primary key references tenant,
    uncertain_otp           text not null check (uncertain_otp in ('resend', 'leave', 'fail')),
    uncertain_transactional text not null check (uncertain_transactional in ('resend', 'leave', 'fail')),
    uncertain_service       text not null check (uncertain_service in ('resend', 'leave', 'fail')),
    uncertain_promotional   text not null check (uncertain_promotional in ('resend', 'leave', 'fail')),
    uncertain_wait_s        integer check (uncertain_wait_s between 1 and 86400), -- null: the installation's
    revision                integer not null default 1,
    updated_at              timestamptz not null default now()
);
select protect_tenant_table('message_settings');
grant select, insert, update (uncertain_otp, uncertain_transactional, uncertain_service, uncertain_promotional,
                              uncertain_wait_s, revision, updated_at) on message_settings to harkara_gateway;
grant select on message_settings to harkara_dispatcher;
