/* The real vault process, started as the supervisor starts it; the test is the supervisor, and its peers. */
#ifndef PROGRAM_VAULT_VAULT_PROCESS_TESTING_H
#define PROGRAM_VAULT_VAULT_PROCESS_TESTING_H
#include "core/unit.h"
#include "platform/ipc/link.h"
#include "platform/ipc/vault_client.h"
#include "platform/os/role.h"
#include <sys/types.h>

/* The ends are looked for: an allocator writes over the beginning of what is freed. */
#define VAULT_PROCESS_MASTER_KEY_END "d1f6c0b27ae4"
#define VAULT_PROCESS_MASTER_KEY     "MASTER-KEY-CANARY-98" VAULT_PROCESS_MASTER_KEY_END
#define VAULT_PROCESS_CREDENTIAL_END "7f58b3a6910e"
#define VAULT_PROCESS_CREDENTIAL     "CREDENTIAL-CANARY-51c9e2c04d" VAULT_PROCESS_CREDENTIAL_END
#define VAULT_PROCESS_CONTENT_END    "c5907be4d1a8"
#define VAULT_PROCESS_CONTENT        "CONTENT-CANARY-a3b7d48e6f12" VAULT_PROCESS_CONTENT_END
#define VAULT_PROCESS_WAIT_MS        20000

extern const struct slice vault_process_master_key;
extern const struct id vault_process_tenant;
extern const struct vault_place vault_process_token_place, vault_process_message_place;
extern size_t vault_process_fetched; /* how often a client asked for a key's row */
/* What must be nowhere; and a text of the program, which shows that a search finds what is there. */
#define VAULT_PROCESS_NEEDLES 4u
extern const struct slice vault_process_needles[VAULT_PROCESS_NEEDLES];

struct vault_process {
    pid_t pid;
    int link; /* to the supervisor's end */
    int log;  /* a file in memory */
    const void *page;
};

void vault_process_start(struct vault_process *process, const char *program_name);
void vault_process_say_settings(const struct vault_process *process);
void vault_process_say_boot(const struct vault_process *process, struct slice key);
/* The next frame's kind; what follows it in *frame. */
int vault_process_hear(const struct vault_process *process, struct buf *frame);
void vault_process_hear_booted(const struct vault_process *process, struct vault_booted *out);
/* Up to READY. */
struct vault_process vault_process_ready(void);
int vault_process_link(const struct vault_process *process, unsigned peer_role);
/* Closes what is left of a process that ended. Its log has lines, and none of the texts above. */
void vault_process_forget(struct vault_process *process);
int vault_process_wait(struct vault_process *process);
void vault_process_end(struct vault_process *process);
struct vault vault_process_client(const struct vault_process *process, enum vault_role role);

/* A key-encryption key that is quick to derive, and a tenant's keys under it: a group's fixture. */
int vault_process_setup(void **state);

#endif
