/* A token as the source of the master key: its settings, and its first secret (`harkara vault hsm-init`). */
#ifndef PROGRAM_HARKARA_HSM_INIT_H
#define PROGRAM_HARKARA_HSM_INIT_H
#include "core/clock.h"
#include "core/config.h"
#include "core/secret.h"
#include "program/harkara/complaint.h"
#include "program/harkara/folders.h"
#include "wire/vault/hsm_frame.h"

/* The settings are whole and the PIN is there. ERR_CONFIG; the complaint says which is not. *out is owned. */
MUST_CHECK enum err hsm_pin_read(const struct config *config, struct secret **out,
                                 struct complaint *complaint);
/*
 * Starts the token's process as the supervisor does, lets it make the key if there is none and a master
 * secret of this version, and ends it. ERR_CONFIG: the token refuses; ERR_VAULT_UNAVAILABLE: it is not there,
 * or the process ended.
 */
MUST_CHECK enum err hsm_secret_make(const struct config *config, const struct folders *folders,
                                    struct slice pin, uint32_t version, struct hsm_wrapped *out,
                                    struct complaint *complaint);

#endif
