-- Message templates of a WhatsApp Business account, as each workspace knows them.
set local role harkara_owner;
set local search_path = harkara;

create table template (
    tenant_id            uuid not null,
    id                   uuid not null,
    channel_id           uuid not null, -- the sender through which it was handed in or found
    waba_id              text not null check (char_length(waba_id) <= 64),
    name                 text not null check (char_length(name) between 1 and 512),
    language             text not null check (char_length(language) between 1 and 16),
    category             text not null check (category in ('marketing', 'utility', 'authentication')),
    is_named             boolean not null,
    -- submitting -> refused, or WhatsApp's own words from pending on
    state                text not null check (state in ('submitting', 'refused', 'pending', 'approved', 'rejected', 'paused',
                             'disabled', 'in_appeal', 'limit_exceeded', 'archived', 'pending_deletion', 'deleted')),
    state_reason         text check (char_length(state_reason) <= 64),
    state_detail         text check (char_length(state_detail) <= 1000),
    state_at             timestamptz not null default '-infinity', -- what the state rests on: older news do not change it
    provider_id          text check (char_length(provider_id) <= 64),
    quality              text not null default 'unknown' check (quality in ('unknown', 'green', 'yellow', 'red')),
    previous_category    text check (previous_category in ('marketing', 'utility', 'authentication')),
    correct_category     text check (correct_category in ('marketing', 'utility', 'authentication')),
    category_change_at   timestamptz, -- when WhatsApp will put it into correct_category
    ttl_s                integer,
    is_link_tracking_off boolean not null default false,
    is_order_details     boolean not null default false,
    library_name         text check (char_length(library_name) <= 512),
    -- What a send has to bring: kinds, names and counts, without the text.
    needs                jsonb,
    -- Asked of WhatsApp and not answered yet; the draft is the body of that call.
    change               text check (change in ('create', 'edit', 'delete', 'unpause')),
    error_code           text check (char_length(error_code) <= 64),
    error_title          text check (char_length(error_title) <= 255),
    edits                jsonb not null default '[]', -- microseconds of the edits that count for WhatsApp's caps
    idempotency_key      text check (char_length(idempotency_key) between 1 and 255),
    fingerprint          bytea check (octet_length(fingerprint) = 32),
    components_digest    bytea check (octet_length(components_digest) = 32),
    key_version          integer,
    components_ct        bytea,
    components_iv        bytea check (octet_length(components_iv) = 12),
    components_tag       bytea check (octet_length(components_tag) = 16),
    draft_key_version    integer,
    draft_ct             bytea,
    draft_iv             bytea check (octet_length(draft_iv) = 12),
    draft_tag            bytea check (octet_length(draft_tag) = 16),
    revision             integer not null default 1,
    created_at           timestamptz not null default now(),
    updated_at           timestamptz not null default now(),
    synced_at            timestamptz,
    primary key (tenant_id, id),
    foreign key (tenant_id, channel_id) references channel (tenant_id, id),
    check (num_nonnulls(key_version, components_ct, components_iv, components_tag) in (0, 4)),
    check (num_nonnulls(draft_key_version, draft_ct, draft_iv, draft_tag) in (0, 4)),
    check ((idempotency_key is null) = (fingerprint is null))
);
create unique index template_by_name on template (tenant_id, waba_id, name, language) where state not in ('deleted', 'refused');
create unique index template_by_key on template (tenant_id, idempotency_key) where idempotency_key is not null;
create index template_by_provider on template (tenant_id, waba_id, provider_id);
select protect_tenant_table('template');
grant select, insert on template to harkara_gateway, harkara_dispatcher;
-- A template's name, account and idempotency key stay as they were made. Only the gateway writes drafts.
grant update (channel_id, category, is_named, state, state_reason, state_detail, state_at, provider_id, quality,
              previous_category, correct_category, category_change_at, ttl_s, needs, change, error_code, error_title, edits,
              components_digest, key_version, components_ct, components_iv, components_tag, draft_key_version, draft_ct,
              draft_iv, draft_tag, revision, updated_at, synced_at) on template to harkara_gateway, harkara_dispatcher;
