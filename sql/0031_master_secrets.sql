-- More than one master secret of a token in time: made, followed by another one, or left for a key file.
set local role harkara_owner;
set local search_path = harkara;

-- A row is made before the token is asked, so that every use of the token's key is counted; what the token made is put
-- in afterwards, and taken out for good when nothing needs it any more.
alter table hsm_secret
    alter column cipher drop not null,
    alter column iv drop not null,
    alter column tag drop not null,
    add column token_label text check (octet_length(token_label) between 1 and 32),
    add column key_label text check (octet_length(key_label) between 1 and 32),
    add column removed_at timestamptz,
    add constraint hsm_secret_is_whole check (num_nulls(cipher, iv, tag) in (0, 3)),
    add constraint hsm_secret_is_removed check (removed_at is null or cipher is null);
grant update (cipher, iv, tag, token_label, key_label, removed_at) on hsm_secret to harkara_admin;

-- What the key-encryption key was made of: 0 a master key, else the version of a master secret; null: before this was
-- kept, and then the first secret may have made it.
alter table kek add column made_of integer check (made_of >= 0);

-- Nothing is made of a master secret that was removed: who removes it holds the row meanwhile.
create function refuse_removed_secret() returns trigger language plpgsql
    security definer set search_path = harkara, pg_temp as $$
begin
    perform from hsm_secret where version = new.made_of and cipher is not null for key share;
    if not found then
        raise exception 'master secret % is removed', new.made_of using errcode = 'check_violation';
    end if;
    return new;
end
$$;
create trigger secret_is_there before insert on kek
    for each row when (new.made_of > 0) execute function refuse_removed_secret();

alter table key_action drop constraint key_action_action_check;
alter table key_action add constraint key_action_action_check
    check (action in ('kek_made', 'kek_retired', 'key_made', 'key_destroyed', 'rekeyed', 'shredded', 'secret_made',
                      'secret_removed'));
