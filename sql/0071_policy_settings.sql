-- What a workspace decides about what may be sent: which messages ask for consent, how many promotions a person gets, quiet
-- hours, the DND registry. No row: as it comes (src/domain/policy/policy_settings.c).
set local role harkara_owner;
set local search_path = harkara;

create table policy_settings (
    tenant_id        uuid primary key references tenant,
    consent_required integer not null check (consent_required between 0 and 255), -- bit 4 * channel kind + category
    cap_per_day      smallint check (cap_per_day between 1 and 1000),
    cap_per_week     smallint check (cap_per_week between 1 and 1000),
    dnd              smallint not null check (dnd between 0 and 2), -- when known, required, off
    is_quiet_off     boolean not null,
    quiet_india_from smallint not null check (quiet_india_from in (540, 600)), -- minutes of the day
    quiet_from       smallint not null check (quiet_from between 0 and 1439),
    quiet_until      smallint not null check (quiet_until between 1 and 1440),
    quiet_days       smallint not null check (quiet_days between 1 and 127), -- bit 0 is Monday
    quiet_spread     smallint not null check (quiet_spread between 0 and 240), -- minutes
    revision         integer not null default 1,
    updated_at       timestamptz not null default now(),
    check (quiet_from < quiet_until)
);
select protect_tenant_table('policy_settings');
select allow_many('policy_settings', 'harkara_accept', 'select');
grant select, insert, update (consent_required, cap_per_day, cap_per_week, dnd, is_quiet_off, quiet_india_from, quiet_from,
                              quiet_until, quiet_days, quiet_spread, revision, updated_at)
    on policy_settings to harkara_gateway;
grant select on policy_settings to harkara_accept, harkara_dispatcher;
