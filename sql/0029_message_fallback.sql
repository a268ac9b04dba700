-- The senders that a message may go to one after the other.
set local role harkara_owner;
set local search_path = harkara;

alter table message
    add column sender    smallint not null default 0 check (sender between 0 and 3), -- the position of the one in use
    add column fallbacks smallint not null default 0 check (fallbacks between 0 and 3), -- how many come after the first
    add constraint message_sender_exists check (sender <= fallbacks);
-- A message that goes over to the next sender is that sender's: its channel, and nothing known of its way yet.
grant update (sender, channel_id, pricing) on message to harkara_gateway, harkara_dispatcher;

create or replace function ensure_month_partition(parent text, at timestamptz) returns boolean language plpgsql
    security definer set search_path = harkara, pg_temp as $$
declare
    first timestamptz := date_trunc('month', at at time zone 'UTC') at time zone 'UTC';
    next timestamptz := (date_trunc('month', at at time zone 'UTC') + interval '1 month') at time zone 'UTC';
    child text := parent || to_char(first at time zone 'UTC', '_YYYY_MM');
begin
    if parent not in ('message', 'message_tag', 'message_fallback', 'event') then
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

-- One row for each sender of a message that has more than one; position 0 is the first, whose content is the message's.
-- A dispatch_queue row's fence says in its upper half which position it is for.
create table message_fallback (
    tenant_id   uuid not null,
    message_id  uuid not null,
    position    smallint not null check (position between 0 and 3),
    channel_id  uuid not null,
    kind        text not null check (char_length(kind) <= 40),
    after_s     integer check (after_s between 5 and 259200), -- null: only when the sender before it failed
    due_at      timestamptz, -- when it takes over, if nothing was delivered by then
    key_version integer,
    content_ct  bytea, -- null: the message's content
    content_iv  bytea check (octet_length(content_iv) = 12),
    content_tag bytea check (octet_length(content_tag) = 16),
    -- Of a sender that was left: why, and what is known of it. Its provider may still report.
    left_for    text check (left_for in ('failed', 'expired', 'not-delivered', 'outcome-unknown', 'channel-broken',
                                         'channel-deleted', 'skipped')),
    left_at     timestamptz,
    known       smallint not null default 0 check (known between 0 and 31), -- as message.known
    provider_id text check (char_length(provider_id) <= 255),
    error_code  text check (char_length(error_code) <= 64),
    error_title text check (char_length(error_title) <= 255),
    error_class text check (error_class in ('retry', 'throttle', 'permanent', 'credential')),
    primary key (tenant_id, message_id, position),
    check (num_nonnulls(key_version, content_ct, content_iv, content_tag) in (0, 4)),
    check ((left_for is null) = (left_at is null))
) partition by range (message_id);
create index message_fallback_due on message_fallback (due_at) where due_at is not null;
select protect_tenant_table('message_fallback');
select allow_across('message_fallback', 'harkara_dispatcher', 'dispatch.claim', 'select');
grant select, insert, update (due_at, left_for, left_at, known, provider_id, error_code, error_title, error_class)
    on message_fallback to harkara_gateway;
grant select, update (due_at, left_for, left_at, known, provider_id, error_code, error_title, error_class)
    on message_fallback to harkara_dispatcher;
insert into sealed_column (name, relation, place_table, purpose, row_column, sub_column, version_column, generation,
                           columns) values
    ('message_fallback', 'message_fallback', 'message_fallback', 1, 'message_id', 'position', 'key_version',
     't.position', '{content}');

do $$
declare
    child text;
begin
    -- As far as there are messages' partitions.
    for child in select inhrelid::regclass::text from pg_inherits where inhparent = 'harkara.message'::regclass loop
        perform harkara.ensure_month_partition('message_fallback',
            to_date(right(child, 7), 'YYYY_MM')::timestamp at time zone 'UTC');
    end loop;
end
$$;

-- Which of a message's senders the provider gave this id.
alter table provider_ref add column sender smallint not null default 0 check (sender between 0 and 3);

-- A row that can still go over to another sender does so when its channel breaks.
alter table dispatch_lane add column is_broken boolean not null default false;
update dispatch_lane l set is_broken = true from channel c
    where c.tenant_id = l.tenant_id and c.id = l.channel_id and c.state = 'broken';
grant update (is_broken) on dispatch_lane to harkara_gateway, harkara_dispatcher;
alter table dispatch_queue add column has_fallback boolean not null default false;
create index dispatch_queue_fallback on dispatch_queue (channel_id) where has_fallback and state = 'ready';
grant insert, update (channel_id, has_fallback) on dispatch_queue to harkara_dispatcher;
grant update (channel_id, state, due_at, attempt, fence, lease_owner, lease_until, is_doubtful, has_fallback)
    on dispatch_queue to harkara_gateway;
