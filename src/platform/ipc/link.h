/*
 * Frames between our own processes over a socketpair (SOCK_STREAM): a four-byte big-endian length, then that many
 * bytes; one descriptor may ride along with a frame. A peer is outside input: a frame that is too long or cut is
 * ERR_FRAME, and the link is closed by whoever sees it.
 */
#ifndef PLATFORM_IPC_LINK_H
#define PLATFORM_IPC_LINK_H
#include "core/buf.h"
#include "core/err.h"
#include "core/slice.h"

#define LINK_FRAME_BYTES_MAX (4u * 1024u * 1024u) /* a provider's webhook body is at most 3 MiB, and what surrounds it */

/* Close-on-exec pair. ERR_SYSTEM. */
MUST_CHECK enum err link_pair(int fds_out[2]);
/* Blocking, whole; fd_or_minus_1 is duplicated into the peer. ERR_TIMEOUT, ERR_FRAME (peer gone). No SIGPIPE. */
MUST_CHECK enum err link_send(int fd, struct slice frame, int fd_or_minus_1, int timeout_ms);
/*
 * Blocking: one frame into *frame (cleared first). *fd_out is -1 or a descriptor that the caller owns. ERR_TIMEOUT
 * before the first byte; ERR_FRAME when the peer is gone or breaks the rule.
 */
MUST_CHECK enum err link_receive(int fd, struct buf *frame, int *fd_out, int timeout_ms);

/* For loops with many links: feed bytes as they come. Opaque reader of one link. */
struct link_reader {
    int fd;
    struct buf bytes;
    int pending_fd; /* -1, or came with the frame being read */
};
void link_reader_init(struct link_reader *reader, int fd);
void link_reader_release(struct link_reader *reader);
/* Reads what is there without blocking. ERR_FRAME: peer gone or broken: close it. */
MUST_CHECK enum err link_reader_fill(struct link_reader *reader);
/* Takes one whole frame; borrowed until the next fill or take. ERR_INCOMPLETE when there is none yet. */
MUST_CHECK enum err link_reader_take(struct link_reader *reader, struct slice *frame_out, int *fd_out);

/* Between the supervisor and a role: one byte of kind, then what the kind says. */
enum link_kind {
    LINK_READY = 1,      /* role -> supervisor: serving */
    LINK_DRAIN = 2,      /* supervisor -> role: finish and exit */
    LINK_VAULT = 3,      /* supervisor -> role, with fd: the (new) link to the vault */
    LINK_ADOPT = 4,      /* supervisor -> vault, with fd: byte 1 = enum vault_role of the new link */
    LINK_BOOT = 5,       /* supervisor -> vault: KEK parameters and the master key; see wire/vault */
    LINK_SETTINGS = 6,   /* supervisor -> role, the first frame: who it is and its database; see platform/os/role.h */
    LINK_FAILED = 7,     /* role -> supervisor: it ends, and why: enum err as two bytes */
};

#endif
