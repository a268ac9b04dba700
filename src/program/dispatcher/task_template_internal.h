/* What the tasks about one template and those about all of an account share. */
#ifndef PROGRAM_DISPATCHER_TASK_TEMPLATE_INTERNAL_H
#define PROGRAM_DISPATCHER_TASK_TEMPLATE_INTERNAL_H
#include "crypto/hash.h"
#include "domain/template/template_item.h"
#include "program/dispatcher/task_handlers.h"

#define TASK_TEMPLATE_PAGE                                                                                   \
    "100" /* WhatsApp's most; TASK_ANSWERS_MAX pages are more than an account can have */

/* The components of an item, sealed for this template, with their digest and needs, into the news. */
MUST_CHECK enum err task_template_seal(struct task_run *run, const json_t *components, struct id template,
                                       struct arena *arena, const unsigned char *known_digest,
                                       struct template_news *news, struct vault_sealed *sealed_out,
                                       unsigned char digest_out[HASH_BYTES]);

#endif
