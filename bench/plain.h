/*
 * Rows of accepted messages, and the least that stores them: four INSERT ... SELECT FROM unnest(...) a
 * tenant, all of a transaction in one round trip by libpq. It judges nothing, looks for no repeated key,
 * tells nobody. What fails ends the program.
 */
#ifndef BENCH_PLAIN_H
#define BENCH_PLAIN_H
#include "domain/message/message.h"

#define PLAIN_PEER_BYTES 16u /* of a row's bytes, behind its content */

struct plain;

/* Tenant n of the bench and its channel: `ceiling --prepare` makes them, every later run knows them. */
struct id plain_tenant(size_t n);
struct id plain_channel(size_t n);

/* Seals look random, and so do these. `state` is the caller's, begun with anything. */
uint64_t plain_random(uint64_t *state);

/* A row of tenant n; it borrows `key` and `bytes` (content_bytes + PLAIN_PEER_BYTES), which are written. */
void plain_draw(uint64_t *random, size_t tenant, struct slice key, size_t content_bytes, char *bytes,
                struct message_new *out);

/* has_tenants: tell each transaction its tenants, for row-level security. */
struct plain *plain_open(const char *conninfo, bool has_tenants);
/* One transaction; messages of a tenant lie beside each other. */
void plain_commit(struct plain *plain, const struct message_new *messages, size_t count);
void plain_close(struct plain *plain);

#endif
