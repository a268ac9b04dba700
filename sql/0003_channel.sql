-- Senders. What every channel has stands in `channel`; a kind's own facts and sealed credentials in its own table.
set local role harkara_owner;
set local search_path = harkara;

create table channel (
    tenant_id    uuid not null references tenant,
    id           uuid not null,
    kind         text not null check (kind in ('whatsapp')),
    name         text not null check (char_length(name) between 1 and 120),
    state        text not null default 'active' check (state in ('active', 'paused', 'broken', 'deleted')),
    state_reason text check (char_length(state_reason) <= 200),
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now(),
    revision     integer not null default 1, -- ETag
    primary key (tenant_id, id)
);
create unique index channel_by_id on channel (id);
select protect_tenant_table('channel');
-- A provider's callback names only the channel: the gateway finds its tenant.
select allow_across('channel', 'harkara_gateway', 'provider.callback', 'select');
grant select, insert, update (name, state, state_reason, updated_at, revision) on channel to harkara_gateway;
grant select, update (state, state_reason, updated_at, revision) on channel to harkara_dispatcher;
grant select on channel to harkara_webhooks, harkara_scheduler, harkara_admin;

-- Sealed by the vault: ciphertext, 12-byte IV, 16-byte tag, key version; generation counts replacements and is
-- bound into each seal, so that an older value cannot be put back.
create table whatsapp_channel (
    tenant_id                uuid not null,
    channel_id               uuid not null,
    waba_id                  text not null check (waba_id ~ '^[0-9]{1,32}$'),
    phone_number_id          text not null check (phone_number_id ~ '^[0-9]{1,32}$'),
    display_phone_number     text not null check (char_length(display_phone_number) <= 32),
    access_token_ct          bytea not null,
    access_token_iv          bytea not null check (octet_length(access_token_iv) = 12),
    access_token_tag         bytea not null check (octet_length(access_token_tag) = 16),
    access_token_key_version integer not null,
    access_token_generation  integer not null default 1,
    app_secret_ct            bytea not null,
    app_secret_iv            bytea not null check (octet_length(app_secret_iv) = 12),
    app_secret_tag           bytea not null check (octet_length(app_secret_tag) = 16),
    app_secret_key_version   integer not null,
    app_secret_generation    integer not null default 1,
    verify_token_ct          bytea not null,
    verify_token_iv          bytea not null check (octet_length(verify_token_iv) = 12),
    verify_token_tag         bytea not null check (octet_length(verify_token_tag) = 16),
    verify_token_key_version integer not null,
    verify_token_generation  integer not null default 1,
    primary key (tenant_id, channel_id),
    unique (tenant_id, phone_number_id),
    foreign key (tenant_id, channel_id) references channel (tenant_id, id)
);
select protect_tenant_table('whatsapp_channel');
-- The gateway may put credentials in. Of their ciphertext it reads only what the vault verifies with (app secret,
-- verify token), never the access token; and the vault opens none of them for it.
grant insert on whatsapp_channel to harkara_gateway;
grant select (tenant_id, channel_id, waba_id, phone_number_id, display_phone_number, access_token_generation,
              app_secret_ct, app_secret_iv, app_secret_tag, app_secret_key_version, app_secret_generation,
              verify_token_ct, verify_token_iv, verify_token_tag, verify_token_key_version, verify_token_generation),
      update (display_phone_number,
              access_token_ct, access_token_iv, access_token_tag, access_token_key_version, access_token_generation,
              app_secret_ct, app_secret_iv, app_secret_tag, app_secret_key_version, app_secret_generation,
              verify_token_ct, verify_token_iv, verify_token_tag, verify_token_key_version, verify_token_generation),
      delete on whatsapp_channel to harkara_gateway;
grant select (tenant_id, channel_id, waba_id, phone_number_id, display_phone_number, access_token_ct, access_token_iv, access_token_tag,
              access_token_key_version, access_token_generation) on whatsapp_channel to harkara_dispatcher;

-- One lane per sender: what the dispatcher needs to know before it claims.
create table dispatch_lane (
    tenant_id  uuid not null,
    channel_id uuid not null,
    is_open    boolean not null default true,
    not_before timestamptz not null default '-infinity', -- the provider asked to wait
    primary key (tenant_id, channel_id),
    foreign key (tenant_id, channel_id) references channel (tenant_id, id)
);
select protect_tenant_table('dispatch_lane');
select allow_across('dispatch_lane', 'harkara_dispatcher', 'dispatch.claim', 'select');
grant select, insert, update (is_open, not_before) on dispatch_lane to harkara_gateway;
grant select, update (is_open, not_before) on dispatch_lane to harkara_dispatcher;
