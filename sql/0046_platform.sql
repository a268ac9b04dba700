-- Harkara itself is a workspace: the people who work with it are rows of its, under the rule of every other row. Its data
-- keys are made by "harkara serve" when they are missing, since a migration has no vault.
set local role harkara_owner;
set local search_path = harkara;

select set_config('harkara.tenant', '00000000-0000-7000-8000-000000000000', true);
-- Nobody asks for it by its short name, which a workspace of before may have: then it gets another one.
insert into tenant (tenant_id, name, slug) values ('00000000-0000-7000-8000-000000000000', 'Harkara', 'harkara')
    on conflict do nothing;
insert into tenant (tenant_id, name, slug) values ('00000000-0000-7000-8000-000000000000', 'Harkara', 'harkara-itself')
    on conflict do nothing;
insert into tenant (tenant_id, name, slug)
    values ('00000000-0000-7000-8000-000000000000', 'Harkara', 'harkara-' || md5(random()::text))
    on conflict (tenant_id) do nothing;
select set_config('harkara.tenant', '', true);
