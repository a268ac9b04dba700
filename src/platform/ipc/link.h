/*
 * Frames between our own processes over a socketpair (SOCK_STREAM): a four-byte big-endian length, then that
 * many bytes; one descriptor may ride along with a frame. A peer is outside input: a frame that is empty, too
 * long or cut, or that carries more than one descriptor, is ERR_FRAME, and the link is closed by whoever sees
 * it. Frames may hold secrets: what a reader or a writer has done with is wiped.
 */
#ifndef PLATFORM_IPC_LINK_H
#define PLATFORM_IPC_LINK_H
#include "core/buf.h"
#include "core/err.h"
#include "core/slice.h"

/* A provider's webhook body is at most 3 MiB, and what surrounds it. */
#define LINK_FRAME_BYTES_MAX (4u * 1024u * 1024u)

/* Close-on-exec pair. ERR_SYSTEM. */
MUST_CHECK enum err link_pair(int fds_out[2]);
/*
 * Blocking, whole; fd_or_minus_1 is duplicated into the peer. timeout_ms -1: for ever. No SIGPIPE. ERR_LIMIT:
 * the frame is empty or too long, nothing was sent. ERR_TIMEOUT: the frame may be cut: close the link.
 * ERR_FRAME: the peer is gone.
 */
MUST_CHECK enum err link_send(int fd, struct slice frame, int fd_or_minus_1, int timeout_ms);
/*
 * Blocking: one frame into *frame (cleared first, and limited by its own bytes_max too). *fd_out is -1 or a
 * descriptor that the caller owns, close-on-exec. ERR_TIMEOUT before the first byte; ERR_FRAME when the peer
 * is gone, breaks the rule or stops in the middle of a frame; ERR_LIMIT, ERR_NO_MEMORY: no room. All but
 * ERR_TIMEOUT: close.
 */
MUST_CHECK enum err link_receive(int fd, struct buf *frame, int *fd_out, int timeout_ms);

/* For loops with many links: feed bytes as they come. The fields are its own. */
#define LINK_HEADER_BYTES 4u
struct link_reader {
    int fd; /* borrowed */
    unsigned char header[LINK_HEADER_BYTES];
    size_t header_len;
    struct buf bytes; /* of the frame being read */
    int pending_fd;   /* -1, or came with it */
    bool is_taken;    /* it was handed out */
    bool reads_ahead;
    size_t start; /* reading ahead: of the frame that is next, in `bytes`, with its header */
};
void link_reader_init(struct link_reader *reader, int fd);
/*
 * For links on which many frames come at once and no descriptor ever: reads as much as is there, and gives
 * out frame by frame. A descriptor is ERR_FRAME.
 */
void link_reader_init_ahead(struct link_reader *reader, int fd);
/* Wipes; closes a descriptor that nobody took. The link itself stays the caller's. */
void link_reader_release(struct link_reader *reader);
/*
 * Reads what is there without blocking, up to the end of one frame: call take, then fill again, until take
 * says ERR_INCOMPLETE. ERR_FRAME, ERR_SYSTEM: peer gone or broken: close it. ERR_NO_MEMORY: it may be tried
 * again.
 */
MUST_CHECK enum err link_reader_fill(struct link_reader *reader);
/* Takes one whole frame; borrowed until the next fill or take. ERR_INCOMPLETE when there is none yet. */
MUST_CHECK enum err link_reader_take(struct link_reader *reader, struct slice *frame_out, int *fd_out);
/* Wipes the frame that was taken now, and not only at the next fill or take. */
void link_reader_forget(struct link_reader *reader);
/* How long the frame is that waits to be taken, without a wait for the socket; 0: there is none. */
size_t link_reader_next_bytes(const struct link_reader *reader);
/* What was read ends with a frame: a peer that is gone now has left nothing half said. */
bool link_reader_is_between(const struct link_reader *reader);

/* The other half: what a peer that reads slowly still has to get. */
struct link_writer {
    int fd; /* borrowed */
    struct buf bytes;
    size_t sent;  /* of them */
    size_t began; /* where the frame being written begins */
};
void link_writer_init(struct link_writer *writer, int fd);
void link_writer_release(struct link_writer *writer); /* wipes */
/* Queues one frame. ERR_LIMIT: empty or too long. ERR_BUSY: more than one largest frame would wait. */
MUST_CHECK enum err link_writer_put(struct link_writer *writer, struct slice frame);
/*
 * The same without a copy: what is added to the buffer between the two is the frame. link_writer_end says
 * what became of it, as link_writer_put does; what was queued before is whole in any case.
 */
struct buf *link_writer_begin(struct link_writer *writer);
MUST_CHECK enum err link_writer_end(struct link_writer *writer);
/* Sends what goes now. ERR_INCOMPLETE: some is left, wait for POLLOUT. ERR_FRAME: the peer is gone. */
MUST_CHECK enum err link_writer_flush(struct link_writer *writer);
/* Nothing is left to send. */
bool link_writer_is_idle(const struct link_writer *writer);

/* Between the supervisor and a role: one byte of kind, then what the kind says. */
enum link_kind {
    LINK_READY = 1,     /* role -> supervisor: serving */
    LINK_DRAIN = 2,     /* supervisor -> role: finish and exit */
    LINK_VAULT = 3,     /* supervisor -> role, with fd: the (new) link to the vault */
    LINK_ADOPT = 4,     /* supervisor -> vault, with fd: byte 1 = enum vault_role of the new link */
    LINK_BOOT = 5,      /* supervisor -> vault: struct vault_boot of wire/vault, with the master key */
    LINK_SETTINGS = 6,  /* supervisor -> role, the first frame: who it is; see platform/os/role.h */
    LINK_FAILED = 7,    /* role -> supervisor: it ends, and why: enum err as two bytes */
    LINK_BOOTED = 8,    /* vault -> supervisor: struct vault_booted of wire/vault: what became of LINK_BOOT */
    LINK_KEK = 9,       /* supervisor -> vault: struct vault_boot: key-encryption keys to add or make now */
    LINK_KEK_MADE = 10, /* vault -> supervisor: struct vault_booted: what became of LINK_KEK */
    LINK_HSM_OPEN = 11, /* supervisor -> hsm: struct hsm_open of wire/vault, with the PIN */
    LINK_HSM_OPENED = 12, /* hsm -> supervisor: struct hsm_opened: what became of that */
    LINK_HSM_UNWRAP = 13, /* supervisor -> hsm, with fd: struct hsm_unwrap; the answer goes to the fd */
    LINK_HSM_MAKE = 14,   /* supervisor -> hsm: struct hsm_make: a new master secret */
    LINK_HSM_MADE = 15,   /* hsm -> supervisor: struct hsm_made: what became of that */
};

#endif
