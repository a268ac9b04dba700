-- Each statement that writes a message reads, plans and starts its table's checks anew: 22 of them cost more than the row
-- itself, in every insert and every change of status. So few are left, which say the same in few words: an array in
-- the place of a list of words is one constant. Lengths of what is sealed are no longer looked at here: those who write them
-- have fields of that length, and those who open them look.
set local role harkara_owner;
set local search_path = harkara;

do $$
declare
    name text;
begin
    foreach name in array array['message', 'event', 'dispatch_queue'] loop
        execute (select string_agg(format('alter table %I drop constraint %I', name, conname), '; ') from pg_constraint
                 where conrelid = name::regclass and contype = 'c');
    end loop;
end
$$;
alter table message
    add constraint message_words check (direction = any ('{out,in}'::text[])
        and category = any ('{otp,transactional,service,promotional}'::text[])
        and status = any ('{accepted,queued,held,sending,sent,delivered,read,blocked,failed,expired,canceled,uncertain,received}'::text[])
        and error_class = any ('{retry,throttle,permanent,credential}'::text[])),
    add constraint message_texts check (char_length(kind) <= 40 and char_length(reference) <= 255
        and char_length(provider_id) <= 255 and char_length(error_code) <= 64 and char_length(error_title) <= 255),
    add constraint message_sender_exists check (0 <= sender and sender <= fallbacks and fallbacks <= 3);
alter table event add constraint event_content_whole
    check (num_nonnulls(key_version, content_ct, content_iv, content_tag) % 4 = 0);
alter table dispatch_queue add constraint dispatch_queue_words
    check (priority between 0 and 3 and state = any ('{held,ready,leased,sending,uncertain}'::text[]));
