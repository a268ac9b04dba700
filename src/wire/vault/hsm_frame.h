/*
 * The frames of the process that speaks to a PKCS#11 token. The supervisor says how to open it and what to
 * unwrap; the unwrapped master secret goes over a link of its own to the vault, and nowhere else.
 */
#ifndef WIRE_VAULT_HSM_FRAME_H
#define WIRE_VAULT_HSM_FRAME_H
#include "wire/vault/vault_frame.h"

#define HSM_PIN_BYTES_MAX   127u
#define HSM_LABEL_BYTES_MAX 32u /* of a token, by the standard; of a key, our limit */
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

/* Supervisor to broker, behind LINK_HSM_OPEN. */
struct hsm_open {
    uint32_t make_version; /* 0; or: make the key if there is none, and a master secret of this version */
    struct slice pin;      /* 1 to HSM_PIN_BYTES_MAX octets; points into the frame: wipe that */
};
/* Its answer, behind LINK_HSM_OPENED. */
struct hsm_opened {
    enum hsm_trouble trouble;
    bool has_made; /* only without trouble */
    struct hsm_wrapped made;
};
/* Broker to vault: the only frame of its link. */
struct hsm_secret {
    enum hsm_trouble trouble;
    struct slice bytes; /* VAULT_KEY_BYTES octets, without trouble; points into the frame: wipe that */
};

/* As those of vault_frame.h. What the supervisor wants unwrapped is a struct hsm_wrapped, behind
 * LINK_HSM_UNWRAP. */
void hsm_open_encode(struct buf *out, const struct hsm_open *open);
MUST_CHECK enum err hsm_open_decode(struct slice frame, struct hsm_open *out);
void hsm_opened_encode(struct buf *out, const struct hsm_opened *opened);
MUST_CHECK enum err hsm_opened_decode(struct slice frame, struct hsm_opened *out);
void hsm_wrapped_encode(struct buf *out, const struct hsm_wrapped *wrapped);
MUST_CHECK enum err hsm_wrapped_decode(struct slice frame, struct hsm_wrapped *out);
void hsm_secret_encode(struct buf *out, const struct hsm_secret *secret);
MUST_CHECK enum err hsm_secret_decode(struct slice frame, struct hsm_secret *out);

#endif
