-- Accepting messages of several tenants by one statement: a role of its own, which the gateway turns to inside a
-- transaction, and whose policies ask for a list of tenants. Whoever is in the gateway's place could set its one tenant to any;
-- so the role adds nothing to what he can do. It may do less: nothing but what accepting needs.
do $$
begin
    if not exists (select from pg_roles where rolname = 'harkara_accept') then
        create role harkara_accept nologin noinherit nocreatedb nocreaterole;
    end if;
    grant harkara_accept to harkara_gateway;
end
$$;

set local role harkara_owner;
set local search_path = harkara;
grant usage on schema harkara to harkara_accept;

-- Opens rows of the tenants that a transaction has named (harkara.tenants) to one role for the named commands. The cast
-- outside makes the list one value for the whole statement, not one for each row.
create function allow_many(name regclass, grantee name, variadic commands text[]) returns void language plpgsql as $$
declare
    command text;
begin
    foreach command in array commands loop
        execute format('create policy %I on %s for %s to %I %s (tenant_id = any '
                       '((select nullif(current_setting(''harkara.tenants'', true), '''')::uuid[])::uuid[]))',
                       'many_' || command, name, command, grantee,
                       case command when 'insert' then 'with check' else 'using' end);
    end loop;
end
$$;

select allow_many('channel', 'harkara_accept', 'select');
select allow_many('whatsapp_channel', 'harkara_accept', 'select');
select allow_many('channel_window', 'harkara_accept', 'select');
select allow_many('idempotency_key', 'harkara_accept', 'select', 'insert');
select allow_many('message', 'harkara_accept', 'select', 'insert');
select allow_many('message_tag', 'harkara_accept', 'insert');
select allow_many('message_fallback', 'harkara_accept', 'insert');
select allow_many('dispatch_queue', 'harkara_accept', 'insert');
select allow_many('event', 'harkara_accept', 'insert');
grant select (tenant_id, id, state) on channel to harkara_accept;
grant select (tenant_id, channel_id, window_check) on whatsapp_channel to harkara_accept;
grant select (tenant_id, channel_id, peer_index, window_until, free_until) on channel_window to harkara_accept;
grant select (tenant_id, key, fingerprint, message_id), insert on idempotency_key to harkara_accept;
grant select (tenant_id, id, send_at), insert on message to harkara_accept;
grant insert on message_tag, message_fallback, dispatch_queue, event to harkara_accept;

-- The rule of window_is_over alone: a function of one expression becomes part of the statement that calls it, where a query
-- in a function is planned and started anew for every row.
create function window_is_past(window_until timestamptz, free_until timestamptz) returns boolean language sql stable as $$
    select greatest(window_until, free_until) < now() - interval '5 minutes'
$$;
grant execute on function window_is_past(timestamptz, timestamptz) to harkara_gateway, harkara_dispatcher, harkara_accept;
create or replace function window_is_over(tenant uuid, channel uuid, peer bytea) returns boolean language sql stable as $$
    select exists (select from channel_window w join whatsapp_channel c on c.tenant_id = w.tenant_id
                       and c.channel_id = w.channel_id
                   where w.tenant_id = tenant and w.channel_id = channel and w.peer_index = peer
                       and c.window_check = 'enforce' and window_is_past(w.window_until, w.free_until))
$$;
