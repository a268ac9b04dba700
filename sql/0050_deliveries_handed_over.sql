-- A delivery leaves as soon as it is made, where there is a place for it: it is inserted as claimed.
set local role harkara_owner;
set local search_path = harkara;

-- What waits, and what is out, each in an index of its own: what is handed over never enters the first one, and whoever looks
-- for something that waits does not pass by what is out.
drop index webhook_delivery_due;
create index webhook_delivery_due on webhook_delivery (endpoint_id, due_at) where state = 'pending' and lease_until is null;

-- The fan-out reads where they go, and what they are signed with, together with who wants them.
select allow_across('webhook_secret', 'harkara_webhooks', 'webhook.fanout', 'select');
