/* For tests: the files of tests/fixtures/whatsapp. */
#ifndef DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_FIXTURE_TESTING_H
#define DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_FIXTURE_TESTING_H
#include "core/buf.h"

/* "webhook", "answer" or "content" and a file name, read whole into `out` (initialised here). Fails the test.
 */
void whatsapp_fixture_read(const char *folder, const char *name, struct buf *out);
/* Calls `with` for each file of the folder whose name ends in `suffix`, in the order of their names. Returns
 * how many. */
size_t whatsapp_fixture_each(const char *folder, const char *suffix,
                             void (*with)(const char *name, struct slice content));

#endif
