/* libcurl, begun once for the process, with a heap of which nothing is freed unwiped: its request buffers
 * hold tokens, passwords and message text. */
#ifndef PLATFORM_NET_CURL_LIBRARY_INTERNAL_H
#define PLATFORM_NET_CURL_LIBRARY_INTERNAL_H
#include "core/err.h"

/* From any thread, as often as one likes. ERR_NO_MEMORY. */
MUST_CHECK enum err curl_library_begin(void);

#endif
