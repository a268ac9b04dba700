#include "core/buf.h"
#include "core/unit.h"
#include "core/unit_fault.h"
#include "core/unit_wipe.h"

static void
assert_slice(struct slice got, struct slice want)
{
    if (!slice_eq(got, want)) {
        print_error("got  \"%.*s\"\nwant \"%.*s\"\n", SLICE_FMT(got), SLICE_FMT(want));
        fail();
    }
}

static void
appends_line_up_in_their_order(void **state UNUSED)
{
    struct buf buf;

    buf_init(&buf, 1000);
    assert_int_equal(buf_slice(&buf).len, 0);
    assert_ok(buf_done(&buf));
    buf_add(&buf, SLICE("a\0b"));
    buf_add(&buf, SLICE_EMPTY);
    buf_add_text(&buf, "c");
    buf_add_text(&buf, "");
    buf_add_byte(&buf, '\0');
    buf_add_u64(&buf, 0);
    buf_add_byte(&buf, ' ');
    buf_add_u64(&buf, UINT64_MAX);
    buf_add_byte(&buf, ' ');
    buf_add_i64(&buf, INT64_MIN);
    buf_add_i64(&buf, -7);
    buf_add_i64(&buf, INT64_MAX);
    buf_add_u16be(&buf, 0xFFFE);
    buf_add_u32be(&buf, 0x01020304);
    buf_add_u64be(&buf, UINT64_C(0x05060708090A0B0C));
    buf_add_format(&buf, "%s-%03d", "x", 7);
    assert_ok(buf_done(&buf));
    assert_slice(buf_slice(&buf), SLICE("a\0bc\0000 18446744073709551615 -9223372036854775808-7"
                                        "9223372036854775807\xFF\xFE\1\2\3\4\5\6\7\10\11\12\13\14x-007"));
    buf_release(&buf);
}

/* Every kind of append, of known length, against every limit around it. */
static void
an_append_is_taken_whole_or_marks_the_buffer_as_failed(void **state UNUSED)
{
    for (int kind = 0; kind < 8; kind++) {
        static const size_t lens[] = { 5, 4, 1, 3, 2, 2, 4, 8 };
        for (size_t before = 0; before < 130; before += 13) {
            for (size_t limit = before; limit < before + 10; limit++) {
                struct buf buf;
                buf_init(&buf, limit);
                for (size_t i = 0; i < before; i++)
                    buf_add_byte(&buf, '.');
                assert_ok(buf_done(&buf));
                switch (kind) {
                case 0:
                    buf_add(&buf, SLICE("12345"));
                    break;
                case 1:
                    buf_add_text(&buf, "1234");
                    break;
                case 2:
                    buf_add_byte(&buf, '1');
                    break;
                case 3:
                    buf_add_u64(&buf, 123);
                    break;
                case 4:
                    buf_add_i64(&buf, -1);
                    break;
                case 5:
                    buf_add_u16be(&buf, 1);
                    break;
                case 6:
                    buf_add_format(&buf, "%d", 1234);
                    break;
                case 7:
                    buf_add_u64be(&buf, 1);
                    break;
                }
                bool fits = limit - before >= lens[kind];
                assert_int_equal(buf_done(&buf), fits ? ERR_OK : ERR_LIMIT);
                assert_int_equal(buf_slice(&buf).len, fits ? before + lens[kind] : before);
                buf_release(&buf);
            }
        }
    }
}

static void
a_failed_buffer_takes_nothing_more_until_it_is_cleared(void **state UNUSED)
{
    struct buf buf;

    buf_init(&buf, 4);
    buf_add_text(&buf, "abc");
    buf_add_text(&buf, "de");
    assert_int_equal(buf_done(&buf), ERR_LIMIT);
    buf_add_byte(&buf, 'f'); /* there is room, but what came before is missing */
    assert_null(buf_reserve(&buf, 0));
    assert_slice(buf_slice(&buf), SLICE("abc"));
    assert_int_equal(buf_done(&buf), ERR_LIMIT);
    buf_clear(&buf);
    assert_ok(buf_done(&buf));
    buf_add_text(&buf, "wxyz");
    assert_ok(buf_done(&buf));
    assert_slice(buf_slice(&buf), SLICE("wxyz"));
    buf_release(&buf);
    assert_int_equal(buf.len, 0);
    buf_add_text(&buf, "1234"); /* as after init, with the same limit */
    assert_ok(buf_done(&buf));
    buf_add_byte(&buf, '5');
    assert_int_equal(buf_done(&buf), ERR_LIMIT);
    buf_release(&buf);
    assert_ok(buf_done(&buf));
}

static void
lengths_near_the_end_of_the_address_space_do_not_wrap(void **state UNUSED)
{
    struct buf buf;

    buf_init(&buf, SIZE_MAX);
    buf_add_text(&buf, "abc");
    assert_null(buf_reserve(&buf, SIZE_MAX));
    assert_int_equal(buf_done(&buf), ERR_LIMIT);
    buf_clear(&buf);
    buf_add_text(&buf, "abc");
    assert_null(buf_reserve(&buf, SIZE_MAX - 3));
    assert_int_equal(buf_done(&buf), ERR_NO_MEMORY);
    assert_slice(buf_slice(&buf), SLICE("abc"));
    buf_release(&buf);
}

static void
reserved_room_may_be_written_and_is_not_counted_before_it_is(void **state UNUSED)
{
    struct buf buf;

    buf_init(&buf, 4096);
    for (size_t n = 0; n < 4096; n += n + 1) {
        char *room = buf_reserve(&buf, n);
        assert_non_null(room);
        memset(room, 'x', n);
        assert_int_equal(buf.len, 0);
    }
    assert_non_null(buf_reserve(&buf, 4096));
    assert_null(buf_reserve(&buf, 4097));
    buf_release(&buf);
}

static void
growing_keeps_every_byte(void **state UNUSED)
{
    struct buf buf;

    buf_init(&buf, 100000);
    for (unsigned i = 0; i < 100000; i++)
        buf_add_byte(&buf, (char)(i * 31 >> 3));
    assert_ok(buf_done(&buf));
    for (unsigned i = 0; i < 100000; i++)
        assert_true(buf.ptr[i] == (char)(i * 31 >> 3));
    buf_release(&buf);
}

/* What was cleared or left behind by growing must not stay on the heap. */
static void
a_wiped_release_leaves_no_byte_behind(void **state UNUSED)
{
    struct buf buf;

    buf_init(&buf, 1000);
    unit_wiped = 0;
    for (int i = 0; i < 64; i++)
        buf_add_byte(&buf, 's');
    assert_int_equal(unit_wiped, 0);
    buf_add_byte(&buf, 's'); /* grows: the old 64 bytes go */
    assert_int_equal(unit_wiped, 64);
    buf_clear(&buf);
    unit_wiped = 0;
    buf_release_wiped(&buf);
    assert_true(unit_wiped >= 65);
    assert_null(buf.ptr);
    buf_release_wiped(&buf); /* nothing to do */
}

static void
a_format_that_just_fills_the_limit_is_taken(void **state UNUSED)
{
    for (int len = 0; len < 300; len++) {
        struct buf buf;
        buf_init(&buf, (size_t)len);
        buf_add_format(&buf, "%0*d", len, 0); /* %00d prints one digit */
        assert_int_equal(buf_done(&buf), len == 0 ? ERR_LIMIT : ERR_OK);
        assert_int_equal(buf_slice(&buf).len, len);
        buf_release(&buf);
    }
}

static void
a_code_point_is_written_as_it_is_read(void **state UNUSED)
{
    for (uint32_t c = 0; c <= 0x110000; c += c < 0x3000 || (c > 0xD7F0 && c < 0xE010) ? 1 : 97) {
        bool is_one = c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
        struct buf buf;
        uint32_t read = 0;
        buf_init(&buf, 8);
        buf_add_utf8(&buf, c);
        assert_int_equal(buf_done(&buf), ERR_OK);
        struct slice text = buf_slice(&buf);
        assert_true(slice_utf8_take(&text, &read) && text.len == 0);
        assert_int_equal(read, is_one ? c : 0xFFFD);
        buf_release(&buf);
    }
    struct buf small;
    buf_init(&small, 2);
    buf_add_utf8(&small, 0x20AC);
    assert_int_equal(buf_done(&small), ERR_LIMIT);
    buf_release(&small);
}

UNIT_MAIN(cmocka_unit_test(appends_line_up_in_their_order),
          cmocka_unit_test(an_append_is_taken_whole_or_marks_the_buffer_as_failed),
          cmocka_unit_test(a_failed_buffer_takes_nothing_more_until_it_is_cleared),
          cmocka_unit_test(lengths_near_the_end_of_the_address_space_do_not_wrap),
          cmocka_unit_test(reserved_room_may_be_written_and_is_not_counted_before_it_is),
          cmocka_unit_test(growing_keeps_every_byte), cmocka_unit_test(a_wiped_release_leaves_no_byte_behind),
          cmocka_unit_test(a_format_that_just_fills_the_limit_is_taken),
          cmocka_unit_test(a_code_point_is_written_as_it_is_read))
