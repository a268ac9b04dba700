#include "core/buf.h"
#include "crypto/hash.h"
#include "platform/db/migrate_internal.h"
#include "platform/db/test_cluster.h"
#include "platform/db/test_cluster_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_BYTES 512u
#define KEY_BYTES  65536u

extern char **environ;

static struct {
    char folder[PATH_BYTES];
    char kept[PATH_BYTES]; /* the cluster in it, named by what it was made of */
    int lock;              /* shared to copy from it, alone to put one there */
} template;

static void
run(const char *const *words)
{
    pid_t child;
    int status = -1;

    if (posix_spawnp(&child, words[0], NULL, NULL, (char *const *)(uintptr_t)words, environ) != 0 ||
        waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "%s %s\n", words[0], words[1]);
        test_cluster_stop_because("a copy of the cluster could not be made");
    }
}

/*
 * All that a fresh cluster depends on: the server, the user, the migrations. And the day: some tables begin
 * with the partitions of the month in which they were made.
 */
static void
key_print(char out[2 * HASH_BYTES + 1])
{
    struct buf text;
    unsigned char hash[HASH_BYTES];
    const char *user = test_cluster_user();

    buf_init(&text, KEY_BYTES);
    buf_add_format(&text, "%s %s %u %lld", test_cluster_bin(), user == NULL ? "" : user, (unsigned)geteuid(),
                   (long long)(clock_wall(clock_system()).us / (86400ll * 1000000)));
    for (size_t i = 0; i < migration_count; i++)
        buf_add_format(&text, " %s", migrations[i].sha256);
    if (buf_done(&text) != ERR_OK || hash_sha256(buf_slice(&text), hash) != ERR_OK)
        test_cluster_stop_because("no name for the cluster");
    for (size_t i = 0; i < HASH_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
    buf_release(&text);
}

enum test_cluster_copy
test_cluster_take(const char *state_folder)
{
    const char *folder = getenv("HARKARA_TEST_CLUSTER");
    char key[2 * HASH_BYTES + 1], from[PATH_BYTES + 2];

    if (folder == NULL || *folder == '\0')
        return TEST_CLUSTER_ALONE;
    key_print(key);
    if (snprintf(template.folder, sizeof(template.folder), "%s", folder) >= (int)sizeof(template.folder) ||
        snprintf(template.kept, sizeof(template.kept), "%s/%s", folder, key) >= (int)sizeof(template.kept) ||
        (mkdir(folder, 0700) != 0 && errno != EEXIST))
        test_cluster_stop_because("HARKARA_TEST_CLUSTER cannot be used");
    template.lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (template.lock < 0 || flock(template.lock, LOCK_SH) != 0)
        test_cluster_stop_because("HARKARA_TEST_CLUSTER cannot be locked");
    if (access(template.kept, F_OK) != 0) {
        /* Who waited for the one that makes it finds it now. */
        if (flock(template.lock, LOCK_EX) != 0)
            test_cluster_stop_because("HARKARA_TEST_CLUSTER cannot be locked");
        if (access(template.kept, F_OK) != 0)
            return TEST_CLUSTER_WANTED;
    }
    snprintf(from, sizeof(from), "%s/.", template.kept);
    run((const char *const[]){ "cp", "-a", from, state_folder, NULL });
    (void)close(template.lock);
    return TEST_CLUSTER_TAKEN;
}

void
test_cluster_keep(const char *state_folder)
{
    char from[PATH_BYTES + 2], fresh[PATH_BYTES + 8];

    snprintf(from, sizeof(from), "%s/.", state_folder);
    snprintf(fresh, sizeof(fresh), "%s/fresh", template.folder);
    run((const char *const[]){ "find", template.folder, "-mindepth", "1", "-delete", NULL });
    run((const char *const[]){ "cp", "-a", from, fresh, NULL });
    if (rename(fresh, template.kept) != 0)
        test_cluster_stop_because("the cluster could not be kept");
    (void)close(template.lock);
}
