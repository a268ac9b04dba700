/*
 * The frames of the process that speaks to PKCS#11 tokens. The supervisor says how to open them, what to make
 * and what to unwrap; an unwrapped master secret goes over a link of its own to the vault, and nowhere else.
 */
#ifndef WIRE_VAULT_HSM_FRAME_H
#define WIRE_VAULT_HSM_FRAME_H
#include "wire/vault/vault_frame.h"

#define HSM_PIN_BYTES_MAX   127u
#define HSM_LABEL_BYTES_MAX 32u /* of a token, by the standard; of a key, our limit */
#define HSM_TOKENS_MAX      2u  /* the one in use, and the one that is to follow it */
#define HSM_SECRETS_MAX     4u  /* that one frame names */
#define HSM_FRAME_BYTES_MAX 512u

/* What became of it. The numbers are those of the frames. */
enum hsm_trouble {
    HSM_TROUBLE_NONE,
    HSM_TROUBLE_MODULE,      /* the module does not load */
    HSM_TROUBLE_TOKEN,       /* no token, or more than one, has the label; or it does not answer */
    HSM_TROUBLE_PIN,         /* refused: asking again may lock the token */
    HSM_TROUBLE_PIN_LOCKED,  /* the token takes no PIN any more */
    HSM_TROUBLE_KEY_MISSING, /* no key, or more than one, has the label */
    HSM_TROUBLE_KEY_UNFIT,   /* not AES-256, or it can leave the token */
    HSM_TROUBLE_REFUSED,     /* what is wrapped does not open: damaged, or another key's */
    HSM_TROUBLE_FAILED       /* anything else that the module said */
};

/* For the operator; never NULL, never the PIN. */
const char *hsm_trouble_text(enum hsm_trouble trouble);
/* Whether trying again by itself can help. */
bool hsm_trouble_may_pass(enum hsm_trouble trouble);

/*
 * The master secret as it is stored: AES-256-GCM by the token's key, with 1, 4, version u32 as associated
 * data (docs/vault.md).
 */
struct hsm_wrapped {
    uint32_t version; /* from 1 */
    unsigned char cipher[VAULT_KEY_BYTES], iv[VAULT_IV_BYTES], tag[VAULT_TAG_BYTES];
};
#define HSM_ASSOCIATED_BYTES 6u
void hsm_wrapped_associated(uint32_t version, unsigned char out[HSM_ASSOCIATED_BYTES]);

/* A key in one of the tokens. */
struct hsm_key {
    uint8_t token;      /* which one of struct hsm_open */
    struct slice label; /* 1 to HSM_LABEL_BYTES_MAX octets, none of them NUL; points into the frame */
};

/* Supervisor to broker, behind LINK_HSM_OPEN. */
struct hsm_open {
    struct {
        struct slice label; /* as that of a key */
        struct slice pin;   /* 1 to HSM_PIN_BYTES_MAX octets; points into the frame: wipe that */
    } tokens[HSM_TOKENS_MAX];
    size_t token_count;                   /* at least one */
    struct hsm_key keys[HSM_SECRETS_MAX]; /* which have to be there and fit */
    size_t key_count;
};
/* Its answer, behind LINK_HSM_OPENED. */
struct hsm_opened {
    enum hsm_trouble trouble;
};
/* Supervisor to broker, behind LINK_HSM_MAKE: a new master secret, wrapped by this key, which is made too if
 * there is none. */
struct hsm_make {
    uint32_t version; /* of the secret */
    struct hsm_key key;
};
/* Its answer, behind LINK_HSM_MADE. */
struct hsm_made {
    enum hsm_trouble trouble;
    struct hsm_wrapped made; /* only without trouble */
};
/* Supervisor to broker, behind LINK_HSM_UNWRAP, with the end of a link. */
struct hsm_unwrap {
    struct {
        struct hsm_key key;
        struct hsm_wrapped wrapped;
    } secrets[HSM_SECRETS_MAX];
    size_t count; /* at least one */
};
/* Broker to vault: the only frame of that link. */
struct hsm_secrets {
    enum hsm_trouble trouble;
    /* VAULT_KEY_BYTES octets each, none with trouble, in the order of the question; they point into the
     * frame: wipe that. */
    struct slice bytes[HSM_SECRETS_MAX];
    size_t count;
};

/* As those of vault_frame.h. */
void hsm_open_encode(struct buf *out, const struct hsm_open *open);
MUST_CHECK enum err hsm_open_decode(struct slice frame, struct hsm_open *out);
void hsm_opened_encode(struct buf *out, const struct hsm_opened *opened);
MUST_CHECK enum err hsm_opened_decode(struct slice frame, struct hsm_opened *out);
void hsm_make_encode(struct buf *out, const struct hsm_make *make);
MUST_CHECK enum err hsm_make_decode(struct slice frame, struct hsm_make *out);
void hsm_made_encode(struct buf *out, const struct hsm_made *made);
MUST_CHECK enum err hsm_made_decode(struct slice frame, struct hsm_made *out);
void hsm_unwrap_encode(struct buf *out, const struct hsm_unwrap *unwrap);
MUST_CHECK enum err hsm_unwrap_decode(struct slice frame, struct hsm_unwrap *out);
void hsm_secrets_encode(struct buf *out, const struct hsm_secrets *secrets);
MUST_CHECK enum err hsm_secrets_decode(struct slice frame, struct hsm_secrets *out);

/* Whether the text can stand as a token's or a key's label. */
bool hsm_label_is_valid(struct slice label);

#endif
