#include "platform/net/curl_library_internal.h"
#include <curl/curl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void
heap_free(void *ptr)
{
    if (ptr != NULL)
        explicit_bzero(ptr, malloc_usable_size(ptr));
    free(ptr);
}

static void *
heap_realloc(void *ptr, size_t bytes)
{
    size_t had = ptr == NULL ? 0 : malloc_usable_size(ptr);
    void *moved = malloc(bytes == 0 ? 1 : bytes);

    if (moved == NULL || ptr == NULL)
        return moved;
    memcpy(moved, ptr, had < bytes ? had : bytes);
    heap_free(ptr);
    return moved;
}

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static bool library_is_ready; /* written under library_once */

static void
library_init(void)
{
    library_is_ready = curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, heap_free, heap_realloc, strdup,
                                            calloc) == CURLE_OK;
}

enum err
curl_library_begin(void)
{
    return pthread_once(&library_once, library_init) == 0 && library_is_ready ? ERR_OK : ERR_NO_MEMORY;
}
