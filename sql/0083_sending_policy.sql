-- What the gate holds before it leaves waits for its time; and how many promotions a person had, at that moment.
set local role harkara_owner;
set local search_path = harkara;

grant update (send_at) on message to harkara_dispatcher, harkara_smsc;

-- Of those people, by their place: promotions that are being sent or have been, but for these messages. Whoever counts a person's
-- has marked his own before, and holds that person until he commits: so of two that count at once the second sees the first's.
create function promotions_sent(tenant uuid, peers bytea[], messages uuid[])
    returns table (n bigint, in_day bigint, in_week bigint) language plpgsql volatile set search_path = harkara, pg_temp as $$
begin
    perform pg_advisory_xact_lock(person) from (select distinct
        hashtextextended(tenant::text || encode(peer, 'hex'), 0) as person from unnest(peers) as peer order by 1) persons;
    return query select i.n, count(*) filter (where m.id >= id_at(now() - interval '1 day')), count(*)
        from unnest(peers) with ordinality as i (peer_index, n)
        join message m on m.tenant_id = tenant and m.peer_index = i.peer_index and m.id >= id_at(now() - interval '7 days')
            and m.direction = 'out' and m.category = 'promotional'
            and m.status in ('sending', 'uncertain', 'sent', 'delivered', 'read') and m.id <> all (messages)
        group by i.n;
end
$$;
revoke execute on function promotions_sent(uuid, bytea[], uuid[]) from public;
grant execute on function promotions_sent(uuid, bytea[], uuid[]) to harkara_dispatcher, harkara_smsc;
