/*
 * Samples of headers that are our own media: a header of a picture, a film or a document, of the template or
 * of a card, names one in example.header_handle, where the provider's own handle of an upload may stand as
 * well. Before the definition is handed in, the media is uploaded and its handle takes the place of our id.
 * Pure.
 */
#ifndef DOMAIN_TEMPLATE_TEMPLATE_SAMPLE_H
#define DOMAIN_TEMPLATE_TEMPLATE_SAMPLE_H
#include "core/arena.h"
#include "core/err.h"
#include "core/id.h"
#include <jansson.h>

#define TEMPLATE_SAMPLES_MAX 16u /* one header, or one on each card */

enum template_sample_format {
    TEMPLATE_SAMPLE_IMAGE,
    TEMPLATE_SAMPLE_VIDEO,
    TEMPLATE_SAMPLE_DOCUMENT,
    TEMPLATE_SAMPLE_GIF
};

struct template_sample {
    json_t *example; /* borrowed from the definition */
    enum template_sample_format format;
    struct id media;
    struct slice at; /* JSON Pointer in the definition: "/components/0/example/header_handle/0" */
};

/*
 * Those of a definition that template_definition_check has passed, in order; other handles are passed over.
 * ERR_LIMIT: more than TEMPLATE_SAMPLES_MAX.
 */
MUST_CHECK enum err template_samples(json_t *definition, struct arena *arena,
                                     struct template_sample out[static TEMPLATE_SAMPLES_MAX],
                                     size_t *count_out);
/* Whether it is the text of one of our media; ids that are none have media zero. */
bool template_sample_is_ours(struct slice handle, struct id *media_out);
/* Whether media of this type and size may be the sample, and in words what may. */
bool template_sample_fits(enum template_sample_format format, struct slice mime_type, uint64_t bytes);
const char *template_sample_wants(enum template_sample_format format);
/* The definition names `handle` now. ERR_NO_MEMORY. */
MUST_CHECK enum err template_sample_set(const struct template_sample *sample, struct slice handle);

#endif
