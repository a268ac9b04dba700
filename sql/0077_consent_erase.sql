-- What is personal beside the consent ledger can be erased; what was decided, and suppressions, stay under the keyed index.
set local role harkara_owner;
set local search_path = harkara;

grant delete on consent_peer, consent_evidence to harkara_gateway;
