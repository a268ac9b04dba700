-- A message that was sent again: which one it repeats.
set local role harkara_owner;
set local search_path = harkara;

alter table message add column resent_from uuid;
create index message_by_resent_from on message (tenant_id, resent_from, id) where resent_from is not null;
