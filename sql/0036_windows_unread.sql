-- Whoever removes windows that ended needs their end, and not whose they were.
set local role harkara_owner;
set local search_path = harkara;

revoke select (peer_index) on channel_window from harkara_scheduler;
