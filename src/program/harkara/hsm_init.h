/* A token as the source of the master key: its settings, and its first secret (`harkara vault hsm-init`). */
#ifndef PROGRAM_HARKARA_HSM_INIT_H
#define PROGRAM_HARKARA_HSM_INIT_H
#include "core/clock.h"
#include "core/config.h"
#include "core/secret.h"
#include "program/harkara/complaint.h"
#include "program/harkara/folders.h"
#include "wire/vault/hsm_frame.h"

/* The PINs of the token and, if one is to follow it, of the other one (else NULL). */
struct hsm_pins {
    struct secret *pins[HSM_TOKENS_MAX]; /* owned */
};
/* The settings are whole and the PINs are there. ERR_CONFIG; the complaint says which is not. */
MUST_CHECK enum err hsm_pins_read(const struct config *config, struct hsm_pins *out,
                                  struct complaint *complaint);
void hsm_pins_free(struct hsm_pins *pins);
/* The tokens, for the first frame to their process; borrows the pins. */
void hsm_open_of(const struct config *config, const struct hsm_pins *pins, struct hsm_open *out);
/*
 * Starts the token's process as the supervisor does, lets it make the key if there is none and a master
 * secret of this version, and ends it. ERR_CONFIG: the token refuses; ERR_VAULT_UNAVAILABLE: it is not there,
 * or the process ended.
 */
MUST_CHECK enum err hsm_secret_make(const struct config *config, const struct folders *folders,
                                    const struct hsm_pins *pins, uint32_t version, struct hsm_wrapped *out,
                                    struct complaint *complaint);

#endif
