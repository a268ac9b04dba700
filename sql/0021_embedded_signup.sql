-- A channel that is being connected by WhatsApp's embedded signup has no access token yet: a dispatcher exchanges the
-- signup's code for one. Generation 0 says that there is none.
set local role harkara_owner;
set local search_path = harkara;

alter table channel drop constraint channel_state_check;
alter table channel add constraint channel_state_check
    check (state in ('connecting', 'active', 'paused', 'broken', 'deleted'));
alter table whatsapp_channel
    alter column access_token_ct drop not null,
    alter column access_token_iv drop not null,
    alter column access_token_tag drop not null,
    alter column access_token_key_version drop not null,
    add constraint whatsapp_channel_access_token_whole check (num_nonnulls(access_token_ct, access_token_iv,
        access_token_tag, access_token_key_version) = case access_token_generation when 0 then 0 else 4 end);

-- The dispatcher may put the first token in, and never replace one.
grant update (access_token_ct, access_token_iv, access_token_tag, access_token_key_version,
              access_token_generation) on whatsapp_channel to harkara_dispatcher;
create function keep_access_token() returns trigger language plpgsql as $$
begin
    if current_user = 'harkara_dispatcher' and old.access_token_generation <> 0 then
        raise exception 'an access token is replaced by its tenant alone' using errcode = 'check_violation';
    end if;
    return new;
end
$$;
create trigger keep_access_token before update of access_token_ct, access_token_iv, access_token_tag,
    access_token_key_version, access_token_generation on whatsapp_channel
    for each row execute function keep_access_token();
