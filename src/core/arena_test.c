#include "core/arena.h"
#include "core/unit.h"
#include "core/unit_fault.h"
#include "core/unit_wipe.h"
#include <stdalign.h>
#include <stdlib.h>

#define UNIT alignof(max_align_t)

static bool
is_zero(const unsigned char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] != 0)
            return false;
    return true;
}

/* Sizes around every block border; all pieces are filled, and must still hold their own value at the end. */
static void
pieces_are_zeroed_aligned_and_apart(void **state UNUSED)
{
    struct arena *arena = arena_new(64u << 20);
    enum { COUNT = 2000 };
    static struct {
        unsigned char *at;
        size_t len;
    } pieces[COUNT];
    size_t len = 0, sum = 0;

    assert_non_null(arena);
    for (unsigned i = 0; i < COUNT; i++) {
        len = (len * 7 + i * 13 + 1) % (i % 100 == 99 ? 70000 : 900);
        pieces[i].at = arena_alloc(arena, len);
        pieces[i].len = len;
        assert_non_null(pieces[i].at);
        assert_int_equal((uintptr_t)pieces[i].at % UNIT, 0);
        assert_true(is_zero(pieces[i].at, len));
        memset(pieces[i].at, (int)(i % 255 + 1), len);
        sum += len == 0 ? UNIT : (len + UNIT - 1) / UNIT * UNIT;
        assert_int_equal(arena_used(arena), sum);
    }
    for (unsigned i = 0; i < COUNT; i++)
        for (size_t j = 0; j < pieces[i].len; j++)
            assert_true(pieces[i].at[j] == i % 255 + 1);
    arena_free(arena);
}

/* Up to a block's last byte, and not beyond: what lies behind it is the heap's, which would notice. */
static void
small_pieces_fill_blocks_to_their_end(void **state UNUSED)
{
    for (size_t len = 1; len <= 4 * UNIT; len++) {
        struct arena *arena = arena_new(1u << 20);
        for (int i = 0; i < 3000; i++) {
            void *piece = arena_alloc(arena, len);
            assert_non_null(piece);
            memset(piece, 0xFF, len);
        }
        void *other = malloc(100000);
        assert_non_null(other);
        free(other);
        arena_free(arena);
    }
}

static void
the_limit_counts_padding_and_can_be_used_up_to_the_last_byte(void **state UNUSED)
{
    struct arena *arena = arena_new(4 * UNIT);

    assert_non_null(arena_alloc(arena, 1));
    assert_non_null(arena_alloc(arena, 0)); /* two empty pieces are two pieces */
    assert_null(arena_alloc(arena, 2 * UNIT + 1));
    assert_non_null(arena_alloc(arena, 2 * UNIT));
    assert_null(arena_alloc(arena, 0));
    assert_null(arena_alloc(arena, 1));
    assert_int_equal(arena_used(arena), 4 * UNIT);
    arena_reset(arena);
    assert_int_equal(arena_used(arena), 0);
    assert_non_null(arena_alloc(arena, 4 * UNIT));
    arena_free(arena);
}

static void
sizes_that_wrap_are_refused(void **state UNUSED)
{
    struct arena *arena = arena_new(SIZE_MAX);
    const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - UNIT, SIZE_MAX - UNIT - 64, SIZE_MAX / 2 };

    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        assert_null(arena_alloc(arena, sizes[i]));
    assert_null(arena_array(arena, SIZE_MAX / 2, 4));
    assert_null(arena_array(arena, 3, SIZE_MAX / 2));
    assert_int_equal(arena_used(arena), 0);
    assert_non_null(arena_array(arena, 0, SIZE_MAX));
    unsigned char *array = arena_array(arena, 100, 24);
    assert_non_null(array);
    assert_true(is_zero(array, 2400));
    arena_free(arena);
}

static void
copies_belong_to_the_arena(void **state UNUSED)
{
    struct arena *arena = arena_new(1024);
    char source[] = "abc";
    struct slice copy = arena_copy(arena, slice_of(source, 3));

    source[0] = 'X';
    assert_true(slice_eq(copy, SLICE("abc")));
    copy = arena_copy(arena, SLICE_EMPTY);
    assert_non_null(copy.ptr);
    assert_int_equal(copy.len, 0);
    static const char large[2048] = "x";
    copy = arena_copy(arena, slice_of(large, sizeof(large)));
    assert_null(copy.ptr);
    assert_int_equal(copy.len, 0);
    arena_free(arena);
}

static void
a_c_string_is_made_only_of_text_without_nul(void **state UNUSED)
{
    struct arena *arena = arena_new(4 * UNIT);
    char *text = NULL;

    assert_ok(arena_text(arena, SLICE("abc"), &text));
    assert_string_equal(text, "abc");
    assert_ok(arena_text(arena, SLICE_EMPTY, &text));
    assert_string_equal(text, "");
    const struct slice bad[] = { SLICE("\0"), SLICE("a\0"), SLICE("\0a"), SLICE("a\0b") };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        text = (char *)&text;
        assert_int_equal(arena_text(arena, bad[i], &text), ERR_ENCODING);
        assert_null(text);
    }
    /* The NUL needs room too: two units are left. */
    char full[2 * UNIT];
    memset(full, 'x', sizeof(full));
    assert_int_equal(arena_text(arena, slice_of(full, sizeof(full)), &text), ERR_NO_MEMORY);
    assert_null(text);
    assert_ok(arena_text(arena, slice_of(full, sizeof(full) - 1), &text));
    assert_int_equal(strlen(text), sizeof(full) - 1);
    arena_free(arena);
}

static void
formatted_text_fits_or_is_nothing(void **state UNUSED)
{
    struct arena *arena = arena_new(4 * UNIT);

    assert_true(slice_eq(arena_format(arena, "%s=%d", "a", 12), SLICE("a=12")));
    assert_int_equal(arena_format(arena, "%s", "").len, 0);
    struct slice none = arena_format(arena, "%0*d", (int)(2 * UNIT), 0); /* and its NUL */
    assert_null(none.ptr);
    assert_int_equal(none.len, 0);
    assert_int_equal(arena_format(arena, "%0*d", (int)(2 * UNIT - 1), 0).len, 2 * UNIT - 1);
    arena_free(arena);
}

static void
a_reset_wipes_and_hands_the_first_block_out_again(void **state UNUSED)
{
    struct arena *arena = arena_new(1u << 20);
    unsigned char *first = arena_alloc(arena, 5000);

    memset(first, 's', 5000);
    memset(arena_alloc(arena, 100000), 's', 100000); /* a second block */
    unit_wiped = 0;
    arena_reset(arena);
    assert_int_equal(unit_wiped, 105000);
    assert_ptr_equal(arena_alloc(arena, 5000), first);
    assert_true(is_zero(first, 5000));
    unit_wiped = 0;
    memset(first, 's', 3000);
    arena_free(arena);
    assert_int_equal(unit_wiped, 3000);
}

static void
a_large_first_block_is_kept_too(void **state UNUSED)
{
    struct arena *arena = arena_new_keeping(1u << 22, 1u << 20);
    char *pieces[8];

    assert_non_null(arena);
    for (int job = 0; job < 3; job++) {
        for (size_t i = 0; i < COUNT_OF(pieces); i++) {
            char *piece = arena_alloc(arena, 100000);
            assert_non_null(piece);
            assert_true(job == 0 || piece == pieces[i]);
            pieces[i] = piece;
            for (size_t k = 0; k < 100000; k++)
                assert_int_equal(piece[k], 0);
            memset(piece, 'x', 100000);
        }
        assert_non_null(arena_alloc(arena, 2000000)); /* beyond it, and given back */
        arena_reset(arena);
        assert_int_equal(arena_used(arena), 0);
    }
    arena_free(arena);
}

static void
an_arena_that_was_never_used_is_freed_too(void **state UNUSED)
{
    arena_free(NULL);
    arena_free(arena_new(0));
    struct arena *arena = arena_new(100);
    arena_reset(arena);
    assert_int_equal(arena_used(arena), 0);
    arena_free(arena);
    arena = arena_new(0);
    assert_null(arena_alloc(arena, 0));
    arena_free(arena);
}

UNIT_MAIN(cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
          cmocka_unit_test(small_pieces_fill_blocks_to_their_end),
          cmocka_unit_test(the_limit_counts_padding_and_can_be_used_up_to_the_last_byte),
          cmocka_unit_test(sizes_that_wrap_are_refused), cmocka_unit_test(copies_belong_to_the_arena),
          cmocka_unit_test(a_c_string_is_made_only_of_text_without_nul),
          cmocka_unit_test(formatted_text_fits_or_is_nothing),
          cmocka_unit_test(a_reset_wipes_and_hands_the_first_block_out_again),
          cmocka_unit_test(a_large_first_block_is_kept_too),
          cmocka_unit_test(an_arena_that_was_never_used_is_freed_too))
