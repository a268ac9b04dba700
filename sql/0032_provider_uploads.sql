-- What an attempt at a task has brought and the next one goes on from, such as how a file's upload is called at the
-- provider. It goes when the task has finished.
set local role harkara_owner;
set local search_path = harkara;

alter table provider_task
    add column progress jsonb,
    add constraint provider_task_progress_check check (state in ('waiting', 'leased') or progress is null);
grant update (progress) on provider_task to harkara_dispatcher;

-- Media that somebody has just named for a task is kept until the task cannot want it any more.
grant update (expires_at) on media to harkara_gateway;
