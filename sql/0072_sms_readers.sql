-- Whoever tells of a channel reads what its kind has beside it.
set local role harkara_owner;
set local search_path = harkara;

grant select on sms_channel to harkara_dispatcher;
grant select (tenant_id, channel_id, waba_id, phone_number_id, display_phone_number, window_check, fetch_media)
    on whatsapp_channel to harkara_smsc;
