-- A sender's lane belongs to one dispatcher at a time, so that its pace is kept by one. A dispatcher that lives says so
-- again and again; the lanes of one that does not are anybody's. And how much a workspace weighs among others.
-- As for the others who do much at once: planned once, and not by reading whole tables.
alter role harkara_dispatcher set enable_seqscan = off;
alter role harkara_dispatcher set plan_cache_mode = force_generic_plan;

set local role harkara_owner;
set local search_path = harkara;

create table dispatcher_lease (
    dispatcher  uuid primary key, -- one life of a dispatcher: made anew with each start
    lease_until timestamptz not null
) with (fillfactor = 50);
grant select, insert, update (lease_until), delete on dispatcher_lease to harkara_dispatcher;

alter table dispatch_lane
    add column dispatcher uuid, -- who alone sends through it while his lease lasts; NULL: nobody
    add column fence bigint not null default 0, -- grows with each new owner
    -- Its owner does not look by itself: who puts something into the lane tells it. Without an owner, all of them.
    add column is_resting boolean not null default true;
alter table dispatch_lane set (fillfactor = 60);
create index dispatch_lane_by_dispatcher on dispatch_lane (dispatcher) where dispatcher is not null;
select allow_across('dispatch_lane', 'harkara_dispatcher', 'dispatch.claim', 'update');
grant update (dispatcher, fence, is_resting) on dispatch_lane to harkara_dispatcher;
select allow_many('dispatch_lane', 'harkara_accept', 'select');
grant select (tenant_id, channel_id, is_open, dispatcher, is_resting) on dispatch_lane to harkara_accept;
select allow_across('whatsapp_number', 'harkara_dispatcher', 'dispatch.claim', 'select');

alter table tenant add column send_weight smallint not null default 100 check (send_weight between 1 and 10000);
grant update (send_weight) on tenant to harkara_admin;
select allow_across('tenant', 'harkara_dispatcher', 'dispatch.claim', 'select');
