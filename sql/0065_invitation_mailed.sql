-- How an invitation's link left: sent to its address, which whoever opens it has shown to be his, or shown to be handed over.
set local role harkara_owner;
set local search_path = harkara;

alter table invitation add column is_mailed boolean not null default false;
grant update (is_mailed) on invitation to harkara_gateway;
