-- What became of a delivery's first attempt is kept with the delivery: most need no other, and that one is written with the
-- state that it brought, not by a row of its own beside it.
set local role harkara_owner;
set local search_path = harkara;

-- Of those that were handed over to their sender when they were made; the answer is sealed as webhook_attempt.answer, with the
-- delivery for its row.
alter table webhook_delivery
    add tried_at           timestamptz,
    add outcome            text,
    add status_code        smallint,
    add latency_ms         integer,
    add address            text,
    add answer_key_version integer,
    add answer_ct          bytea,
    add answer_iv          bytea,
    add answer_tag         bytea,
    add check (num_nonnulls(answer_key_version, answer_ct, answer_iv, answer_tag) in (0, 4));
grant select (tried_at, outcome, status_code, latency_ms, address, answer_key_version, answer_ct, answer_iv, answer_tag)
    on webhook_delivery to harkara_gateway;
grant update (tried_at, outcome, status_code, latency_ms, address, answer_key_version, answer_ct, answer_iv, answer_tag)
    on webhook_delivery to harkara_webhooks;
insert into sealed_column (name, relation, place_table, purpose, row_column, version_column, columns) values
    ('webhook_delivery.answer', 'webhook_delivery', 'webhook_attempt', 1, 'id', 'answer_key_version', '{answer}');

-- Room for the state that follows, on the same page.
alter table webhook_delivery set (fillfactor = 60);

-- An id says when it was made: what is old is found by endpoint and id, which is an index that is there for the lists.
drop index webhook_delivery_by_age;
grant select (endpoint_id) on webhook_delivery to harkara_scheduler;
