-- The end of a tenant: closed, nothing is taken or sent for it; shredded, nothing of it is worth a try any more.
set local role harkara_owner;
set local search_path = harkara;

-- As the owner, who is held to the transaction's tenant: so the command line needs no grant on these tables.
create function tenant_settle(for_good boolean) returns void language plpgsql
    security definer set search_path = harkara, pg_temp as $$
declare
    this uuid := current_setting('harkara.tenant')::uuid;
begin
    update dispatch_lane set is_open = false where tenant_id = this;
    update webhook_endpoint set state = 'disabled', disabled_reason = 'workspace closed'
        where tenant_id = this and state = 'enabled';
    if not for_good then
        return;
    end if;
    if not exists (select from tenant where tenant_id = this and state = 'closed') then
        raise exception 'not a closed tenant' using errcode = 'check_violation';
    end if;
    update channel set state = 'deleted', state_reason = 'workspace shredded' where tenant_id = this; -- callbacks: 404
    update provider_event set state = 'failed', error = 'workspace-shredded' where tenant_id = this and state = 'stored';
    update provider_task set state = 'failed', finished_at = now(), error_code = 'workspace-shredded', key_version = null,
                             request_ct = null, request_iv = null, request_tag = null
        where tenant_id = this and state in ('waiting', 'leased');
    update webhook_delivery set state = 'canceled', finished_at = now() where tenant_id = this and state = 'pending';
    delete from dispatch_queue where tenant_id = this;
end
$$;
grant execute on function tenant_settle(boolean) to harkara_admin;
