/* See plain.h. */
#include "plain.h"
#include "core/buf.h"
#include "core/num.h"
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#define PARAMETERS_MAX  9u
#define ARRAY_BYTES_MAX (128u << 20)
/* Of pg_type: the binary form of an array names the type of its elements. */
#define TYPE_BYTEA 17u
#define TYPE_TEXT  25u
#define TYPE_UUID  2950u

/* The parameters of one statement, binary. Arrays lie one after another in `bytes`. */
struct parameters {
    struct buf bytes;
    size_t starts[PARAMETERS_MAX + 2], count;
};

struct plain {
    PGconn *conn;
    bool has_tenants;
    struct parameters parameters;
};

NORETURN static void
stop_because(const char *what, const char *detail)
{
    fprintf(stderr, "plain: %s%s%s\n", what, *detail == '\0' ? "" : ": ", detail);
    exit(1);
}

/* Rows. */

static struct id
made_id(unsigned kind, size_t n)
{
    struct id id = { { 0, 0, 0, 0, 0, 1, 0x70, (uint8_t)kind, 0x80 } };

    num_u32be_put(id.bytes + 12, (uint32_t)n);
    return id;
}

struct id
plain_tenant(size_t n)
{
    return made_id(1, n);
}

struct id
plain_channel(size_t n)
{
    return made_id(2, n);
}

uint64_t
plain_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void
fill(uint64_t *random, void *to, size_t len)
{
    char *at = to;

    for (uint64_t drawn; len > 0; at += len < 8 ? len : 8, len -= len < 8 ? len : 8) {
        drawn = plain_random(random);
        memcpy(at, &drawn, len < 8 ? len : 8);
    }
}

void
plain_draw(uint64_t *random, size_t tenant, struct slice key, size_t content_bytes, char *bytes,
           struct message_new *out)
{
    fill(random, bytes, content_bytes + PLAIN_PEER_BYTES);
    *out = (struct message_new){ .id = id_new(clock_system()),
                                 .tenant = plain_tenant(tenant),
                                 .channel = plain_channel(tenant),
                                 .by.id = made_id(3, tenant),
                                 .category = MESSAGE_SERVICE,
                                 .kind = SLICE("text"),
                                 .idempotency_key = key };
    struct message_sealed *sealed = &out->sealed;
    fill(random, out->fingerprint, sizeof(out->fingerprint));
    fill(random, sealed->peer_index, sizeof(sealed->peer_index));
    fill(random, sealed->peer.iv, sizeof(sealed->peer.iv));
    fill(random, sealed->peer.tag, sizeof(sealed->peer.tag));
    fill(random, sealed->content.iv, sizeof(sealed->content.iv));
    fill(random, sealed->content.tag, sizeof(sealed->content.tag));
    sealed->content.cipher = slice_of(bytes, content_bytes);
    sealed->peer.cipher = slice_of(bytes + content_bytes, 13);
    sealed->content.key_version = sealed->peer.key_version = 1;
}

/* Statements. */

static const struct {
    const char *name, *sql;
} statements[] = {
    { "begin", "BEGIN" },
    { "tenant", "SELECT set_config('harkara.tenant', $1::uuid::text, true)" },
    { "key", "INSERT INTO idempotency_key (tenant_id, key, fingerprint, message_id)"
             " SELECT $1::uuid, k, f, m FROM unnest($2::text[], $3::bytea[], $4::uuid[]) AS i (k, f, m)" },
    { "message",
      "INSERT INTO message (tenant_id, id, channel_id, direction, kind, category, status, peer_index, key_version,"
      " peer_ct, peer_iv, peer_tag, content_ct, content_iv, content_tag, accepted_by, told_xid)"
      " SELECT $1::uuid, id, $2::uuid, 'out', 'text', 'service', 'accepted', x, 1, pc, pi, pt, cc, ci, ct,"
      " 'key_00000000000000000000000000', (SELECT pg_current_xact_id())"
      " FROM unnest($3::uuid[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[], $8::bytea[], $9::bytea[],"
      " $10::bytea[]) AS i (id, x, pc, pi, pt, cc, ci, ct)" },
    { "queue", "INSERT INTO dispatch_queue (tenant_id, message_id, channel_id, priority)"
               " SELECT $1::uuid, id, $2::uuid, 2 FROM unnest($3::uuid[]) AS i (id)" },
    { "commit", "COMMIT" },
};

static void
parameter_id(struct parameters *parameters, struct id id)
{
    buf_add(&parameters->bytes, slice_of(id.bytes, ID_BYTES));
    parameters->starts[++parameters->count] = parameters->bytes.len;
}

static void
array_begin(struct parameters *parameters, uint32_t type, size_t count)
{
    const uint32_t head[] = { 1, 0, type, (uint32_t)count,
                              1 }; /* dimensions, NULLs, type, length, first index */

    for (size_t i = 0; i < COUNT_OF(head); i++)
        buf_add_u32be(&parameters->bytes, head[i]);
}

static void
array_add(struct parameters *parameters, struct slice value)
{
    buf_add_u32be(&parameters->bytes, (uint32_t)value.len);
    buf_add(&parameters->bytes, value);
}

static void
array_end(struct parameters *parameters)
{
    parameters->starts[++parameters->count] = parameters->bytes.len;
}

static void
send_statement(PGconn *conn, const char *name, struct parameters *parameters)
{
    const char *values[PARAMETERS_MAX + 1];
    int lengths[PARAMETERS_MAX + 1], formats[PARAMETERS_MAX + 1];

    if (buf_done(&parameters->bytes) != ERR_OK)
        stop_because("no memory for the parameters", "");
    for (size_t i = 0; i < parameters->count; i++) {
        values[i] = parameters->bytes.ptr + parameters->starts[i];
        lengths[i] = (int)(parameters->starts[i + 1] - parameters->starts[i]);
        formats[i] = 1;
    }
    if (PQsendQueryPrepared(conn, name, (int)parameters->count, values, lengths, formats, 1) != 1)
        stop_because(name, PQerrorMessage(conn));
    buf_clear(&parameters->bytes);
    parameters->count = 0;
}

/* One column of messages[0..count) as an array parameter. */
#define ARRAY(parameters, type, value)                                                                       \
    do {                                                                                                     \
        array_begin((parameters), (type), count);                                                            \
        for (const struct message_new *m = messages; m < messages + count; m++)                              \
            array_add((parameters), (value));                                                                \
        array_end(parameters);                                                                               \
    } while (0)

static void
send_tenant(struct plain *plain, const struct message_new *messages, size_t count)
{
    PGconn *conn = plain->conn;
    struct parameters *p = &plain->parameters;

    if (plain->has_tenants) {
        parameter_id(p, messages->tenant);
        send_statement(conn, "tenant", p);
    }

    parameter_id(p, messages->tenant);
    ARRAY(p, TYPE_TEXT, m->idempotency_key);
    ARRAY(p, TYPE_BYTEA, slice_of(m->fingerprint, sizeof(m->fingerprint)));
    ARRAY(p, TYPE_UUID, slice_of(m->id.bytes, ID_BYTES));
    send_statement(conn, "key", p);

    parameter_id(p, messages->tenant);
    parameter_id(p, messages->channel);
    ARRAY(p, TYPE_UUID, slice_of(m->id.bytes, ID_BYTES));
    ARRAY(p, TYPE_BYTEA, slice_of(m->sealed.peer_index, VAULT_INDEX_BYTES));
    ARRAY(p, TYPE_BYTEA, m->sealed.peer.cipher);
    ARRAY(p, TYPE_BYTEA, slice_of(m->sealed.peer.iv, VAULT_IV_BYTES));
    ARRAY(p, TYPE_BYTEA, slice_of(m->sealed.peer.tag, VAULT_TAG_BYTES));
    ARRAY(p, TYPE_BYTEA, m->sealed.content.cipher);
    ARRAY(p, TYPE_BYTEA, slice_of(m->sealed.content.iv, VAULT_IV_BYTES));
    ARRAY(p, TYPE_BYTEA, slice_of(m->sealed.content.tag, VAULT_TAG_BYTES));
    send_statement(conn, "message", p);

    parameter_id(p, messages->tenant);
    parameter_id(p, messages->channel);
    ARRAY(p, TYPE_UUID, slice_of(m->id.bytes, ID_BYTES));
    send_statement(conn, "queue", p);
}

/* Reads every answer up to the end of the round trip; anything but success ends the run. */
static void
answers_read(PGconn *conn)
{
    for (;;) {
        PGresult *result = PQgetResult(conn);
        if (result == NULL)
            continue; /* between two statements */
        ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_PIPELINE_SYNC)
            stop_because("a statement failed", PQresultErrorMessage(result));
        PQclear(result);
        if (status == PGRES_PIPELINE_SYNC)
            return;
    }
}

/* Where the rows of the next tenant begin. */
static size_t
tenant_end(const struct message_new *messages, size_t from, size_t count)
{
    size_t to = from + 1;

    while (to < count && id_eq(messages[to].tenant, messages[from].tenant))
        to++;
    return to;
}

struct plain *
plain_open(const char *conninfo, bool has_tenants)
{
    struct plain *plain = calloc(1, sizeof(*plain));

    if (plain == NULL)
        stop_because("no memory", "");
    plain->has_tenants = has_tenants;
    plain->conn = PQconnectdb(conninfo);
    if (PQstatus(plain->conn) != CONNECTION_OK)
        stop_because("no connection", PQerrorMessage(plain->conn));
    for (size_t i = 0; i < COUNT_OF(statements); i++) {
        PGresult *result = PQprepare(plain->conn, statements[i].name, statements[i].sql, 0, NULL);
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            stop_because(statements[i].name, PQresultErrorMessage(result));
        PQclear(result);
    }
    buf_init(&plain->parameters.bytes, ARRAY_BYTES_MAX);
    if (PQenterPipelineMode(plain->conn) != 1)
        stop_because("no pipeline", PQerrorMessage(plain->conn));
    return plain;
}

void
plain_commit(struct plain *plain, const struct message_new *messages, size_t count)
{
    send_statement(plain->conn, "begin", &plain->parameters);
    for (size_t from = 0, to; from < count; from = to) {
        to = tenant_end(messages, from, count);
        send_tenant(plain, messages + from, to - from);
    }
    send_statement(plain->conn, "commit", &plain->parameters);
    if (PQpipelineSync(plain->conn) != 1)
        stop_because("no round trip", PQerrorMessage(plain->conn));
    answers_read(plain->conn);
}

void
plain_close(struct plain *plain)
{
    if (plain == NULL)
        return;
    buf_release(&plain->parameters.bytes);
    PQfinish(plain->conn);
    free(plain);
}
