-- What a sender may ask of a message besides its content: a time, a deadline, tags, metadata. And what became known of it.
set local role harkara_owner;
set local search_path = harkara;

alter table message
    add column send_at      timestamptz, -- not before; the id still tells when it was accepted, and so its partition
    add column expires_at   timestamptz, -- not sent from then on
    add column tags         text[] not null default '{}' check (cardinality(tags) <= 10),
    add column metadata_ct  bytea, -- sealed under the row's key version, like content
    add column metadata_iv  bytea check (octet_length(metadata_iv) = 12),
    add column metadata_tag bytea check (octet_length(metadata_tag) = 16),
    -- What is known of its way, whatever its status: 1 sent, 2 delivered, 4 read, 8 failed, 16 expired. Each is told once.
    add column known        smallint not null default 0 check (known between 0 and 31),
    add constraint message_metadata_whole check (num_nonnulls(metadata_ct, metadata_iv, metadata_tag) in (0, 3));
update sealed_column set columns = '{peer,content,metadata}' where name = 'message';
grant update (send_at, expires_at, known) on message to harkara_gateway;
grant update (known) on message to harkara_dispatcher;

-- Lists: each filter that can be rare has an index in the list's own order. What most messages are (sent, delivered, read)
-- is found along the way.
create index message_by_channel on message (tenant_id, channel_id, id);
create index message_by_reference on message (tenant_id, reference, id) where reference is not null;
create index message_by_rare_status on message (tenant_id, status, id)
    where status in ('held', 'queued', 'uncertain', 'failed', 'expired', 'canceled', 'blocked');

-- The monthly tables: now also those that hang on a message.
create or replace function ensure_month_partition(parent text, at timestamptz) returns boolean language plpgsql
    security definer set search_path = harkara, pg_temp as $$
declare
    first timestamptz := date_trunc('month', at at time zone 'UTC') at time zone 'UTC';
    next timestamptz := (date_trunc('month', at at time zone 'UTC') + interval '1 month') at time zone 'UTC';
    child text := parent || to_char(first at time zone 'UTC', '_YYYY_MM');
begin
    if parent not in ('message', 'message_tag', 'event') then
        raise exception 'not a monthly table: %', parent;
    end if;
    perform pg_advisory_xact_lock(hashtext('harkara.partition.' || parent));
    if to_regclass('harkara.' || child) is not null then
        return false;
    end if;
    execute format('create table %I (like %I including all)', child, parent);
    perform protect_tenant_table(format('harkara.%I', child)::regclass);
    execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, child, id_at(first),
                   id_at(next));
    return true;
end
$$;

-- One row per tag of a message, in the order of a list.
create table message_tag (
    tenant_id  uuid not null,
    tag        text not null check (char_length(tag) between 1 and 64),
    message_id uuid not null,
    primary key (tenant_id, tag, message_id)
) partition by range (message_id);
select protect_tenant_table('message_tag');
grant select, insert on message_tag to harkara_gateway;

do $$
declare
    child text;
begin
    -- As far as there are messages' partitions.
    for child in select inhrelid::regclass::text from pg_inherits where inhparent = 'harkara.message'::regclass loop
        perform harkara.ensure_month_partition('message_tag',
            to_date(right(child, 7), 'YYYY_MM')::timestamp at time zone 'UTC');
    end loop;
end
$$;

-- held: not before due_at; out of the way of what is due. A row that is doubtful may have been taken by the provider
-- before, in an attempt whose answer was lost.
alter table dispatch_queue
    add column expires_at  timestamptz,
    add column is_doubtful boolean not null default false,
    drop constraint dispatch_queue_state_check,
    add constraint dispatch_queue_state_check check (state in ('held', 'ready', 'leased', 'sending', 'uncertain'));
create index dispatch_queue_held on dispatch_queue (due_at) where state = 'held';
create index dispatch_queue_by_expiry on dispatch_queue (expires_at) where expires_at is not null;
grant update (due_at, expires_at) on dispatch_queue to harkara_gateway;
grant update (is_doubtful) on dispatch_queue to harkara_dispatcher;
