-- The dispatcher and the webhooks read queues and the event log by the page: the first few rows in the order of an index.
-- While a table's statistics lag behind (a month has begun, a campaign has come in), the planner takes what waits for few
-- rows, and would rather read and sort all of it, for every page again: 40 ms instead of 0.4 for 200 of 5,000 events.
alter role harkara_dispatcher set enable_sort = off;
alter role harkara_webhooks set enable_sort = off;
