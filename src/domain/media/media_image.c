#include "domain/media/media_image.h"

#define PNG_HEAD_BYTES 24u /* signature, length and type of IHDR, width, height */

static enum err
size_set(uint32_t width, uint32_t height, struct media_image_size *out)
{
    if (width == 0 || height == 0)
        return ERR_MEDIA_MISMATCH;
    *out = (struct media_image_size){ .width = width, .height = height };
    return ERR_OK;
}

/* SOF0 to SOF15 are frame headers; DHT, JPG and DAC lie among them and are not. */
static bool
is_frame(unsigned marker)
{
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

/* TEM, RSTn and SOI have no length behind them. */
static bool
stands_alone(unsigned marker)
{
    return marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8);
}

static unsigned
byte_at(struct slice text, size_t at)
{
    return (unsigned char)text.ptr[at];
}

/* Big-endian; the caller has seen that they are there. */
static uint32_t
number_at(struct slice text, size_t at, size_t bytes)
{
    uint32_t number = 0;

    for (size_t i = 0; i < bytes; i++)
        number = number << 8 | byte_at(text, at + i);
    return number;
}

static enum err
jpeg_read(struct slice rest, struct media_image_size *out)
{
    rest = slice_drop(rest, 2); /* SOI */
    while (rest.len >= 2) {
        unsigned marker = byte_at(rest, 1);
        if (byte_at(rest, 0) != 0xff)
            return ERR_MEDIA_MISMATCH;
        if (marker == 0xff) { /* a fill byte */
            rest = slice_drop(rest, 1);
            continue;
        }
        rest = slice_drop(rest, 2);
        if (stands_alone(marker))
            continue;
        if (marker == 0x00 || marker == 0xd9 ||
            marker == 0xda) /* the scan begins, or all ends, without one */
            return ERR_MEDIA_MISMATCH;
        if (rest.len < 2)
            break;
        size_t length = number_at(rest, 0, 2); /* counts itself */
        if (length < 2 || (is_frame(marker) && length < 8))
            return ERR_MEDIA_MISMATCH;
        if (is_frame(marker)) /* length, precision, lines, samples of a line */
            return rest.len < 7 ? ERR_INCOMPLETE
                                : size_set(number_at(rest, 5, 2), number_at(rest, 3, 2), out);
        if (length > rest.len)
            break;
        rest = slice_drop(rest, length);
    }
    return ERR_INCOMPLETE;
}

enum err
media_image_size_read(struct slice head, struct media_image_size *out)
{
    const struct slice png = SLICE("\x89PNG\r\n\x1a\n"), jpeg = SLICE("\xff\xd8");

    *out = (struct media_image_size){ 0 };
    if (slice_starts_with(head, jpeg))
        return jpeg_read(head, out);
    if (!slice_starts_with(head, png))
        return head.len < png.len && (slice_starts_with(png, head) || slice_starts_with(jpeg, head))
                   ? ERR_INCOMPLETE
                   : ERR_MEDIA_MISMATCH;
    if (head.len < PNG_HEAD_BYTES)
        return ERR_INCOMPLETE;
    if (!slice_eq(slice_first(slice_drop(head, 12), 4), SLICE("IHDR")))
        return ERR_MEDIA_MISMATCH;
    return size_set(number_at(head, 16, 4), number_at(head, 20, 4), out);
}
