-- Keys over time: rotation, re-encryption, what was used how often, and what was done to keys.
set local role harkara_owner;
set local search_path = harkara;

-- Each wrap is one random IV under the key-encryption key (NIST SP 800-38D, 8.3). Counted before it is asked for.
alter table kek add column wraps bigint not null default 0;
grant update (wraps, retired_at) on kek to harkara_admin;

-- Uses, as the vaults have told them; and the command line may see all tenants' keys, wrapped as they are.
alter table tenant_key add column seals bigint not null default 0,
                       add column opens bigint not null default 0,
                       add column used_at timestamptz;
select allow_across('tenant_key', 'harkara_admin', 'admin.key', 'select');
grant update (kek_version, wrapped_ct, wrapped_iv, wrapped_tag), delete on tenant_key to harkara_admin;
grant select (tenant_id, purpose, version, seals, opens, used_at), update (seals, opens, used_at) on tenant_key
    to harkara_scheduler;

alter table tenant add column shredded_at timestamptz check (shredded_at is null or state = 'closed');
grant update (shredded_at) on tenant to harkara_admin;

-- Nothing is wrapped by a key-encryption key that was retired: who retires it holds the row meanwhile.
create function refuse_retired_kek() returns trigger language plpgsql
    security definer set search_path = harkara, pg_temp as $$
begin
    perform from kek where version = new.kek_version and retired_at is null for key share;
    if not found then
        raise exception 'key-encryption key % is retired', new.kek_version using errcode = 'check_violation';
    end if;
    return new;
end
$$;
create trigger kek_in_use before insert or update of kek_version on tenant_key
    for each row execute function refuse_retired_kek();

-- The last batch of uses that each vault's life has told: a batch that comes again is known. No tenant's table.
create table vault_use_batch (
    instance   uuid primary key,
    batch      bigint not null,
    started_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
grant select, insert, update (batch, updated_at), delete on vault_use_batch to harkara_scheduler;
grant select on vault_use_batch to harkara_admin;

-- How far a rotation or a re-encryption has come: what goes on after a kill.
create table vault_work (
    kind          text primary key check (kind in ('rotate', 'rekey')),
    scope         text not null, -- what it was asked for; another scope begins anew
    after_subject uuid not null default '00000000-0000-0000-0000-000000000000', -- tenants up to here are done
    done_count    bigint not null default 0,
    started_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now()
);
grant select, insert, update (scope, after_subject, done_count, started_at, updated_at), delete on vault_work
    to harkara_admin;

-- What was done to keys, for good. `subject` is a tenant, who may be gone.
create table key_action (
    id       uuid primary key,
    at       timestamptz not null default now(),
    action   text not null check (action in ('kek_made', 'kek_retired', 'key_made', 'key_destroyed', 'rekeyed',
                                             'shredded')),
    subject  uuid,
    purpose  smallint check (purpose in (1, 2, 3)),
    version  integer,
    count    bigint,
    operator text not null check (char_length(operator) <= 64)
);
grant select, insert on key_action to harkara_admin;

-- Every sealed column, in groups that share a key version. `row_column` is the row of its place; `sub_column` what
-- tells rows of one place apart; `generation` an SQL expression over the row `t`.
create table sealed_column (
    name           text primary key,
    relation       text not null,
    place_table    text not null, -- what the places call it
    purpose        smallint not null check (purpose in (1, 2)),
    row_column     text not null,
    sub_column     text,
    version_column text not null,
    generation     text not null default '0',
    is_settled     text not null default 'true', -- an expression: rows for which it is false are not touched
    columns        text[] not null check (cardinality(columns) between 1 and 4)
);
grant select on sealed_column to harkara_admin;
insert into sealed_column (name, relation, place_table, purpose, row_column, version_column, generation, columns) values
    ('message', 'message', 'message', 1, 'id', 'key_version', '0', '{peer,content}'),
    ('event', 'event', 'event', 1, 'id', 'key_version', '0', '{content}'),
    ('provider_event', 'provider_event', 'provider_event', 1, 'id', 'key_version', '0', '{body}'),
    ('webhook_delivery', 'webhook_delivery', 'webhook_delivery', 1, 'id', 'key_version', '0', '{body}'),
    ('whatsapp_channel.access_token', 'whatsapp_channel', 'whatsapp_channel', 2, 'channel_id', 'access_token_key_version',
     't.access_token_generation', '{access_token}'),
    ('whatsapp_channel.app_secret', 'whatsapp_channel', 'whatsapp_channel', 2, 'channel_id', 'app_secret_key_version',
     't.app_secret_generation', '{app_secret}'),
    ('whatsapp_channel.verify_token', 'whatsapp_channel', 'whatsapp_channel', 2, 'channel_id', 'verify_token_key_version',
     't.verify_token_generation', '{verify_token}'),
    ('webhook_endpoint.headers', 'webhook_endpoint', 'webhook_endpoint', 2, 'id', 'headers_key_version',
     't.headers_generation', '{headers}'),
    ('provider_task', 'provider_task', 'provider_task', 2, 'id', 'key_version', '0', '{request}'),
    ('media', 'media', 'media', 1, 'id', 'key_version', '0', '{file_name}');
insert into sealed_column (name, relation, place_table, purpose, row_column, sub_column, version_column, generation,
                           columns) values
    ('webhook_secret.secret', 'webhook_secret', 'webhook_endpoint', 2, 'endpoint_id', 'generation',
     'secret_key_version', 't.generation', '{secret}'),
    ('webhook_secret.private_key', 'webhook_secret', 'webhook_endpoint', 2, 'endpoint_id', 'generation',
     'private_key_key_version', 't.generation', '{private_key}');
-- A chunk's generation says whether it is the last one, which is known when its media is whole.
insert into sealed_column (name, relation, place_table, purpose, row_column, sub_column, version_column, generation,
                           is_settled, columns) values
    ('media_chunk', 'media_chunk', 'media_chunk', 1, 'media_id', 'number', 'key_version',
     't.number::bigint | case when t.number = (select m.chunk_count - 1 from media m where m.tenant_id = t.tenant_id'
     ' and m.id = t.media_id) then 2147483648 else 0 end',
     'exists (select from media m where m.tenant_id = t.tenant_id and m.id = t.media_id and m.state = ''ready'')',
     '{body}');

-- The next rows of a group, of the transaction's tenant, whose values are sealed under an older version than `below`:
-- one row for each column that is not null. As the owner, who is held to the tenant too: so the command line needs no
-- grant on any of these tables.
create function rekey_read(group_name text, below bigint, after_row uuid, after_sub bigint, most bigint)
    returns table (place_row uuid, sub bigint, generation bigint, version bigint, column_name text, ct bytea, iv bytea,
                   tag bytea)
    language plpgsql stable security definer set search_path = harkara, pg_temp as $$
declare
    g sealed_column;
    pieces text;
begin
    select * into strict g from sealed_column where name = group_name;
    select string_agg(format('(%L, t.%I, t.%I, t.%I)', c, c || '_ct', c || '_iv', c || '_tag'), ', ')
        into pieces from unnest(g.columns) c;
    return query execute format(
        'select t.%1$I, %2$s, (%3$s)::bigint, t.%4$I::bigint, c.* from '
        '(select * from %5$I t where t.tenant_id = current_setting(''harkara.tenant'')::uuid and t.%4$I < $1'
        ' and %6$s and (%7$s) order by %8$s limit $4) t'
        ' cross join lateral (values %9$s) c (name, ct, iv, tag) where c.ct is not null order by 1, 2',
        g.row_column, case when g.sub_column is null then '0::bigint' else format('t.%I::bigint', g.sub_column) end,
        g.generation, g.version_column, g.relation,
        case when g.sub_column is null then format('t.%I > $2', g.row_column)
             else format('(t.%I, t.%I) > ($2, $3)', g.row_column, g.sub_column) end,
        g.is_settled,
        case when g.sub_column is null then format('t.%I', g.row_column)
             else format('t.%I, t.%I', g.row_column, g.sub_column) end, pieces)
        using below, after_row, after_sub, most;
end
$$;

-- Puts the values of one row back, all of them, if nobody has changed them in between.
create function rekey_write(group_name text, place_row uuid, sub bigint, old_version bigint, new_version bigint,
                            names text[], cts bytea[], ivs bytea[], tags bytea[], old_ivs bytea[])
    returns boolean language plpgsql security definer set search_path = harkara, pg_temp as $$
declare
    g sealed_column;
    sets text;
    same text;
    touched bigint;
begin
    select * into strict g from sealed_column where name = group_name;
    if not names <@ g.columns or cardinality(names) <> cardinality(cts) then
        raise exception 'not columns of %', group_name;
    end if;
    select string_agg(format('%I = $3[%s], %I = $4[%s], %I = $5[%s]', names[i] || '_ct', i, names[i] || '_iv', i,
                             names[i] || '_tag', i), ', '),
           string_agg(format('%I = $6[%s]', names[i] || '_iv', i), ' and ')
        into sets, same from generate_subscripts(names, 1) i;
    execute format('update %I set %I = $2::integer, %s where tenant_id = current_setting(''harkara.tenant'')::uuid'
                   ' and %I = $1 and %I = $7 and %s and %s',
                   g.relation, g.version_column, sets, g.row_column, g.version_column, same,
                   case when g.sub_column is null then '$8 = 0' else format('%I = $8', g.sub_column) end)
        using place_row, new_version, cts, ivs, tags, old_ivs, old_version, sub;
    get diagnostics touched = row_count;
    return touched = 1;
end
$$;

-- How many values of the tenant are still sealed under a version: only then is its key needed.
create function rekey_left(of_purpose bigint, of_version bigint) returns bigint
    language plpgsql stable security definer set search_path = harkara, pg_temp as $$
declare
    g sealed_column;
    one bigint;
    total bigint := 0;
begin
    for g in select * from sealed_column where purpose = of_purpose loop
        execute format('select count(*) from %I where tenant_id = current_setting(''harkara.tenant'')::uuid and %I = $1',
                       g.relation, g.version_column) into one using of_version;
        total := total + one;
    end loop;
    return total;
end
$$;
grant execute on function rekey_read(text, bigint, uuid, bigint, bigint), rekey_left(bigint, bigint),
    rekey_write(text, uuid, bigint, bigint, bigint, text[], bytea[], bytea[], bytea[], bytea[]) to harkara_admin;
