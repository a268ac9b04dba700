/* For tests: what whatsapp_event_read reports, as JSON that can be compared and kept in a file. */
#ifndef DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_DUMP_TESTING_H
#define DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_DUMP_TESTING_H
#include "core/err.h"
#include "core/slice.h"
#include <jansson.h>

/* An array with one object for each event, the normalised content of messages included. *out is owned. */
MUST_CHECK enum err whatsapp_dump(struct slice body, json_t **out);

#endif
