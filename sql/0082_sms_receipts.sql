-- What an operator does not know the fate of is given up after a while.
set local role harkara_owner;
set local search_path = harkara;

alter table sms_part add column doubted_at timestamptz; -- when a receipt first said UNKNOWN
create index sms_part_doubted on sms_part (doubted_at) where state = 'taken' and doubted_at is not null;
grant update (doubted_at) on sms_part to harkara_gateway, harkara_smsc;
