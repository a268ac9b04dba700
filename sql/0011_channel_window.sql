-- The customer-service window of each person who wrote to a channel, and what WhatsApp charges for a message.
set local role harkara_owner;
set local search_path = harkara;

create table channel_window (
    tenant_id    uuid not null,
    channel_id   uuid not null,
    peer_index   bytea not null check (octet_length(peer_index) = 32), -- as in message
    window_until timestamptz not null, -- 24 hours after their last message
    answer_until timestamptz, -- they came through an advertisement: an answer before this opens the free entry
    free_until   timestamptz, -- the free entry point
    primary key (tenant_id, channel_id, peer_index),
    foreign key (tenant_id, channel_id) references channel (tenant_id, id)
);
select protect_tenant_table('channel_window');
grant select, insert, update (window_until, answer_until, free_until) on channel_window to harkara_gateway;
grant select, update (answer_until, free_until) on channel_window to harkara_dispatcher;

alter table whatsapp_channel
    add column window_check text not null default 'enforce' check (window_check in ('enforce', 'off'));
grant select (window_check), update (window_check) on whatsapp_channel to harkara_gateway;
grant select (window_check) on whatsapp_channel to harkara_dispatcher;

-- Whether we know that WhatsApp takes nothing but templates for this person: they have written before, and that was too
-- long ago. Of people who never wrote nothing is known: our memory may be younger than their message. Five minutes are
-- left to the provider's clock. Whoever calls it sees only its own tenant's rows.
create function window_is_over(tenant uuid, channel uuid, peer bytea) returns boolean language sql stable as $$
    select exists (select from channel_window w join whatsapp_channel c on c.tenant_id = w.tenant_id
                       and c.channel_id = w.channel_id
                   where w.tenant_id = tenant and w.channel_id = channel and w.peer_index = peer
                       and c.window_check = 'enforce'
                       and greatest(w.window_until, w.free_until) < now() - interval '5 minutes')
$$;
grant execute on function window_is_over(uuid, uuid, bytea) to harkara_gateway, harkara_dispatcher;

-- {"billable", "model", "type", "category"}: WhatsApp's words, once per message.
alter table message add column pricing jsonb;
grant update (pricing) on message to harkara_gateway;
