/* For tests of any room: memory for JSON trees that runs out when the test says so. */
#ifndef WIRE_JSON_JSON_TESTING_H
#define WIRE_JSON_JSON_TESTING_H
#include <stddef.h>

/* From now on the trees of this thread's tests get so many allocations and no more. */
void json_testing_starve(size_t allocations);
/* Memory without end again. */
void json_testing_feed(void);

#endif
