-- Which tasks move media, and may take minutes: not by their kind alone, since a template is handed in with samples that are
-- uploaded before, or without.
set local role harkara_owner;
set local search_path = harkara;

alter table provider_task add column moves_media boolean not null default false;
update provider_task set moves_media = true where kind in ('media.fetch', 'media.push') and state in ('waiting', 'leased');
grant insert (moves_media) on provider_task to harkara_scheduler;
