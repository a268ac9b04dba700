-- What the gateway and the webhooks role do for many rows at once is planned when a connection has done it a few times, and
-- kept; of a table that was empty then, or has no statistics yet, the planner would rather read the whole, for each of the
-- rows: 240 us for a status instead of 25. None of their statements wants a whole table.
alter role harkara_gateway set enable_seqscan = off;
alter role harkara_webhooks set enable_seqscan = off;
-- Pages, claims and outcomes are planned once, for any values: planning them took longer than many of them run.
alter role harkara_webhooks set plan_cache_mode = force_generic_plan;

set local role harkara_owner;
set local search_path = harkara;

-- Callbacks are verified many at once: their channels' app secrets, sealed, are found in the same look as their tenants.
select allow_across('whatsapp_channel', 'harkara_gateway', 'provider.callback', 'select');
