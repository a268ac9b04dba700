-- A lane belongs to a process that sends for its channel's carrier: dispatchers for WhatsApp, smsc for SMS. So do leases: what
-- is shared out among those that live is shared among those of one carrier.
set local role harkara_owner;
set local search_path = harkara;

alter table dispatch_lane add column carrier text not null default 'whatsapp' check (carrier in ('whatsapp', 'sms'));
alter table dispatcher_lease add column carrier text not null default 'whatsapp' check (carrier in ('whatsapp', 'sms'));
