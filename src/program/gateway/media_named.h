/*
 * Our own media that a request names for a provider task: as the samples of a template's headers, as the
 * picture of a profile. It must be the asking tenant's, ready, and of a type and size that fit; and it is
 * kept until the task cannot want it any more.
 */
#ifndef PROGRAM_GATEWAY_MEDIA_NAMED_H
#define PROGRAM_GATEWAY_MEDIA_NAMED_H
#include "domain/template/template_sample.h"
#include "platform/db/db.h"
#include "program/gateway/gateway.h"

struct media_named_fault {
    struct slice at;    /* JSON Pointer */
    const char *detail; /* NULL: there is none */
};

struct media_named_samples {
    struct template_sample samples[TEMPLATE_SAMPLES_MAX];
    size_t count;
    struct media_named_fault fault;
};

/* Those that the definition in the request's body names. */
MUST_CHECK enum err media_named_samples_read(struct http_request *request, struct media_named_samples *out);
/*
 * In the transaction that makes the task. ERR_MEDIA_UNKNOWN, ERR_MEDIA_KIND with named->fault, which goes
 * into the problem once the transaction is over.
 */
MUST_CHECK enum err media_named_samples_keep(struct db_tx *tx, const struct clock *clock, struct arena *arena,
                                             struct media_named_samples *named);
void media_named_fault_add(struct http_request *request, const struct media_named_fault *fault);

/*
 * The picture of a profile, which a member of the request's body names: a JPEG or PNG, square, of at least
 * MEDIA_NAMED_PICTURE_MIN pixels a side. ERR_MEDIA_UNKNOWN, ERR_MEDIA_KIND, ERR_MEDIA_FORMAT with their
 * place.
 */
#define MEDIA_NAMED_PICTURE_MIN 192u
MUST_CHECK enum err media_named_picture_check(struct http_request *request, const char *member);

#endif
