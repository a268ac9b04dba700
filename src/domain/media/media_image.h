/*
 * How large a picture is, from its first bytes alone. Nothing here allocates. Sources: PNG (third edition)
 * 11.2.1; JPEG, ITU-T T.81, B.1.1.3 and B.2.2: segments with their length, up to the frame header, which says
 * height and width.
 */
#ifndef DOMAIN_MEDIA_MEDIA_IMAGE_H
#define DOMAIN_MEDIA_MEDIA_IMAGE_H
#include "core/err.h"
#include "core/slice.h"

struct media_image_size {
    uint32_t width, height; /* pixels, both above 0 */
};

/*
 * Of a JPEG or a PNG, told apart by their first bytes. ERR_INCOMPLETE: what tells it lies behind `head` (a
 * JPEG may have much before its frame). ERR_MEDIA_MISMATCH: it is neither, or no picture.
 */
MUST_CHECK enum err media_image_size_read(struct slice head, struct media_image_size *out);

#endif
