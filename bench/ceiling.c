/*
 * What the database alone can take: the rows of accepted messages, committed in groups, without HTTP, API
 * keys, contract or vault. Two ways, into the same tables under the same row-level security, as the gateway's
 * role:
 *
 *     plain   the least that stores the same rows (plain.h)
 *     accept  message_accept_batch, the transaction that the gateway runs: what it costs beyond `plain`.
 *
 *     ceiling --prepare --tenants 20          brings an empty database to our schema and makes tenants in it
 *     ceiling --way plain --batch 500 --connections 1 --tenants 1 --seconds 1 --content-bytes 90
 *
 * CEILING_DATABASE holds a superuser's connection string. It prints one line of JSON.
 */
#include "core/num.h"
#include "core/secret.h"
#include "plain.h"
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

/* Rows. */

/* As the gateway's committer hands them over, sorted by tenant and key. */
static void
rows_draw(struct worker *worker)
{
    size_t count = (size_t)ceiling.batch, content = (size_t)ceiling.content_bytes;
    unsigned long long first = atomic_fetch_add(&ceiling.next_key, count);

    for (size_t i = 0; i < count; i++) {
        /* Several connections begin with different tenants, as different requests would. */
        size_t tenant = (i * (size_t)ceiling.tenants / count + first) % (size_t)ceiling.tenants;
        char *bytes = worker->bytes + i * (content + PLAIN_PEER_BYTES);
        snprintf(worker->keys[i], KEY_BYTES, "ceiling-%010llu-%08llx", first + i,
                 (unsigned long long)(plain_random(&worker->random) >> 32));
        plain_draw(&worker->random, tenant, slice_text(worker->keys[i]), content, bytes,
                   &worker->messages[i]);
    }
}

static void
plain_run(struct worker *worker)
{
    struct plain *plain = plain_open(ceiling.database, true);
    size_t count = (size_t)ceiling.batch;

    while (!atomic_load(&ceiling.is_over)) {
        rows_draw(worker);
        plain_commit(plain, worker->messages, count);
        worker->rows += count;
        worker->commits++;
    }
    plain_close(plain);
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
    worker->bytes = calloc(count, (size_t)ceiling.content_bytes + PLAIN_PEER_BYTES);
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

/* For `bare`: the same columns with their keys, and nothing else. */
static const char bare_tables[] =
    "CREATE SCHEMA bare;"
    "CREATE TABLE bare.message (LIKE harkara.message INCLUDING DEFAULTS, PRIMARY KEY (tenant_id, id));"
    "CREATE TABLE bare.idempotency_key (LIKE harkara.idempotency_key INCLUDING DEFAULTS, PRIMARY KEY (tenant_id, key));"
    "CREATE TABLE bare.dispatch_queue (LIKE harkara.dispatch_queue INCLUDING DEFAULTS, PRIMARY KEY (tenant_id, message_id))";

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
        id_uuid_print(plain_tenant(n), tenant);
        id_uuid_print(plain_channel(n), channel);
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
    PGresult *result = PQexec(conn, bare_tables);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        stop_because("plain tables", PQresultErrorMessage(result));
    PQclear(result);
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
