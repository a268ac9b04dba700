#include "platform/db/conninfo.h"
#include "core/buf.h"
#include "core/num.h"
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#define CONNINFO_BYTES_MAX 8192u

/* What belongs to the administrator alone. */
static bool
is_credential(const char *keyword)
{
    static const char *const keywords[] = {
        "user", "password", "passfile", "sslcert", "sslkey", "sslpassword"
    };

    for (size_t i = 0; i < COUNT_OF(keywords); i++)
        if (strcmp(keyword, keywords[i]) == 0)
            return true;
    return false;
}

/* keyword='value', where ' and \ are preceded by \. */
static void
add_pair(struct buf *out, const char *keyword, struct slice value)
{
    buf_add_text(out, keyword);
    buf_add_text(out, "='");
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\'' || value.ptr[i] == '\\')
            buf_add_byte(out, '\\');
        buf_add_byte(out, value.ptr[i]);
    }
    buf_add_text(out, "' ");
}

/* Ends the string and moves it to where secrets live. */
static enum err
take_secret(struct buf *built, struct secret **out)
{
    buf_add_byte(built, '\0');
    enum err err = buf_done(built);
    if (err == ERR_OK) {
        *out = secret_copy(buf_slice(built));
        err = *out == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    buf_release_wiped(built);
    return err;
}

/* The parser's own message may quote the string, and with it the password: so it is not passed on. */
static PQconninfoOption *
parse(const char *conninfo)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &message);

    if (message != NULL) {
        secret_wipe(message, strlen(message));
        PQfreemem(message);
    }
    return options;
}

static void
options_free(PQconninfoOption *options)
{
    for (PQconninfoOption *option = options; option->keyword != NULL; option++)
        if (option->val != NULL && is_credential(option->keyword))
            secret_wipe(option->val, strlen(option->val));
    PQconninfoFree(options);
}

static const char *
value_of(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword != NULL; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val;
    return NULL;
}

enum err
conninfo_for_user(const char *conninfo, const char *user, struct slice password, struct secret **out,
                  struct db_problem *problem)
{
    PQconninfoOption *options = parse(conninfo);
    struct buf built;

    *out = NULL;
    if (options == NULL) {
        db_problem_set(problem, "DATABASE_URL is not a PostgreSQL connection string");
        return ERR_CONFIG;
    }
    if (value_of(options, "dbname") == NULL) { /* its default is the user's name, and that changes here */
        options_free(options);
        db_problem_set(problem, "DATABASE_URL names no database");
        return ERR_CONFIG;
    }
    buf_init(&built, CONNINFO_BYTES_MAX);
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++)
        if (option->val != NULL && !is_credential(option->keyword))
            add_pair(&built, option->keyword, slice_text(option->val));
    options_free(options);
    add_pair(&built, "user", slice_text(user));
    if (password.len > 0)
        add_pair(&built, "password", password);
    return take_secret(&built, out);
}

enum err
conninfo_of_socket(const char *folder, int port, const char *database, const char *user,
                   struct slice password, struct secret **out)
{
    struct buf built;
    char number[12];

    *out = NULL;
    snprintf(number, sizeof(number), "%d", port);
    buf_init(&built, CONNINFO_BYTES_MAX);
    add_pair(&built, "host", slice_text(folder));
    add_pair(&built, "port", slice_text(number));
    add_pair(&built, "dbname", slice_text(database));
    add_pair(&built, "user", slice_text(user));
    if (password.len > 0)
        add_pair(&built, "password", password);
    return take_secret(&built, out);
}

static size_t
ports_add(uint16_t *ports, size_t count, size_t max, struct slice text)
{
    int port = 5432;

    if (text.len > 0 && num_int_parse(text, 1, UINT16_MAX, &port) != ERR_OK)
        return count;
    for (size_t i = 0; i < count && i < max; i++)
        if (ports[i] == port)
            return count;
    if (count < max)
        ports[count] = (uint16_t)port;
    return count + 1;
}

/* A host is a unix socket's folder when it begins with / or (abstract) @; none at all is the default folder.
 */
static bool
is_tcp(struct slice host, bool has_address)
{
    return has_address || (host.len > 0 && host.ptr[0] != '/' && host.ptr[0] != '@');
}

size_t
conninfo_tcp_ports(const char *conninfo, uint16_t *ports_out, size_t max)
{
    PQconninfoOption *options = parse(conninfo);
    size_t count = 0;

    if (options == NULL)
        return 0;
    struct slice hosts = slice_text(value_of(options, "host")), ports = slice_text(value_of(options, "port"));
    struct slice addresses = slice_text(value_of(options, "hostaddr"));
    bool has_many_ports = slice_find(ports, ',') < ports.len;
    do {
        struct slice host = slice_take_until(&hosts, ','), address = slice_take_until(&addresses, ',');
        struct slice port =
            has_many_ports ? slice_take_until(&ports, ',') : ports; /* one port serves all hosts */
        if (is_tcp(host, address.len > 0))
            count = ports_add(ports_out, count, max, port);
    } while (hosts.len > 0 || addresses.len > 0);
    options_free(options);
    return count;
}

bool
conninfo_ca_file(const char *conninfo, char *out, size_t bytes)
{
    PQconninfoOption *options = parse(conninfo);

    if (options == NULL)
        return false;
    const char *path = value_of(options, "sslrootcert");
    int n = path == NULL || path[0] != '/' ? 0 : snprintf(out, bytes, "%s", path);
    options_free(options);
    return n > 0 && (size_t)n < bytes;
}
