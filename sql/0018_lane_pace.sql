-- What a sender's pace was halved to when the provider last refused for throughput: a dispatcher that is started again
-- begins from there.
set local role harkara_owner;
set local search_path = harkara;

alter table dispatch_lane
    add column slowed_to integer check (slowed_to > 0), -- messages per second
    add column slowed_at timestamptz,
    add constraint dispatch_lane_slowed_whole check (num_nonnulls(slowed_to, slowed_at) in (0, 2));
grant update (slowed_to, slowed_at) on dispatch_lane to harkara_dispatcher;
