-- What smsc needs to send: lanes of its carrier, and what every sender of messages records. Nothing of other channels'
-- credentials, and no time's work (what is due, what expires): that is the dispatcher's, whatever the carrier.
set local role harkara_owner;
set local search_path = harkara;

grant select on tenant, tenant_key, message_settings to harkara_smsc;

grant select, update (not_before, dispatcher, fence, is_resting) on dispatch_lane to harkara_smsc;
grant select, insert, update (lease_until), delete on dispatcher_lease to harkara_smsc;

grant select, insert, update (channel_id, has_fallback, state, due_at, attempt, fence, lease_owner, lease_until, is_doubtful),
      delete on dispatch_queue to harkara_smsc;

grant select, update (status, provider_id, error_code, error_title, error_class, attempt_count, updated_at, known, sender,
                      channel_id, pricing) on message to harkara_smsc;
grant select, update (due_at, left_for, left_at, known, provider_id, error_code, error_title, error_class)
    on message_fallback to harkara_smsc;
grant select, insert on provider_ref to harkara_smsc;
grant select, insert on event to harkara_smsc;
grant execute on function event_data(text, jsonb) to harkara_smsc;

-- Statements that all carriers share look at WhatsApp's windows and throughput, and find nothing for an SMS sender.
grant select (tenant_id, channel_id, peer_index, window_until, free_until) on channel_window to harkara_smsc;
grant select (tenant_id, channel_id, throughput) on whatsapp_number to harkara_smsc;
grant execute on function window_is_past(timestamptz, timestamptz) to harkara_smsc;

-- The dispatcher's purpose, for another role: a policy of its own beside the dispatcher's.
do $$
declare
    what text[];
begin
    foreach what slice 1 in array array[['dispatch_lane', 'select'], ['dispatch_lane', 'update'], ['dispatch_queue', 'select'],
                                        ['tenant', 'select'], ['message_fallback', 'select'], ['whatsapp_number', 'select']] loop
        execute format('create policy %I on %I for %s to harkara_smsc using'
                       ' ((select current_setting(''harkara.across'', true)) = ''dispatch.claim'')',
                       'across_dispatch_claim_' || what[2] || '_smsc', what[1], what[2]);
    end loop;
end
$$;
