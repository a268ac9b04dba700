/*
 * What goes between a process and the vault, as bytes. Integers are big-endian, octet strings carry their
 * length before them, and each value has exactly one form: decode then encode gives the same bytes. Whatever
 * is not exactly a frame, to the last byte, is ERR_FRAME. docs/vault.md has the layouts.
 */
#ifndef WIRE_VAULT_VAULT_FRAME_H
#define WIRE_VAULT_VAULT_FRAME_H
#include "core/buf.h"
#include "core/err.h"
#include "core/id.h"
#include "core/secret.h"
#include "core/slice.h"
#include "crypto/kdf.h"

#define VAULT_FRAME_VERSION   1u
#define VAULT_FRAME_BYTES_MAX (4u * 1024u * 1024u) /* that of a link */
/* A provider's webhook body, 3 MiB, and what an envelope adds. */
#define VAULT_PLAIN_BYTES_MAX      (3u * 1024u * 1024u + 65536u)
#define VAULT_CREDENTIAL_BYTES_MAX 16384u /* and never empty */
#define VAULT_SEAL_ITEMS_MAX       64u
#define VAULT_SEAL_KEYS_MAX        (2u * VAULT_SEAL_ITEMS_MAX) /* that one request may need: content and index */
#define VAULT_NAME_BYTES_MAX       63u /* of a table, a column, a label: PostgreSQL's own limit */
#define VAULT_IV_BYTES             12u
#define VAULT_TAG_BYTES            16u
#define VAULT_KEY_BYTES            32u
#define VAULT_MAC_BYTES            32u
#define VAULT_INDEX_BYTES          32u
#define VAULT_PUBLIC_KEY_BYTES     32u /* Ed25519, with the next */
#define VAULT_SIGNATURE_BYTES      64u
#define VAULT_TOTP_SECRET_BYTES    20u
#define VAULT_KEKS_MAX             16u  /* versions whose keys are still in use */
#define VAULT_MASTERS_GIVEN_MAX    2u   /* the master key, and while it is being replaced its successor */
#define VAULT_MASTERS_MAX          6u   /* with those that a token has unwrapped (HSM_SECRETS_MAX) */
#define VAULT_USES_MAX             256u /* of one answer to USAGE */

/* Who asks: fixed per link by the supervisor, for good. */
enum vault_role {
    VAULT_ROLE_ADMIN = 1,      /* the command line: makes tenants' keys, nothing else */
    VAULT_ROLE_GATEWAY = 2,    /* seals; opens content; verifies with app secrets; blind index */
    VAULT_ROLE_DISPATCHER = 3, /* opens channels' access tokens; opens and seals content; blind index */
    VAULT_ROLE_WEBHOOKS = 4,   /* signs with webhook secrets; opens and seals content */
    VAULT_ROLE_SCHEDULER = 5,  /* signs checkpoints of the audit log; facts and usage */
    VAULT_ROLE_SMSC = 6,       /* opens passwords of SMS accounts, and what is sent; seals what comes */
};
#define VAULT_ROLE_LAST VAULT_ROLE_SMSC
/* ERR_FRAME: no such role. */
MUST_CHECK enum err vault_role_from(uint32_t number, enum vault_role *out);
const char *vault_role_name(enum vault_role role);

enum vault_purpose { VAULT_CONTENT = 1, VAULT_CREDENTIAL = 2, VAULT_INDEX = 3 };
#define VAULT_PURPOSE_COUNT 3u
MUST_CHECK enum err vault_purpose_from(uint32_t number, enum vault_purpose *out);
const char *vault_purpose_name(enum vault_purpose purpose);

enum vault_op {
    VAULT_OP_SEAL = 1,
    VAULT_OP_OPEN = 2,
    VAULT_OP_INDEX = 3,
    VAULT_OP_VERIFY_MAC = 4,
    VAULT_OP_MATCHES = 5,
    VAULT_OP_SIGN_MAC = 6,
    VAULT_OP_KEY_LOAD = 7,
    VAULT_OP_MAKE_KEYS = 8,
    VAULT_OP_FACTS = 9,
    VAULT_OP_MAKE_ED25519 = 10,
    VAULT_OP_SIGN_ED25519 = 11,
    VAULT_OP_RESEAL = 12,     /* values from an older version of their key to the newest, unseen */
    VAULT_OP_REWRAP = 13,     /* a data key under the key-encryption key in force */
    VAULT_OP_MAKE_KEY = 14,   /* one data key of a further version */
    VAULT_OP_FORGET = 15,     /* a data key, or all of a tenant's for good */
    VAULT_OP_KEK_FORGET = 16, /* a key-encryption key that nothing is wrapped by any more */
    VAULT_OP_USAGE = 17,      /* how often each data key was used */
    VAULT_OP_MAKE_TOTP = 18,  /* a secret for one-time codes, shown once to who enrols it */
    VAULT_OP_CHECK_TOTP = 19, /* a code against it */
};
#define VAULT_OP_LAST VAULT_OP_CHECK_TOTP
MUST_CHECK enum err vault_op_from(uint32_t number, enum vault_op *out);
const char *vault_op_name(enum vault_op op);

/* A sealed value, as the three columns and the key version that a row keeps of it. */
struct vault_sealed {
    struct slice cipher;
    unsigned char iv[VAULT_IV_BYTES], tag[VAULT_TAG_BYTES];
    uint32_t key_version;
};

/* A tenant's data key under a key-encryption key: a row of tenant_key. */
struct vault_wrapped_key {
    struct id tenant;
    enum vault_purpose purpose;
    uint32_t version, kek_version;
    unsigned char cipher[VAULT_KEY_BYTES], iv[VAULT_IV_BYTES], tag[VAULT_TAG_BYTES];
    uint64_t seals; /* values that the database knows to be sealed under it; in a frame only with KEY_LOAD */
};

/* How often a data key was used since it was last told. */
struct vault_use {
    struct id tenant;
    enum vault_purpose purpose;
    uint32_t version;
    uint64_t seals, opens;
};

/* Where a sealed value belongs, as it stands in a frame: names are [a-z0-9_.], 1 to 63 of them. */
struct vault_frame_place {
    struct id tenant;
    struct slice table, column;
    struct id row;
    uint32_t generation;
};

/* Slices point into the frame. Fields that the operation does not use are zero. */
struct vault_request {
    enum vault_op op;
    uint32_t id;                /* of the request; its answer bears the same */
    enum vault_purpose purpose; /* SEAL, OPEN, RESEAL, MAKE_KEY, FORGET */
    size_t item_count;
    struct vault_frame_place
        place;                  /* OPEN, VERIFY_MAC, MATCHES, SIGN_MAC, MAKE_ED25519, SIGN_ED25519, *_TOTP */
    struct vault_sealed sealed; /* likewise, but MAKE_ED25519, MAKE_TOTP */
    struct slice data; /* INDEX: value; VERIFY_MAC, SIGN_MAC, SIGN_ED25519: message; MATCHES: candidate;
                          CHECK_TOTP: code */
    uint64_t totp_step, totp_last;      /* CHECK_TOTP: the present step, and the one that was taken last */
    unsigned char mac[VAULT_MAC_BYTES]; /* VERIFY_MAC */
    struct id tenant;                   /* INDEX, MAKE_KEYS, MAKE_KEY, FORGET */
    struct slice label;                 /* INDEX */
    struct vault_wrapped_key key;       /* KEY_LOAD, REWRAP */
    bool is_newest;                     /* KEY_LOAD: seal new values with this one */
    uint32_t version;                   /* MAKE_KEY, FORGET, KEK_FORGET */
    bool is_whole_tenant;               /* FORGET: all keys of it, and refuse to load any again */
    uint32_t taken;                     /* USAGE: the batch that was written down; 0: none yet */
    struct {
        struct vault_frame_place place;
        struct slice index_label; /* empty: its blind index is not wanted */
        struct slice plain;
        struct vault_sealed sealed; /* RESEAL, in place of plain text and label */
    } items[VAULT_SEAL_ITEMS_MAX];  /* SEAL, RESEAL: item_count of them, those behind are not touched */
};

enum vault_result {
    VAULT_RESULT_OK = 0,
    VAULT_RESULT_FORBIDDEN = 1,   /* ERR_VAULT_FORBIDDEN */
    VAULT_RESULT_KEY_MISSING = 2, /* ERR_VAULT_KEY_MISSING: load it and ask again */
    VAULT_RESULT_CORRUPT = 3,     /* ERR_SEAL_CORRUPT */
    VAULT_RESULT_MISMATCH = 4,    /* ERR_SIGNATURE */
    VAULT_RESULT_LIMIT = 5,       /* ERR_LIMIT */
    VAULT_RESULT_KEK_WRONG = 6,   /* ERR_VAULT_KEK_WRONG */
    VAULT_RESULT_NO_MEMORY = 7,   /* ERR_NO_MEMORY */
    VAULT_RESULT_FAILED = 8,      /* ERR_CRYPTO, and whatever else */
};
enum err vault_result_err(enum vault_result result);
enum vault_result vault_result_of(enum err err);

/* Which key to load. */
struct vault_missing_key {
    struct id tenant;
    enum vault_purpose purpose;
    uint32_t version; /* 0: the newest */
};

struct vault_answer {
    enum vault_op op;
    uint32_t id;
    enum vault_result result; /* not OK: no field below is used, but those of KEY_MISSING */
    struct vault_missing_key missing;
    size_t sealed_count, kek_count, use_count;
    struct slice plain;                                 /* OPEN; MAKE_TOTP: the secret */
    uint64_t totp_step;                                 /* CHECK_TOTP: whose code it was */
    unsigned char mac[VAULT_MAC_BYTES];                 /* INDEX, SIGN_MAC */
    unsigned char public_key[VAULT_PUBLIC_KEY_BYTES];   /* MAKE_ED25519 */
    unsigned char signature[VAULT_SIGNATURE_BYTES];     /* SIGN_ED25519 */
    struct vault_wrapped_key keys[VAULT_PURPOSE_COUNT]; /* MAKE_KEYS; the first: REWRAP, MAKE_KEY */
    enum secret_memory memory;                          /* FACTS, with the next two */
    uint32_t kek_version;
    uint64_t keys_held;
    uint64_t uses_uncounted; /* FACTS: uses that found no room to be counted */
    struct id instance;      /* FACTS, USAGE: of this life of the vault */
    uint32_t batch;          /* USAGE: say so next time, when it is written down */
    /* Long lists, of which only so many are touched as are counted above: an answer is made in no time. */
    struct vault_sealed
        sealed[VAULT_SEAL_ITEMS_MAX]; /* SEAL, in the order of the items; MAKE_ED25519, MAKE_TOTP: one */
    struct vault_item_index {
        bool is_made; /* the item asked for it */
        unsigned char mac[VAULT_INDEX_BYTES];
    } indexes[VAULT_SEAL_ITEMS_MAX];       /* SEAL, likewise */
    uint32_t keks[VAULT_KEKS_MAX + 1];     /* FACTS: versions held */
    struct vault_use uses[VAULT_USES_MAX]; /* USAGE */
};

/* A key-encryption key's parameters and the sealed constant that tells a wrong one: a row of kek. */
struct vault_kek {
    uint32_t version;
    struct kdf_scrypt scrypt;
    unsigned char check_cipher[VAULT_KEY_BYTES], check_iv[VAULT_IV_BYTES], check_tag[VAULT_TAG_BYTES];
};

/* The supervisor's first word to the vault, behind the byte LINK_BOOT; behind LINK_KEK what is to be added.
 */
struct vault_boot {
    /* 32 octets each; in a decoded frame they point into the frame: wipe that. At most
     * VAULT_MASTERS_GIVEN_MAX in a frame; the vault puts behind them what a token has unwrapped. */
    struct slice masters[VAULT_MASTERS_MAX];
    size_t master_count;
    struct vault_kek keks[VAULT_KEKS_MAX];
    size_t kek_count;
    uint32_t make_version; /* 0, or: make a new one with this version, above all others */
    uint32_t make_n;       /* the scrypt cost of that; 0: the usual one */
    uint8_t make_of;       /* which one of all master keys it is made of */
};

/* The vault's answer, behind the byte LINK_BOOTED or LINK_KEK_MADE. */
struct vault_booted {
    enum vault_result result; /* OK, KEK_WRONG, LIMIT (parameters out of bounds), NO_MEMORY or FAILED */
    uint32_t kek_version;     /* the one in force; when it failed: the one it failed at */
    enum secret_memory memory;
    bool has_made; /* store `made` before anything is sealed */
    struct vault_kek made;
};

/*
 * Encoders append to *out; buf_done tells whether there was room. A name that a frame cannot hold is a bug of
 * ours. Decoders leave *out undefined on ERR_FRAME.
 */
void vault_request_encode(struct buf *out, const struct vault_request *request);
MUST_CHECK enum err vault_request_decode(struct slice frame, struct vault_request *out);
void vault_answer_encode(struct buf *out, const struct vault_answer *answer);
MUST_CHECK enum err vault_answer_decode(struct slice frame, struct vault_answer *out);
void vault_boot_encode(struct buf *out, const struct vault_boot *boot);
MUST_CHECK enum err vault_boot_decode(struct slice frame, struct vault_boot *out);
void vault_booted_encode(struct buf *out, const struct vault_booted *booted);
MUST_CHECK enum err vault_booted_decode(struct slice frame, struct vault_booted *out);

/* Whether the text can stand as a table, a column or a label. */
bool vault_name_is_valid(struct slice name);

#endif
