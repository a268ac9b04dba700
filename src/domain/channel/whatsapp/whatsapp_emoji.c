#include "domain/channel/whatsapp/whatsapp_emoji.h"
#include "core/attribute.h"

#define JOINER           0x200Du
#define TEXT_SELECTOR    0xFE0Eu
#define EMOJI_SELECTOR   0xFE0Fu
#define ENCLOSING_KEYCAP 0x20E3u
#define TAG_END          0xE007Fu

/* Blocks that hold pictographs; what else lies in them is a symbol that a phone shows as well. */
static const struct {
    uint32_t first, last;
} blocks[] = {
    { 0x00A9, 0x00A9 }, { 0x00AE, 0x00AE },   { 0x203C, 0x203C },   { 0x2049, 0x2049 }, { 0x2122, 0x2122 },
    { 0x2139, 0x2139 }, { 0x2190, 0x21FF },   { 0x2300, 0x23FF },   { 0x24C2, 0x24C2 }, { 0x25A0, 0x27BF },
    { 0x2934, 0x2935 }, { 0x2B00, 0x2BFF },   { 0x3030, 0x3030 },   { 0x303D, 0x303D }, { 0x3297, 0x3297 },
    { 0x3299, 0x3299 }, { 0x1F000, 0x1F1E5 }, { 0x1F200, 0x1FAFF },
};

/* The code point at the front of valid UTF-8, or 0 at the end. */
static uint32_t
peek(struct slice text, size_t *bytes_out)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    size_t bytes = text.len == 0 ? 0 : p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;

    *bytes_out = bytes;
    if (bytes == 0 || bytes > text.len)
        return 0;
    uint32_t point = bytes == 1 ? p[0] : p[0] & (0x7Fu >> bytes);
    for (size_t i = 1; i < bytes; i++)
        point = point << 6 | (p[i] & 0x3Fu);
    return point;
}

static bool
take_between(struct slice *text, uint32_t first, uint32_t last)
{
    size_t bytes;
    uint32_t point = peek(*text, &bytes);

    if (point < first || point > last || point == 0)
        return false;
    *text = slice_drop(*text, bytes);
    return true;
}

static bool
take(struct slice *text, uint32_t wanted)
{
    return take_between(text, wanted, wanted);
}

static bool
take_pictograph(struct slice *text)
{
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        if (take_between(text, blocks[i].first, blocks[i].last))
            return true;
    return false;
}

/* A pictograph with its look, skin tone and tags (the flags of regions). */
static bool
take_element(struct slice *text)
{
    if (!take_pictograph(text))
        return false;
    if (!take(text, EMOJI_SELECTOR) && !take(text, TEXT_SELECTOR))
        (void)take_between(text, 0x1F3FB, 0x1F3FF);
    if (take_between(text, 0xE0020, 0xE007E)) {
        while (take_between(text, 0xE0020, 0xE007E))
            continue;
        return take(text, TAG_END);
    }
    return true;
}

static bool
take_keycap(struct slice *text)
{
    if (!take_between(text, '0', '9') && !take(text, '#') && !take(text, '*'))
        return false;
    (void)take(text, EMOJI_SELECTOR);
    return take(text, ENCLOSING_KEYCAP);
}

bool
whatsapp_is_one_emoji(struct slice text)
{
    struct slice rest = text;

    if (take_between(&rest, 0x1F1E6, 0x1F1FF)) /* a flag: two letters of a country */
        return take_between(&rest, 0x1F1E6, 0x1F1FF) && rest.len == 0;
    if (take_keycap(&rest))
        return rest.len == 0;
    rest = text;
    if (!take_element(&rest))
        return false;
    while (take(&rest, JOINER))
        if (!take_element(&rest))
            return false;
    return rest.len == 0;
}
