/*
 * What the database alone can take: the rows of accepted messages, committed in groups, without HTTP, API
 * keys, contract or vault. Two ways, into the same tables under the same row-level security, as the gateway's
 * role:
 *
 *     plain   four INSERT ... SELECT FROM unnest(...) a tenant, all of a transaction in one round trip by
 * libpq: the least that stores the same rows. It judges nothing, looks for no repeated key, tells nobody.
 *     accept  message_accept_batch, the transaction that the gateway runs: what it costs beyond `plain`.
 *
 *     ceiling --prepare --tenants 20          brings an empty database to our schema and makes tenants in it
 *     ceiling --way plain --batch 500 --connections 1 --tenants 1 --seconds 1 --content-bytes 90
 *
 * CEILING_DATABASE holds a superuser's connection string. It prints one line of JSON.
 */
#include "core/buf.h"
#include "core/num.h"
#include "core/secret.h"
#include "domain/message/message.h"
#include "platform/db/migrate.h"
#include <getopt.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define BATCH_MAX         5000
#define CONNECTIONS_MAX   64
#define TENANTS_MAX       1000
#define CONTENT_BYTES_MAX 16384
#define KEY_BYTES         32u
#define ARENA_BYTES_MAX   (256u << 20)
#define PARAMETERS_MAX    9u
#define ARRAY_BYTES_MAX   (128u << 20)
/* Of pg_type: the binary form of an array names the type of its elements. */
#define TYPE_BYTEA 17u
#define TYPE_TEXT  25u
#define TYPE_UUID  2950u

static struct {
    const char *way;
    int batch, connections, tenants, seconds, content_bytes;
    bool is_prepare;
    char database[2048]; /* as the gateway's role */
    atomic_bool is_over;
    atomic_ullong next_key;
} ceiling = { .batch = 1, .connections = 1, .tenants = 1, .seconds = 1, .content_bytes = 90 };

struct worker {
    pthread_t thread;
    uint64_t rows, commits, random;
    struct message_new *messages; /* owned: of a batch, with what their slices point to */
    char *bytes;
    char (*keys)[KEY_BYTES];
};

NORETURN static void
stop_because(const char *what, const char *detail)
{
    fprintf(stderr, "ceiling: %s%s%s\n", what, *detail == '\0' ? "" : ": ", detail);
    exit(1);
}

/* Tenant n of ours and its channel: --prepare makes them, every later run knows them. */
static struct id
made_id(unsigned kind, size_t n)
{
    struct id id = { { 0, 0, 0, 0, 0, 1, 0x70, (uint8_t)kind, 0x80 } };

    num_u32be_put(id.bytes + 12, (uint32_t)n);
    return id;
}

#define TENANT_ID(n)  made_id(1, (n))
#define CHANNEL_ID(n) made_id(2, (n))

/* Rows. */

static uint64_t
draw(struct worker *worker) /* splitmix64: seals look random, and so do these */
{
    uint64_t z = (worker->random += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void
fill(struct worker *worker, void *to, size_t len)
{
    char *at = to;

    for (uint64_t drawn; len > 0; at += len < 8 ? len : 8, len -= len < 8 ? len : 8) {
        drawn = draw(worker);
        memcpy(at, &drawn, len < 8 ? len : 8);
    }
}

/* As the gateway's committer hands them over, sorted by tenant and key. */
static void
rows_draw(struct worker *worker)
{
    size_t count = (size_t)ceiling.batch, content = (size_t)ceiling.content_bytes;
    unsigned long long first = atomic_fetch_add(&ceiling.next_key, count);

    for (size_t i = 0; i < count; i++) {
        struct message_new *message = &worker->messages[i];
        /* Several connections begin with different tenants, as different requests would. */
        size_t tenant = (i * (size_t)ceiling.tenants / count + first) % (size_t)ceiling.tenants;
        char *bytes = worker->bytes + i * (content + 16);
        fill(worker, bytes, content + 16);
        snprintf(worker->keys[i], KEY_BYTES, "ceiling-%010llu-%08llx", first + i,
                 (unsigned long long)(draw(worker) >> 32));
        *message = (struct message_new){ .id = id_new(clock_system()),
                                         .tenant = TENANT_ID(tenant),
                                         .channel = CHANNEL_ID(tenant),
                                         .category = MESSAGE_SERVICE,
                                         .kind = SLICE("text"),
                                         .idempotency_key = slice_text(worker->keys[i]) };
        struct message_sealed *sealed = &message->sealed;
        fill(worker, message->fingerprint, sizeof(message->fingerprint));
        fill(worker, sealed->peer_index, sizeof(sealed->peer_index));
        fill(worker, sealed->peer.iv, sizeof(sealed->peer.iv));
        fill(worker, sealed->peer.tag, sizeof(sealed->peer.tag));
        fill(worker, sealed->content.iv, sizeof(sealed->content.iv));
        fill(worker, sealed->content.tag, sizeof(sealed->content.tag));
        sealed->content.cipher = slice_of(bytes, content);
        sealed->peer.cipher = slice_of(bytes + content, 13);
        sealed->content.key_version = sealed->peer.key_version = 1;
    }
}

/* Plain. */

static const struct {
    const char *name, *sql;
} statements[] = {
    { "begin", "BEGIN" },
    { "tenant", "SELECT set_config('harkara.tenant', $1::uuid::text, true)" },
    { "key", "INSERT INTO idempotency_key (tenant_id, key, fingerprint, message_id)"
             " SELECT $1::uuid, k, f, m FROM unnest($2::text[], $3::bytea[], $4::uuid[]) AS i (k, f, m)" },
    { "message",
      "INSERT INTO message (tenant_id, id, channel_id, direction, kind, category, status, peer_index, key_version,"
      " peer_ct, peer_iv, peer_tag, content_ct, content_iv, content_tag)"
      " SELECT $1::uuid, id, $2::uuid, 'out', 'text', 'service', 'accepted', x, 1, pc, pi, pt, cc, ci, ct"
      " FROM unnest($3::uuid[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[], $8::bytea[], $9::bytea[],"
      " $10::bytea[]) AS i (id, x, pc, pi, pt, cc, ci, ct)" },
    { "queue", "INSERT INTO dispatch_queue (tenant_id, message_id, channel_id, priority)"
               " SELECT $1::uuid, id, $2::uuid, 2 FROM unnest($3::uuid[]) AS i (id)" },
    { "event",
      "INSERT INTO event (tenant_id, id, type, subject_id, channel_id, occurred_at, data)"
      " SELECT $1::uuid, e, 'message.accepted', id, $2::uuid, now(),"
      " '{\"direction\": \"outbound\", \"category\": \"service\", \"status\": \"accepted\", \"reference\": null,"
      " \"provider_id\": null, \"attempt\": 0, \"error\": null}'"
      " FROM unnest($3::uuid[], $4::uuid[]) AS i (e, id)" },
    { "commit", "COMMIT" },
};

/* The parameters of one statement, binary. Arrays lie one after another in `bytes`. */
struct parameters {
    struct buf bytes;
    size_t starts[PARAMETERS_MAX + 2], count;
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
send_tenant(PGconn *conn, struct parameters *p, const struct message_new *messages, size_t count)
{
    parameter_id(p, messages->tenant);
    send_statement(conn, "tenant", p);

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

    parameter_id(p, messages->tenant);
    parameter_id(p, messages->channel);
    array_begin(p, TYPE_UUID, count);
    for (size_t i = 0; i < count; i++) {
        struct id event = id_new(clock_system());
        array_add(p, slice_of(event.bytes, ID_BYTES));
    }
    array_end(p);
    ARRAY(p, TYPE_UUID, slice_of(m->id.bytes, ID_BYTES));
    send_statement(conn, "event", p);
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

static void
plain_run(struct worker *worker)
{
    PGconn *conn = PQconnectdb(ceiling.database);
    struct parameters parameters = { .count = 0 };
    size_t count = (size_t)ceiling.batch;

    if (PQstatus(conn) != CONNECTION_OK)
        stop_because("no connection", PQerrorMessage(conn));
    for (size_t i = 0; i < COUNT_OF(statements); i++) {
        PGresult *result = PQprepare(conn, statements[i].name, statements[i].sql, 0, NULL);
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            stop_because(statements[i].name, PQresultErrorMessage(result));
        PQclear(result);
    }
    buf_init(&parameters.bytes, ARRAY_BYTES_MAX);
    if (PQenterPipelineMode(conn) != 1)
        stop_because("no pipeline", PQerrorMessage(conn));
    while (!atomic_load(&ceiling.is_over)) {
        rows_draw(worker);
        send_statement(conn, "begin", &parameters);
        for (size_t from = 0, to; from < count; from = to) {
            to = tenant_end(worker->messages, from, count);
            send_tenant(conn, &parameters, worker->messages + from, to - from);
        }
        send_statement(conn, "commit", &parameters);
        if (PQpipelineSync(conn) != 1)
            stop_because("no round trip", PQerrorMessage(conn));
        answers_read(conn);
        worker->rows += count;
        worker->commits++;
    }
    buf_release(&parameters.bytes);
    PQfinish(conn);
}

/* Accept. */

static void
accept_run(struct worker *worker)
{
    size_t count = (size_t)ceiling.batch;
    struct message_accepted *accepted = calloc(count, sizeof(*accepted));
    struct arena *arena = arena_new(ARENA_BYTES_MAX);
    struct db *db = NULL;

    if (accepted == NULL || arena == NULL)
        stop_because("no memory", "");
    enum err err = db_open(ceiling.database, &db);
    if (err != ERR_OK)
        stop_because("no connection", err_code(err));
    while (!atomic_load(&ceiling.is_over)) {
        rows_draw(worker);
        err = message_accept_batch(db, clock_system(), worker->messages, accepted, count, arena);
        for (size_t i = 0; err == ERR_OK && i < count; i++)
            err = accepted[i].err;
        if (err != ERR_OK)
            stop_because("a batch was not accepted", err_code(err));
        arena_reset(arena);
        worker->rows += count;
        worker->commits++;
    }
    db_close(db);
    arena_free(arena);
    free(accepted);
}

/* The run. */

static void *
worker_run(void *ctx)
{
    struct worker *worker = ctx;
    size_t count = (size_t)ceiling.batch;

    worker->random = (uint64_t)clock_mono(clock_system()).us * 2654435761u + (uintptr_t)worker;
    worker->messages = calloc(count, sizeof(*worker->messages));
    worker->bytes = calloc(count, (size_t)ceiling.content_bytes + 16);
    worker->keys = calloc(count, sizeof(*worker->keys));
    if (worker->messages == NULL || worker->bytes == NULL || worker->keys == NULL)
        stop_because("no memory", "");
    if (slice_eq(slice_text(ceiling.way), SLICE("plain")))
        plain_run(worker);
    else
        accept_run(worker);
    free(worker->messages);
    free(worker->bytes);
    free(worker->keys);
    return NULL;
}

static void
measure(void)
{
    struct worker workers[CONNECTIONS_MAX] = { { .rows = 0 } };
    const struct timespec pause = { ceiling.seconds, 0 };
    struct rusage usage;
    uint64_t rows = 0, commits = 0;

    if (secret_pool_open(1u << 20) != ERR_OK)
        stop_because("no locked memory", "");
    struct mono_time began = clock_mono(clock_system());
    for (int i = 0; i < ceiling.connections; i++)
        if (pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]) != 0)
            stop_because("no thread", "");
    nanosleep(&pause, NULL);
    atomic_store(&ceiling.is_over, true);
    for (int i = 0; i < ceiling.connections; i++) {
        pthread_join(workers[i].thread, NULL);
        rows += workers[i].rows;
        commits += workers[i].commits;
    }
    int64_t us = clock_mono(clock_system()).us - began.us; /* with the last commits, whose rows count */
    getrusage(RUSAGE_SELF, &usage);
    printf(
        "{\"way\":\"%s\",\"batch\":%d,\"connections\":%d,\"tenants\":%d,\"us\":%lld,\"rows\":%llu,\"commits\":"
        "%llu,\"rate\":%llu,\"cpu_us\":%lld}\n",
        ceiling.way, ceiling.batch, ceiling.connections, ceiling.tenants, (long long)us,
        (unsigned long long)rows, (unsigned long long)commits,
        (unsigned long long)(rows * 1000000u / (uint64_t)us),
        (long long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
            usage.ru_stime.tv_usec);
}

static void
prepare(const char *administrator)
{
    struct db_problem problem = { .detail = "" };
    char sql[1024], tenant[ID_UUID_BYTES], channel[ID_UUID_BYTES];
    size_t applied = 0;

    if (migrate_run(administrator, &applied, &problem) != ERR_OK)
        stop_because("the schema", problem.detail);
    PGconn *conn = PQconnectdb(administrator);
    for (size_t n = 0; n < (size_t)ceiling.tenants; n++) {
        id_uuid_print(TENANT_ID(n), tenant);
        id_uuid_print(CHANNEL_ID(n), channel);
        snprintf(sql, sizeof(sql),
                 "SET search_path = harkara;"
                 "INSERT INTO tenant (tenant_id, name, slug) VALUES ('%s', 'Ceiling', 'ceiling-%zu');"
                 "INSERT INTO channel (tenant_id, id, kind, name) VALUES ('%s', '%s', 'whatsapp', 'Ceiling');"
                 "INSERT INTO dispatch_lane (tenant_id, channel_id) VALUES ('%s', '%s')",
                 tenant, n, tenant, channel, tenant, channel);
        PGresult *result = PQexec(conn, sql);
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            stop_because("a tenant", PQresultErrorMessage(result));
        PQclear(result);
    }
    PQfinish(conn);
    printf("{\"migrations\":%zu,\"tenants\":%d}\n", applied, ceiling.tenants);
}

static int
number_read(const char *text, int min, int max)
{
    int number = 0;

    if (num_int_parse(slice_text(text), min, max, &number) != ERR_OK)
        stop_because("out of its range", text);
    return number;
}

static void
options_read(int argc, char **argv)
{
    static const struct option names[] = {
        { "prepare", no_argument, NULL, 'p' },
        { "way", required_argument, NULL, 'w' },
        { "batch", required_argument, NULL, 'b' },
        { "connections", required_argument, NULL, 'c' },
        { "tenants", required_argument, NULL, 't' },
        { "seconds", required_argument, NULL, 's' },
        { "content-bytes", required_argument, NULL, 'n' },
        { NULL, 0, NULL, 0 },
    };

    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (name) {
        case 'p':
            ceiling.is_prepare = true;
            break;
        case 'w':
            ceiling.way = optarg;
            break;
        case 'b':
            ceiling.batch = number_read(optarg, 1, BATCH_MAX);
            break;
        case 'c':
            ceiling.connections = number_read(optarg, 1, CONNECTIONS_MAX);
            break;
        case 't':
            ceiling.tenants = number_read(optarg, 1, TENANTS_MAX);
            break;
        case 's':
            ceiling.seconds = number_read(optarg, 1, 3600);
            break;
        case 'n':
            ceiling.content_bytes = number_read(optarg, 1, CONTENT_BYTES_MAX);
            break;
        default:
            stop_because("unknown option", "");
        }
    }
    struct slice way = slice_text(ceiling.way);
    if (!ceiling.is_prepare && !slice_eq(way, SLICE("plain")) && !slice_eq(way, SLICE("accept")))
        stop_because(
            "usage: ceiling --prepare --tenants N | --way plain|accept --batch N --connections N --tenants N"
            " --seconds N --content-bytes N",
            "");
}

int
main(int argc, char **argv)
{
    const char *administrator = getenv("CEILING_DATABASE");

    options_read(argc, argv);
    if (administrator == NULL)
        stop_because("CEILING_DATABASE is not set", "");
    if (ceiling.is_prepare) {
        prepare(administrator);
        return 0;
    }
    /* A superuser who has become the gateway's role is bound by its grants and by row-level security. */
    if (snprintf(ceiling.database, sizeof(ceiling.database),
                 "%s options='-c role=harkara_gateway -c search_path=harkara'",
                 administrator) >= (int)sizeof(ceiling.database))
        stop_because("CEILING_DATABASE is too long", "");
    measure();
    return 0;
}
