-- What WhatsApp says of a number: read by number.sync, and moved by account webhooks. WhatsApp's words in lower case.
set local role harkara_owner;
set local search_path = harkara;

create table whatsapp_number (
    tenant_id          uuid not null,
    channel_id         uuid not null,
    verified_name      text check (char_length(verified_name) <= 255),
    name_status        text check (char_length(name_status) <= 64),
    requested_name     text check (char_length(requested_name) <= 255), -- a display name under review
    requested_status   text check (char_length(requested_status) <= 64),
    quality_rating     text check (char_length(quality_rating) <= 64),
    messaging_limit    text check (char_length(messaging_limit) <= 64),
    throughput         text check (char_length(throughput) <= 64),
    number_status      text check (char_length(number_status) <= 64),
    code_verification  text check (char_length(code_verification) <= 64),
    account_mode       text check (char_length(account_mode) <= 64),
    profile            jsonb, -- the business profile, which everybody may read in WhatsApp
    synced_at          timestamptz,
    primary key (tenant_id, channel_id),
    foreign key (tenant_id, channel_id) references channel (tenant_id, id)
);
select protect_tenant_table('whatsapp_number');
grant select, insert,
      update (verified_name, name_status, requested_name, requested_status, quality_rating, messaging_limit, throughput,
              number_status, code_verification, account_mode, profile, synced_at)
    on whatsapp_number to harkara_gateway, harkara_dispatcher;

-- The scheduler asks for the facts of each active number every few hours: it finds the numbers across tenants, and
-- makes each task in a transaction of its tenant.
select allow_across('channel', 'harkara_scheduler', 'number.sync', 'select');
select allow_across('provider_task', 'harkara_scheduler', 'number.sync', 'select');
grant select (channel_id, kind), insert (tenant_id, id, channel_id, kind, subject_id) on provider_task to harkara_scheduler;
