/*
 * The provider's other half: for each message that it took, its statuses as signed callbacks (sent,
 * delivered, read), each a POST of its own over connections that are kept.
 */
#ifndef BENCH_CALLBACKS_H
#define BENCH_CALLBACKS_H
#include "core/slice.h"
#include <stdint.h>

/*
 * Reads where to post: a line per number, its parts parted by tabs: phone number id, account id, port of the
 * loopback, path, app secret. It replaces what was known; an empty file ends it. What waits is still posted.
 */
void callbacks_load(const char *path);

/* A message was taken: its statuses are posted, if its number is known. The slices are copied. */
void callbacks_add(struct slice phone_number_id, struct slice provider_id, struct slice callback_data,
                   struct slice recipient);

/* Posts what is due; milliseconds until more is, -1: nothing waits. */
int callbacks_turn(void);

struct callbacks_count {
    uint64_t posted, refused, waiting; /* refused: answered with anything but 2xx */
};
struct callbacks_count callbacks_count(void);

#endif
