#include "core/buf.h"
#include "core/unit.h"
#include "wire/http/multipart.h"

#define TYPE SLICE("multipart/form-data; boundary=\"a b\"; charset=utf-8")

/* What the parser makes of the body, given in pieces of `piece` bytes: "[name|file|type]data" per part, "."
 * at the end. */
static enum err
parse(struct slice body, size_t piece, struct buf *out)
{
    struct multipart parser;
    enum multipart_event event = MULTIPART_MORE;
    struct slice data;
    enum err err = multipart_init(&parser, TYPE);

    while (err == ERR_OK && body.len != 0 && event != MULTIPART_END) {
        struct slice part = slice_first(body, piece);
        body = slice_drop(body, piece);
        do {
            err = multipart_next(&parser, &part, &event, &data);
            if (err == ERR_OK && event == MULTIPART_PART)
                buf_add_format(out, "[%.*s|%.*s|%.*s]", SLICE_FMT(parser.name), SLICE_FMT(parser.file_name),
                               SLICE_FMT(parser.content_type));
            if (err == ERR_OK && event == MULTIPART_DATA)
                buf_add(out, data);
        } while (err == ERR_OK && part.len != 0);
    }
    if (event == MULTIPART_END)
        buf_add_byte(out, '.');
    return err;
}

static void
assert_parses(const char *body, enum err want, const char *shown)
{
    for (size_t piece = 1; piece <= 80; piece++) {
        struct buf out;
        buf_init(&out, 4096);
        enum err err = parse(slice_text(body), piece, &out);
        if (err != want || (want == ERR_OK && !slice_eq(buf_slice(&out), slice_text(shown))))
            fail_msg("in pieces of %zu: %s, %.*s", piece, err_code(err), SLICE_FMT(buf_slice(&out)));
        buf_release(&out);
    }
}

static void
parts_come_in_any_pieces(void **state UNUSED)
{
    assert_parses(
        "--a b\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n"
        "--a b\r\ncontent-disposition: form-data; filename=\"a \\\"b\\\".pdf\"; name=file\r\n"
        "Content-Type: application/pdf\r\n\r\n%PDF\r\n--a c\r\n\r\r\n-\r\n--a b  \r\n"
        "Content-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n--a b--\r\nepilogue",
        ERR_OK,
        "[messaging_product||]whatsapp[file|a \"b\".pdf|application/pdf]%PDF\r\n--a c\r\n\r\r\n-[empty||].");
}

static void
what_stands_before_the_first_delimiter_is_dropped(void **state UNUSED)
{
    assert_parses("preamble --a b\r\n--a b\r\nContent-Disposition: form-data; name=x\r\n\r\ny\r\n--a b--",
                  ERR_OK, "[x||]y.");
    assert_parses("--a b--", ERR_OK, ".");
    assert_parses("nothing of the kind", ERR_OK, "");
}

/* The line end before a delimiter is the delimiter's, also when the part has no bytes at all. */
static void
a_part_may_be_empty(void **state UNUSED)
{
    assert_parses("--a b\r\nContent-Disposition: form-data; name=x\r\n\r\n--a b--", ERR_OK, "[x||].");
    assert_parses("--a b\r\nContent-Disposition: form-data; name=x\r\n\r\n-", ERR_OK, "[x||]");
    assert_parses("--a b\r\nContent-Disposition: form-data; name=x\r\n\r\n-y\r\n--a b--", ERR_OK, "[x||]-y.");
}

static void
what_is_no_form_is_refused(void **state UNUSED)
{
    assert_parses("--a bc\r\n", ERR_HTTP_SYNTAX, "");
    assert_parses("--a b\r\n\r\nno name\r\n--a b--", ERR_HTTP_SYNTAX, "");
    assert_parses("--a b\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--a b--", ERR_HTTP_SYNTAX, "");
    assert_parses("--a b\r\nnot a field\r\n\r\n", ERR_HTTP_SYNTAX, "");
    assert_parses("--a b\r\nContent-Disposition: form-data; name=x\nb: c\r\n\r\n", ERR_HTTP_SYNTAX, "");
}

static void
fields_and_parts_have_limits(void **state UNUSED)
{
    struct buf body, out;

    buf_init(&body, 1u << 20);
    buf_init(&out, 1u << 20);
    buf_add_text(&body, "--a b\r\nContent-Disposition: form-data; name=");
    for (unsigned i = 0; i < MULTIPART_HEAD_BYTES_MAX; i++)
        buf_add_byte(&body, 'x');
    assert_int_equal(parse(buf_slice(&body), 1000, &out), ERR_LIMIT);
    buf_clear(&body);
    for (unsigned i = 0; i <= MULTIPART_PARTS_MAX; i++)
        buf_add_text(&body, "--a b\r\nContent-Disposition: form-data; name=x\r\n\r\ny\r\n");
    assert_int_equal(parse(buf_slice(&body), 1000, &out), ERR_LIMIT);
    buf_release(&body);
    buf_release(&out);
}

static void
the_boundary_is_read_from_the_type(void **state UNUSED)
{
    static const struct {
        const char *type;
        enum err err;
    } rows[] = {
        { "multipart/form-data; boundary=abc", ERR_OK },
        { "Multipart/Form-Data;charset=x;Boundary=\"----WebKit\"", ERR_OK },
        { "multipart/mixed; boundary=abc", ERR_HTTP_MEDIA_TYPE },
        { "multipart/form-data", ERR_HTTP_HEADER },
        { "multipart/form-data; boundary=", ERR_HTTP_HEADER },
        { "multipart/form-data; boundary=\"a\\\"b\"", ERR_HTTP_HEADER },
        { "multipart/form-data; boundary=\"abc ", ERR_HTTP_HEADER },
        { "multipart/form-data; boundary=\"abc \"", ERR_HTTP_HEADER },
        { "multipart/form-data; boundary=01234567890123456789012345678901234567890123456789012345678901234567890",
          ERR_HTTP_HEADER },
    };
    struct multipart parser;

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (multipart_init(&parser, slice_text(rows[i].type)) != rows[i].err)
            fail_msg("%s", rows[i].type);
}

UNIT_MAIN(cmocka_unit_test(parts_come_in_any_pieces),
          cmocka_unit_test(what_stands_before_the_first_delimiter_is_dropped),
          cmocka_unit_test(a_part_may_be_empty), cmocka_unit_test(what_is_no_form_is_refused),
          cmocka_unit_test(fields_and_parts_have_limits),
          cmocka_unit_test(the_boundary_is_read_from_the_type))
