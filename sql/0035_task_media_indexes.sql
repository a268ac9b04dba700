-- The tasks that move media and the others are told apart by moves_media now: their indexes as well.
set local role harkara_owner;
set local search_path = harkara;

drop index provider_task_waiting_media;
drop index provider_task_waiting_other;
create index provider_task_waiting_media on provider_task (channel_id, due_at) where state = 'waiting' and moves_media;
create index provider_task_waiting_other on provider_task (channel_id, due_at) where state = 'waiting' and not moves_media;
