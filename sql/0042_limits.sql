-- Rates and quotas: what the operator gives a workspace, what the workspace gives its senders and keys, what was used, and
-- who was told that a quota runs short. Null or no row: as the settings of the installation say.
set local role harkara_owner;
set local search_path = harkara;

create table tenant_limit (
    tenant_id               uuid primary key references tenant,
    requests_per_second     bigint check (requests_per_second between 1 and 1000000),
    key_requests_per_second bigint check (key_requests_per_second between 1 and 1000000),
    sender_per_second       bigint check (sender_per_second between 1 and 1000000),
    sender_per_day          bigint check (sender_per_day between 1 and 4000000000),
    sender_per_month        bigint check (sender_per_month between 1 and 4000000000),
    messages_per_day        bigint check (messages_per_day between 1 and 4000000000),
    messages_per_month      bigint check (messages_per_month between 1 and 4000000000),
    updated_at              timestamptz not null default now()
);
select protect_tenant_table('tenant_limit');
grant select, insert, update (requests_per_second, key_requests_per_second, sender_per_second, sender_per_day,
                              sender_per_month, messages_per_day, messages_per_month, updated_at)
    on tenant_limit to harkara_admin;
grant select on tenant_limit to harkara_gateway;

-- Of a channel (messages) or an API key (requests); it only ever tightens what the operator gave.
create table limit_setting (
    tenant_id           uuid not null references tenant,
    subject_id          uuid not null,
    requests_per_second bigint check (requests_per_second between 1 and 1000000),
    messages_per_second bigint check (messages_per_second between 1 and 1000000),
    messages_per_day    bigint check (messages_per_day between 1 and 4000000000),
    messages_per_month  bigint check (messages_per_month between 1 and 4000000000),
    revision            integer not null default 1,
    updated_at          timestamptz not null default now(),
    primary key (tenant_id, subject_id)
);
select protect_tenant_table('limit_setting');
grant select, insert, update (requests_per_second, messages_per_second, messages_per_day, messages_per_month, revision,
                              updated_at) on limit_setting to harkara_gateway;

-- What was accepted, by the UTC day it was counted in, at most a second late. Months and workspaces are its sums.
create table usage_day (
    tenant_id  uuid not null references tenant,
    day        date not null,
    channel_id uuid not null,
    accepted   bigint not null check (accepted >= 0),
    primary key (tenant_id, day, channel_id)
);
create index usage_day_by_day on usage_day (day);
select protect_tenant_table('usage_day');
select allow_across('usage_day', 'harkara_scheduler', 'retention', 'select', 'delete');
grant select, insert, update (accepted) on usage_day to harkara_gateway;
grant select (tenant_id, day), delete on usage_day to harkara_scheduler;

-- Each is told once in a window. The subject is a channel, or the tenant.
create table quota_told (
    tenant_id  uuid not null references tenant,
    subject_id uuid not null,
    quota      text not null check (quota in ('sender-day', 'sender-month', 'workspace-day', 'workspace-month')),
    begins_on  date not null,
    percent    smallint not null check (percent in (80, 100)),
    primary key (tenant_id, subject_id, quota, begins_on, percent)
);
create index quota_told_by_day on quota_told (begins_on);
select protect_tenant_table('quota_told');
select allow_across('quota_told', 'harkara_scheduler', 'retention', 'select', 'delete');
grant select, insert on quota_told to harkara_gateway;
grant select (tenant_id, begins_on), delete on quota_told to harkara_scheduler;
