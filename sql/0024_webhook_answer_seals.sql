-- The answers that webhook attempts keep move to newer keys with the rest.
set local role harkara_owner;
set local search_path = harkara;

insert into sealed_column (name, relation, place_table, purpose, row_column, version_column, columns) values
    ('webhook_attempt', 'webhook_attempt', 'webhook_attempt', 1, 'id', 'answer_key_version', '{answer}');
