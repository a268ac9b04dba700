-- When a receipt that waits for its part is looked at again: soon at first, then ever less often, so that receipts of an account that
-- somebody else sends by too cost little, and none is forgotten before it is removed for its age. Whoever records the part whose
-- id it has makes it due at once.
set local role harkara_owner;
set local search_path = harkara;

alter table sms_receipt_parked
    add column due_at timestamptz not null default now() + interval '1 s',
    add column looks smallint not null default 0 check (looks >= 0);
create index sms_receipt_parked_due on sms_receipt_parked (due_at, tenant_id);
grant update (due_at, looks) on sms_receipt_parked to harkara_gateway;
grant update (due_at) on sms_receipt_parked to harkara_smsc;
revoke delete on sms_receipt_parked from harkara_smsc; -- which never does

-- Parts without an id are asked of the messages of one person, by their key: where an operator was away there are thousands.
drop index sms_part_unknown;
