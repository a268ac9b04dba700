-- Deliveries are looked up by (tenant_id, id) many at once. An index that begins with the tenant and has the id further on
-- looked as good to the planner of a young table, and reads all of the tenant's for each.
set local role harkara_owner;
set local search_path = harkara;

drop index webhook_delivery_by_endpoint;
create index webhook_delivery_by_endpoint on webhook_delivery (endpoint_id, id);
-- The only statement that inserts takes them from the endpoints' rows, which it holds; so nothing is gained by looking each
-- of them up again.
alter table webhook_delivery drop constraint webhook_delivery_tenant_id_endpoint_id_fkey;
