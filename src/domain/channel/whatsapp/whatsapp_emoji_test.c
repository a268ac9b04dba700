#include "core/unit.h"
#include "domain/channel/whatsapp/whatsapp_emoji.h"

#define SCOTLAND                                                                                             \
    "\xF0\x9F\x8F\xB4\xF3\xA0\x81\xA7\xF3\xA0\x81\xA2\xF3\xA0\x81\xB3\xF3\xA0\x81\xA3\xF3\xA0\x81\xB4\xF3\xA0\x81\xBF"

static void
one_emoji_is_one(void **state UNUSED)
{
    static const char *const one[] = {
        "\xF0\x9F\x91\x8D",                                                         /* thumbs up */
        "\xF0\x9F\x91\x8D\xF0\x9F\x8F\xBD",                                         /* with a skin tone */
        "\xE2\x9D\xA4\xEF\xB8\x8F",                                                 /* red heart */
        "\xE2\x9D\xA4",                                                             /* without its selector */
        "\xF0\x9F\x87\xAE\xF0\x9F\x87\xB3",                                         /* flag of India */
        SCOTLAND,                                                                   /* flag of Scotland */
        "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7", /* a family of three */
        "\xF0\x9F\xA7\x91\xF0\x9F\x8F\xBE\xE2\x80\x8D\xF0\x9F\x9A\x80",             /* an astronaut */
        "\xF0\x9F\x8F\xB3\xEF\xB8\x8F\xE2\x80\x8D\xF0\x9F\x8C\x88",                 /* rainbow flag */
        "1\xEF\xB8\x8F\xE2\x83\xA3",                                                /* keycap 1 */
        "#\xE2\x83\xA3",
        "\xC2\xA9",         /* copyright */
        "\xF0\x9F\xAB\xA0", /* melting face */
        "\xF0\x9F\x8F\xBD", /* a skin tone alone is one too */
    };

    for (size_t i = 0; i < COUNT_OF(one); i++)
        if (!whatsapp_is_one_emoji(slice_text(one[i])))
            fail_msg("row %zu", i);
}

static void
anything_else_is_not(void **state UNUSED)
{
    static const char *const other[] = {
        "",
        "a",
        "ok",
        "1",
        "#",
        ":)",
        " \xF0\x9F\x91\x8D",
        "\xF0\x9F\x91\x8D ",
        "\xF0\x9F\x91\x8D\xF0\x9F\x91\x8D", /* two */
        "\xF0\x9F\x91\x8D.",
        "\xF0\x9F\x87\xAE", /* half a flag */
        "\xF0\x9F\x87\xAE\xF0\x9F\x87\xB3\xF0\x9F\x87\xAE",
        "\xF0\x9F\x91\xA9\xE2\x80\x8D", /* joined to nothing */
        "\xE2\x80\x8D\xF0\x9F\x91\xA9",
        "\xEF\xB8\x8F",                     /* a selector alone */
        "\xF0\x9F\x8F\xB4\xF3\xA0\x81\xA7", /* tags without their end */
        "\xE0\xA4\x95",                     /* a letter of Devanagari */
    };

    for (size_t i = 0; i < COUNT_OF(other); i++)
        if (whatsapp_is_one_emoji(slice_text(other[i])))
            fail_msg("row %zu", i);
}

UNIT_MAIN(cmocka_unit_test(one_emoji_is_one), cmocka_unit_test(anything_else_is_not))
