-- The gate is asked again before an SMS leaves.
set local role harkara_owner;
set local search_path = harkara;

grant select on policy_settings to harkara_smsc;
