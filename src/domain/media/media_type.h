/*
 * What WhatsApp takes as media: which types, of which kind, how large; and what the first bytes of each look
 * like. A declared type is believed only when the bytes agree. Nothing here allocates or reads beyond the
 * head. Sources: the Cloud API's media page (types, sizes); RFC 9649 (WebP), RFC 7845 (Ogg Opus), RFC 4867
 * (AMR), PNG 11.2.2, ISO 14496-12 4.3 (ftyp).
 */
#ifndef DOMAIN_MEDIA_MEDIA_TYPE_H
#define DOMAIN_MEDIA_MEDIA_TYPE_H
#include "core/err.h"
#include "core/slice.h"

#define MEDIA_HEAD_BYTES     512u /* what media_type_check wants to see, when there is as much */
#define MEDIA_BYTES_MAX      ((size_t)100 * 1024 * 1024) /* of the largest kind */
#define MEDIA_MIME_BYTES_MAX 127u

enum media_kind { MEDIA_IMAGE, MEDIA_AUDIO, MEDIA_VIDEO, MEDIA_DOCUMENT, MEDIA_STICKER, MEDIA_KINDS };
/* "image"; the word of a message's type too. */
const char *media_kind_word(enum media_kind kind);
/* ERR_NOT_FOUND for a word that is none. */
MUST_CHECK enum err media_kind_parse(struct slice word, enum media_kind *out);

struct media_type {
    const char *mime;
    enum media_kind kind;
    int look;         /* which bytes it begins with: media_type.c's own */
    size_t bytes_max; /* of a sticker: when it is animated */
};

/* By a Content-Type: its parameters and the case do not matter. NULL: nothing that can be sent. */
const struct media_type *media_type_find(struct slice content_type);
/* The rows, for documents and tests; NULL behind the last. */
const struct media_type *media_type_at(size_t index);

/*
 * Do the first bytes (MEDIA_HEAD_BYTES of them, or all there are) fit the type? *bytes_max_out is how large
 * it may be: a static sticker less than an animated one. ERR_MEDIA_EMPTY; ERR_MEDIA_MISMATCH: they are
 * something else; ERR_MEDIA_FORMAT: of the type, but in a form that WhatsApp does not take (Ogg that is not
 * mono Opus, PNG that is not 8-bit RGB or RGBA, a sticker that is not 512 by 512).
 */
MUST_CHECK enum err media_type_check(const struct media_type *type, struct slice head, size_t *bytes_max_out);

#endif
