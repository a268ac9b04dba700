-- What the policy gate said of each further sender of a message, and the template of India's registry that its text is: a
-- sender whose text is not registered never has its turn. And the facts of the gate that had no source: a workspace's standing,
-- and a seam for credit.
set local role harkara_owner;
set local search_path = harkara;

alter table message_fallback add column dlt_template_id uuid, add column policy bytea;
do $$
declare
    one regclass;
begin
    alter table message_fallback drop constraint message_fallback_left_for_check;
    for one in select inhrelid::regclass from pg_inherits where inhparent = 'message_fallback'::regclass loop
        -- A partition's was made with it, so it has one of its own as well.
        execute format('alter table %s drop constraint if exists message_fallback_left_for_check', one);
        perform prepare_month_partition('message_fallback', one);
    end loop;
    alter table message_fallback add constraint message_fallback_left_for_check
        check (left_for in ('failed', 'expired', 'not-delivered', 'outcome-unknown', 'channel-broken', 'channel-deleted',
                            'skipped', 'blocked'));
end
$$;

select allow_many('tenant', 'harkara_accept', 'select');
grant select (tenant_id, state) on tenant to harkara_accept;

-- Has this workspace credit for what it sends by this channel? 0: nobody asks, since nothing is billed; 1: enough; 2: it is
-- spent. Billing puts its own in this one's place; until then it is one expression, which costs the statements nothing.
create function workspace_credit(tenant uuid, channel uuid) returns smallint language sql stable as $$ select 0::smallint $$;
grant execute on function workspace_credit(uuid, uuid) to harkara_accept, harkara_dispatcher, harkara_smsc;
