/* What the files of the embedded cluster share. */
#ifndef PLATFORM_DB_EMBEDDED_POSTGRES_INTERNAL_H
#define PLATFORM_DB_EMBEDDED_POSTGRES_INTERNAL_H
#include "core/secret.h"
#include "platform/db/embedded_postgres.h"

#define EMBEDDED_PATH_BYTES   1200u
#define EMBEDDED_SOCKET_BYTES 107u /* sun_path without its NUL */

/* Everything that is derived from the options. */
struct embedded_place {
    uid_t uid; /* that PostgreSQL runs as */
    gid_t gid;
    bool is_other_user; /* we are root and it is not */
    bool is_disposable;
    int connections_max;
    char initdb[EMBEDDED_PATH_BYTES], server[EMBEDDED_PATH_BYTES];
    char password[EMBEDDED_PATH_BYTES];
    char folder[EMBEDDED_PATH_BYTES]; /* state folder + "/postgres"; the next ones lie in it */
    char data[EMBEDDED_PATH_BYTES], data_fresh[EMBEDDED_PATH_BYTES];
    char conf[EMBEDDED_PATH_BYTES], hba[EMBEDDED_PATH_BYTES];
    char log[EMBEDDED_PATH_BYTES], log_before[EMBEDDED_PATH_BYTES];
    char lock[EMBEDDED_PATH_BYTES], owner_lock[EMBEDDED_PATH_BYTES];
    char sockets[EMBEDDED_PATH_BYTES];
};

/* A program with a user, a lifetime no longer than ours, and nothing open but what is named. */
struct embedded_child {
    const char *path;
    const char *const *arguments; /* ends in NULL */
    uid_t uid;
    gid_t gid;
    int death_signal; /* when the calling thread ends */
    int output_fd;    /* standard output and error */
    int kept_fd;      /* stays open in the child as number 3; -1: none */
};
MUST_CHECK enum err embedded_child_start(const struct embedded_child *child, pid_t *pid_out);
/* Waits for any process, ours or not. ERR_TIMEOUT: it is still there. */
MUST_CHECK enum err embedded_process_wait(pid_t pid, int limit_ms);
/* `signal`, and harder ones when the limit has passed. ERR_TIMEOUT when a harder one was needed. */
MUST_CHECK enum err embedded_process_end(pid_t pid, int limit_ms);

/* embedded_postgres_cluster.c */
/* Folders with owner and mode, configuration files; and the cluster itself when it is missing. */
MUST_CHECK enum err embedded_cluster_prepare(const struct embedded_place *place,
                                             const struct secret *password, struct db_problem *problem);

#endif
