-- A certificate that an endpoint's server asks of its clients, with its private key: the key sealed, the rest for all to see.
set local role harkara_owner;
set local search_path = harkara;

alter table webhook_endpoint
    add client_generation      integer not null default 0,
    add client_certificate     text check (octet_length(client_certificate) <= 8192), -- PEM, the client's own first
    add client_subject         text check (octet_length(client_subject) <= 1024),
    add client_issuer          text check (octet_length(client_issuer) <= 1024),
    add client_not_after       timestamptz,
    add client_fingerprint     bytea check (octet_length(client_fingerprint) = 32), -- SHA-256
    add client_key_key_version integer,
    add client_key_ct          bytea,
    add client_key_iv          bytea check (octet_length(client_key_iv) = 12),
    add client_key_tag         bytea check (octet_length(client_key_tag) = 16),
    add constraint webhook_endpoint_client check (num_nonnulls(client_certificate, client_subject, client_issuer, client_not_after,
        client_fingerprint, client_key_key_version, client_key_ct, client_key_iv, client_key_tag) in (0, 9));
-- The gateway puts keys in and never reads their ciphertext back.
grant select (client_generation, client_certificate, client_subject, client_issuer, client_not_after, client_fingerprint),
      update (client_generation, client_certificate, client_subject, client_issuer, client_not_after, client_fingerprint,
              client_key_key_version, client_key_ct, client_key_iv, client_key_tag) on webhook_endpoint to harkara_gateway;
insert into sealed_column (name, relation, place_table, purpose, row_column, version_column, generation, columns) values
    ('webhook_endpoint.client_key', 'webhook_endpoint', 'webhook_endpoint', 2, 'id', 'client_key_key_version',
     't.client_generation', '{client_key}');

alter table webhook_attempt drop constraint webhook_attempt_outcome_check;
alter table webhook_attempt add constraint webhook_attempt_outcome_check check (outcome in ('delivered', 'status', 'dns',
    'connect', 'tls', 'timeout', 'size', 'blocked', 'broken', 'certificate-expired'));
