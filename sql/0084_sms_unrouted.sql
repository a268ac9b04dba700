-- The country that an operator's national numbers are of, and what was written to us and could not be brought to anybody.
set local role harkara_owner;
set local search_path = harkara;

alter table sms_connector add column country_code text check (country_code ~ '^[1-9][0-9]{0,2}$');
-- By whom nobody can be answered (a name, a short code, a number of an unknown country); to what no channel is called.
alter table sms_connector add column unrouted_senders bigint not null default 0;
alter table sms_connector add column unrouted_recipients bigint not null default 0;
alter table sms_connector add column unrouted_at timestamptz;
grant select (country_code, unrouted_senders, unrouted_recipients, unrouted_at),
      update (country_code, unrouted_senders, unrouted_recipients, unrouted_at) on sms_connector to harkara_gateway;
