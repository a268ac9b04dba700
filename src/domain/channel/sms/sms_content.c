#include "domain/channel/sms/sms_content.h"
#include "wire/json/json.h"

static const char *const unicode_words[] = { [SMS_UNICODE_AUTO] = "auto",
                                             [SMS_UNICODE_REFUSE] = "refuse",
                                             [SMS_UNICODE_TRANSLITERATE] = "transliterate" };

const char *
sms_unicode_word(enum sms_unicode unicode)
{
    if ((unsigned)unicode >= COUNT_OF(unicode_words))
        bug("no such treatment of Unicode");
    return unicode_words[unicode];
}

enum err
sms_unicode_parse(struct slice word, enum sms_unicode *out)
{
    for (unsigned i = 0; i < COUNT_OF(unicode_words); i++)
        if (slice_eq(word, slice_text(unicode_words[i]))) {
            *out = (enum sms_unicode)i;
            return ERR_OK;
        }
    return ERR_MESSAGE_INVALID;
}

/* What has a plain form that means the same to a reader. Of scripts other than Latin nothing is here. */
static const struct {
    uint32_t from;
    const char *to;
} plain_forms[] = {
    { 0x2018, "'" }, { 0x2019, "'" },  { 0x201A, "'" },  { 0x2032, "'" },  { 0x60, "'" },
    { 0xB4, "'" },   { 0x201C, "\"" }, { 0x201D, "\"" }, { 0x201E, "\"" }, { 0x2033, "\"" },
    { 0xAB, "\"" },  { 0xBB, "\"" },   { 0x2010, "-" },  { 0x2011, "-" },  { 0x2012, "-" },
    { 0x2013, "-" }, { 0x2014, "-" },  { 0x2015, "-" },  { 0x2212, "-" },  { 0x2026, "..." },
    { 0xA0, " " },   { 0x202F, " " },  { 0x2009, " " },  { 0x09, " " },    { 0x200B, "" },
    { 0xFEFF, "" },  { 0x2022, "*" },  { 0xB7, "." },    { 0xD7, "x" },    { 0x20B9, "Rs." },
    { 0xC0, "A" },   { 0xC1, "A" },    { 0xC2, "A" },    { 0xC3, "A" },    { 0xC8, "E" },
    { 0xCA, "E" },   { 0xCB, "E" },    { 0xCC, "I" },    { 0xCD, "I" },    { 0xCE, "I" },
    { 0xCF, "I" },   { 0xD2, "O" },    { 0xD3, "O" },    { 0xD4, "O" },    { 0xD5, "O" },
    { 0xD9, "U" },   { 0xDA, "U" },    { 0xDB, "U" },    { 0xDD, "Y" },    { 0xE1, "a" },
    { 0xE2, "a" },   { 0xE3, "a" },    { 0xE7, "c" },    { 0xEA, "e" },    { 0xEB, "e" },
    { 0xED, "i" },   { 0xEE, "i" },    { 0xEF, "i" },    { 0xF3, "o" },    { 0xF4, "o" },
    { 0xF5, "o" },   { 0xFA, "u" },    { 0xFB, "u" },    { 0xFD, "y" },    { 0xFF, "y" },
};

enum err
sms_transliterate(struct slice text, struct buf *out, size_t *changed_out)
{
    const struct gsm7_alphabet plain = { GSM7_DEFAULT, GSM7_DEFAULT };
    unsigned char septets[2];
    uint32_t code_point = 0;

    *changed_out = 0;
    while (text.len > 0) {
        struct slice before = text;
        if (!slice_utf8_take(&text, &code_point))
            return ERR_UTF8;
        const char *form = NULL;
        for (size_t i = 0; i < COUNT_OF(plain_forms) && form == NULL; i++)
            if (plain_forms[i].from == code_point)
                form = plain_forms[i].to;
        if (form != NULL && gsm7_from_code_point(plain, code_point, septets) == 0) {
            buf_add_text(out, form);
            *changed_out += 1;
        } else {
            buf_add(out, slice_first(before, before.len - text.len));
        }
    }
    return buf_done(out);
}

static enum err
fault(struct problem *problem, struct arena *arena, struct slice at, const char *member, const char *detail)
{
    problem_add(problem, arena, arena_format(arena, "%.*s%s", SLICE_FMT(at), member), slice_text(detail));
    return ERR_MESSAGE_INVALID;
}

static enum err
options_read(const json_t *options, struct slice at, struct arena *arena, struct problem *problem,
             struct sms_content *out)
{
    struct slice unicode = json_text_of(options, "unicode");
    const json_t *flash = json_member(options, "flash");

    out->is_flash = json_is_true(flash);
    (void)json_int_of(options, "validity_s", &out->validity_s);
    if (out->validity_s != 0 &&
        (out->validity_s < SMS_VALIDITY_S_MIN || out->validity_s > SMS_VALIDITY_S_MAX))
        return fault(problem, arena, at, "/sms/validity_s", "must be 60 to 604800 seconds");
    if (unicode.ptr != NULL && sms_unicode_parse(unicode, &out->unicode) != ERR_OK)
        return fault(problem, arena, at, "/sms/unicode", "must be auto, refuse or transliterate");
    return ERR_OK;
}

enum err
sms_content_read(const json_t *content, enum sms_unicode unicode_default, struct slice at,
                 struct arena *arena, struct problem *problem, struct sms_content *out)
{
    struct slice type = json_text_of(content, "type");
    struct buf plain;

    *out = (struct sms_content){ .unicode = unicode_default,
                                 .text = json_text_of(json_member(content, "text"), "body") };
    if (!slice_eq(type, SLICE("text")))
        return fault(problem, arena, at, "/type", "must be text: an SMS is nothing else");
    if (out->text.len == 0 || out->text.len > SMS_TEXT_BYTES_MAX)
        return fault(problem, arena, at, "/text/body", "must have 1 to 4096 characters");
    enum err err = options_read(json_member(content, "sms"), at, arena, problem, out);
    if (err != ERR_OK || out->unicode != SMS_UNICODE_TRANSLITERATE)
        return err;
    buf_init(&plain, 4 * SMS_TEXT_BYTES_MAX);
    err = sms_transliterate(out->text, &plain, &out->changed);
    if (err == ERR_OK) {
        out->text = arena_copy(arena, buf_slice(&plain));
        err = out->text.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    buf_release_wiped(&plain);
    return err;
}

enum err
sms_content_check(const json_t *content, enum sms_unicode unicode_default, const struct sms_rules *rules,
                  struct slice at, struct arena *arena, struct problem *problem,
                  struct sms_content *content_out, struct sms_text *text_out)
{
    enum err err = sms_content_read(content, unicode_default, at, arena, problem, content_out);

    if (err != ERR_OK)
        return err;
    if (content_out->text.len == 0)
        return fault(problem, arena, at, "/text/body", "is empty when it is written plainly");
    err = sms_text_measure(content_out->text, rules, text_out);
    if (err == ERR_LIMIT) {
        problem_add(problem, arena, arena_format(arena, "%.*s/text/body", SLICE_FMT(at)),
                    arena_format(arena, "takes %zu parts, and this channel sends at most %u",
                                 text_out->part_count, rules->parts_max));
        return ERR_MESSAGE_INVALID;
    }
    if (err == ERR_UTF8)
        return fault(problem, arena, at, "/text/body", "is no text");
    if (err == ERR_OK && content_out->unicode == SMS_UNICODE_REFUSE && text_out->alphabet == SMS_UCS2)
        return fault(problem, arena, at, "/text/body",
                     "has a character that is not in the 7-bit alphabet, and Unicode is refused");
    return err;
}
