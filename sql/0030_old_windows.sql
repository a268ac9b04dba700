-- Customer-service windows that ended long ago are removed.
set local role harkara_owner;
set local search_path = harkara;

create index channel_window_by_end on channel_window (window_until);
select allow_across('channel_window', 'harkara_scheduler', 'retention', 'select', 'delete');
grant select (tenant_id, channel_id, peer_index, window_until), delete on channel_window to harkara_scheduler;
