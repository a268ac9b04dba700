#include "core/unit.h"
#include "platform/os/mailbox.h"
#include <poll.h>
#include <stdbool.h>

struct letter {
    struct mailbox_item item;
    int number;
};

static bool
is_readable(const struct mailbox *mailbox)
{
    return poll(&(struct pollfd){ .fd = mailbox->event_fd, .events = POLLIN }, 1, 0) == 1;
}

static void
what_was_put_comes_out_in_order_once(void **state UNUSED)
{
    struct mailbox mailbox;
    struct letter letters[3] = { { .number = 0 }, { .number = 1 }, { .number = 2 } };
    int expected = 0;

    assert_ok(mailbox_init(&mailbox));
    assert_null(mailbox_take(&mailbox));
    for (size_t i = 0; i < COUNT_OF(letters); i++)
        mailbox_put(&mailbox, &letters[i].item);
    assert_int_equal(mailbox_count(&mailbox), 3);
    for (struct mailbox_item *item = mailbox_take(&mailbox); item != NULL; item = item->next)
        assert_int_equal(((struct letter *)item)->number, expected++);
    assert_int_equal(expected, 3);
    assert_null(mailbox_take(&mailbox));
    assert_int_equal(mailbox_count(&mailbox), 0);
    mailbox_release(&mailbox);
}

static void
the_event_is_readable_until_it_is_taken(void **state UNUSED)
{
    struct mailbox mailbox;
    struct letter letter = { .number = 0 };

    assert_ok(mailbox_init(&mailbox));
    assert_false(is_readable(&mailbox));
    mailbox_put(&mailbox, &letter.item);
    assert_true(is_readable(&mailbox));
    assert_ptr_equal(mailbox_take(&mailbox), &letter.item);
    assert_false(is_readable(&mailbox));
    mailbox_wake(&mailbox);
    assert_true(is_readable(&mailbox));
    assert_null(mailbox_take(&mailbox));
    mailbox_release(&mailbox);
}

#define LETTERS 20000

static void *
put_many(void *ctx)
{
    static struct letter letters[LETTERS];

    for (int i = 0; i < LETTERS; i++) {
        letters[i].number = i;
        mailbox_put(ctx, &letters[i].item);
    }
    return NULL;
}

/* The order of one sender holds, and nothing is lost between an event and a take. */
static void
two_threads_lose_nothing(void **state UNUSED)
{
    struct mailbox mailbox;
    pthread_t sender;
    int expected = 0;

    assert_ok(mailbox_init(&mailbox));
    assert_int_equal(pthread_create(&sender, NULL, put_many, &mailbox), 0);
    while (expected < LETTERS) {
        assert_int_equal(poll(&(struct pollfd){ .fd = mailbox.event_fd, .events = POLLIN }, 1, 10000), 1);
        for (struct mailbox_item *item = mailbox_take(&mailbox), *next; item != NULL; item = next) {
            next = item->next;
            assert_int_equal(((struct letter *)item)->number, expected++);
        }
    }
    pthread_join(sender, NULL);
    mailbox_release(&mailbox);
}

UNIT_MAIN(cmocka_unit_test(what_was_put_comes_out_in_order_once),
          cmocka_unit_test(the_event_is_readable_until_it_is_taken),
          cmocka_unit_test(two_threads_lose_nothing))
