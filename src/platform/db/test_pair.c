#include "platform/db/test_pair.h"

#define ARENA_BYTES_MAX (8u << 20)

struct id acme, bolt;
struct db *gateway, *dispatcher;
struct arena *arena;

void
test_pair_open(const char *sql)
{
    if (id_is_zero(acme)) {
        acme = test_cluster_tenant("acme");
        bolt = test_cluster_tenant("bolt");
    }
    if (sql != NULL)
        test_cluster_sql(sql);
    gateway = test_cluster_open("harkara_gateway");
    dispatcher = test_cluster_open("harkara_dispatcher");
    arena = arena_new(ARENA_BYTES_MAX);
    assert_non_null(arena);
}

int
test_pair_close(void **state UNUSED)
{
    db_close(gateway);
    db_close(dispatcher);
    arena_free(arena);
    return 0;
}
