-- Whom a receipt that waits is about: it may be the one of a part whose answer turns out to be lost.
set local role harkara_owner;
set local search_path = harkara;

alter table sms_receipt_parked add column peer_index bytea check (octet_length(peer_index) = 32);
