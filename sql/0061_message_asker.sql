-- Who asked for a message may be a person: accepted_by is then a person's id, as it is printed (usr_...).
set local role harkara_owner;
set local search_path = harkara;

create or replace view event_log with (security_invoker = true) as
    select tenant_id, id, xid, type, subject_id, channel_id, occurred_at, data, key_version, content_ct, content_iv, content_tag
        from event
    union all
    select m.tenant_id, m.id, m.told_xid, 'message.accepted', m.id, m.channel_id, id_time(m.id),
        jsonb_build_object('actor', case when starts_with(m.accepted_by, 'usr_') then 'person' else 'api-key' end,
                           'category', m.category, 'reference', m.reference, 'tags', m.tags)
            || case when m.accepted_by is null then '{}'
                    when starts_with(m.accepted_by, 'usr_') then jsonb_build_object('person_id', m.accepted_by)
                    else jsonb_build_object('key_id', m.accepted_by) end,
        null::integer, null::bytea, null::bytea, null::bytea
        from message m;
