/*
 * Does the log still say what was signed? Of the database as it stands, or of an export, far from any
 * database. What is found first is told: the place, the entry, and what is wrong with it.
 */
#ifndef DOMAIN_AUDIT_AUDIT_VERIFY_H
#define DOMAIN_AUDIT_AUDIT_VERIFY_H
#include "domain/audit/audit_tree.h"

enum audit_fault {
    AUDIT_HOLDS,
    AUDIT_FAULT_CHANGED,  /* the entry at this place is not what was hashed: changed, or another one */
    AUDIT_FAULT_REMOVED,  /* a place without its entry */
    AUDIT_FAULT_NO_PLACE, /* an entry that is in no tree and waits for none: put in behind our back */
    AUDIT_FAULT_GAP,      /* a place is missing */
    AUDIT_FAULT_CUT,      /* the tree is smaller than what was signed */
    AUDIT_FAULT_ROOT, /* the entries since the last checkpoint that holds are not those that were signed */
    AUDIT_FAULT_SIGNATURE,  /* a checkpoint whose signature does not hold */
    AUDIT_FAULT_KEY,        /* a checkpoint of a key that is not there, or not the one that is known */
    AUDIT_FAULT_LATE,       /* an entry waits for its place since AUDIT_LATE_MS: nobody seals */
    AUDIT_FAULT_UNSIGNED,   /* entries have places, and no checkpoint holds them */
    AUDIT_FAULT_FORM,       /* a line that is none of ours */
    AUDIT_FAULT_PRIVATE,    /* a private part that is not the one that was committed to */
    AUDIT_FAULT_INCOMPLETE, /* an export without its end */
};
/* What it means, for people: "was changed, or another entry stands in its place". */
const char *audit_fault_text(enum audit_fault fault);

#define AUDIT_LATE_MS INT64_C(600000)

struct audit_verdict {
    enum audit_fault fault;
    uint64_t entries, checkpoints; /* that were gone through */
    uint64_t signed_size;          /* below this place everything is held by a signature */
    uint64_t place;                /* of the fault: the first place that does not hold */
    struct id entry;               /* of the fault; zero: not known */
};

/*
 * The workspace's log in the database, as harkara_admin. `kept`, with its key, is a checkpoint from elsewhere
 * that must hold too (NULL: none): it tells what even the owner of the database cannot put right. ERR_OK also
 * when there is a fault; an error means that it could not be looked.
 */
MUST_CHECK enum err audit_verify_store(struct db *db, const struct clock *clock, struct id tenant,
                                       const struct audit_checkpoint *kept, struct arena *arena,
                                       struct audit_verdict *out);

/* An export, line by line. */
struct audit_file {
    struct audit_verdict verdict;
    struct merkle_edge edge;
    struct id tenant;
    struct audit_key keys[AUDIT_KEYS_MAX];
    size_t key_count;
    bool has_begun, has_end, has_pinned;
    unsigned char pinned[VAULT_PUBLIC_KEY_BYTES]; /* what the first key must be */
    char commitments[AUDIT_PRIVATE_MAX][2 * AUDIT_COMMITMENT_BYTES];
    size_t commitment_count; /* of the last entry: its private parts follow it */
    struct id last_entry, first_unsigned;
};
void audit_file_begin(struct audit_file *file);
/* Without its end of line. After a fault the rest is passed over. ERR_NO_MEMORY and the like only. */
MUST_CHECK enum err audit_file_line(struct audit_file *file, struct slice line);
/* The verdict, once all lines have been given. */
struct audit_verdict audit_file_end(struct audit_file *file);

#endif
