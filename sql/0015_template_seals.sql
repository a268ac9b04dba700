-- Templates move to newer keys with the rest.
set local role harkara_owner;
set local search_path = harkara;

insert into sealed_column (name, relation, place_table, purpose, row_column, version_column, generation, columns) values
    ('template.components', 'template', 'template', 1, 'id', 'key_version', '0', '{components}'),
    ('template.draft', 'template', 'template', 1, 'id', 'draft_key_version', '0', '{draft}');
