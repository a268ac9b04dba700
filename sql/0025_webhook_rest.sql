-- The webhooks processes sleep until they are told of events, instead of looking for them all the time.
set local role harkara_owner;
set local search_path = harkara;

-- Whether somebody has to be told: set by the process that finds nothing more, taken back by the one that moves the
-- cursor. Notices make commits wait for one another; so while somebody is looking anyway, there are none.
alter table consumer_cursor add is_resting boolean not null default false;
grant update (is_resting) on consumer_cursor to harkara_webhooks;

-- Looked up after the rows were inserted, which had the transaction's number assigned: one that saw nobody resting is
-- older than the moment at which somebody lay down, and who lies down waits for those (webhook_rest.h).
create function event_tell() returns trigger language plpgsql security definer set search_path = harkara, pg_temp as $$
begin
    if exists (select from consumer_cursor where consumer = 'webhooks' and is_resting) then
        perform pg_notify('harkara_webhook', '');
    end if;
    return null;
end
$$;
create trigger event_tell after insert on event for each statement execute function event_tell();
