-- Whether a channel's incoming media is fetched by itself; and the tasks that move media apart from the others.
set local role harkara_owner;
set local search_path = harkara;

alter table whatsapp_channel
    add column fetch_media text not null default 'default' check (fetch_media in ('default', 'always', 'never'));
grant select (fetch_media), update (fetch_media) on whatsapp_channel to harkara_gateway;
grant select (fetch_media) on whatsapp_channel to harkara_dispatcher;

-- A channel's thousand files are not read through to find what stands behind them.
create index provider_task_waiting_media on provider_task (channel_id, due_at)
    where state = 'waiting' and kind in ('media.fetch', 'media.push');
create index provider_task_waiting_other on provider_task (channel_id, due_at)
    where state = 'waiting' and kind not in ('media.fetch', 'media.push');
