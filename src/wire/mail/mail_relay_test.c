/* Relays and mailboxes as operators write them. */
#include "core/unit.h"
#include "wire/mail/mail_relay.h"

static void
a_relay_is_spoken_to_in_the_open_on_this_host_alone(void **state UNUSED)
{
    static const struct {
        const char *text;
        bool is_plain;
    } rows[] = {
        { "smtps://mail.example.org", false },     { "smtps://mail.example.org:465", false },
        { "smtp://mail.example.org:587", false },  { "smtp://192.0.2.1:25", false },
        { "smtp://[2001:db8::1]:25", false },      { "smtp://localhost:1025", true },
        { "smtp://127.0.0.1:1025", true },         { "smtp://[::1]:1025", true },
        { "smtps://localhost:1465", false },       { "smtp://localhost.example.org", false },
        { "smtp://127.0.0.1.example.org", false }, { "smtp://127.0.0.2:25", false },
    };
    struct mail_relay relay;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_ok(mail_relay_read(slice_text(rows[i].text), &relay));
        assert_int_equal(relay.is_plain, rows[i].is_plain);
        assert_string_equal(relay.url, rows[i].text);
    }
}

static void
what_is_no_relay_is_refused(void **state UNUSED)
{
    static const char *const rows[] = {
        "",
        "mail.example.org",
        "smtp://",
        "smtp:/mail.example.org",
        "http://mail.example.org",
        "SMTP://mail.example.org",
        "smtp://user:secret@mail.example.org",
        "smtp://mail.example.org/path",
        "smtp://mail.example.org:0",
        "smtp://mail.example.org:65536",
        "smtp://mail.example.org:",
        "smtp://mail.example.org:25x",
        "smtp://[::1",
        "smtp://[]:25",
        "smtp://mail example.org",
        "smtp://mail.example.org\n",
        "smtp://[::1]x:25",
    };
    struct mail_relay relay;

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (mail_relay_read(slice_text(rows[i]), &relay) != ERR_CONFIG)
            fail_msg("%s was taken", rows[i]);
}

static void
a_mailbox_has_an_address_and_perhaps_a_name(void **state UNUSED)
{
    static const struct {
        const char *text, *name, *address; /* address NULL: refused */
    } rows[] = {
        { "no-reply@example.org", "", "no-reply@example.org" },
        { " no-reply@example.org ", "", "no-reply@example.org" },
        { "<no-reply@example.org>", "", "no-reply@example.org" },
        { "Harkara <no-reply@example.org>", "Harkara", "no-reply@example.org" },
        { "हरकारा <no-reply@example.org>", "हरकारा", "no-reply@example.org" },
        { "", NULL, NULL },
        { "Harkara", NULL, NULL },
        { "Harkara <>", NULL, NULL },
        { "Harkara <a@b", NULL, NULL },
        { "Harkara <a@b> x", NULL, NULL },
        { "a@b, c@d", NULL, NULL },
        { "Har\nkara <a@b>", NULL, NULL },
        { "Harkara <a@b\r\nBcc: c@d>", NULL, NULL },
        { "Harkara <a@b@c>", NULL, NULL },
    };
    struct mailbox mailbox;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum err err = mailbox_read(slice_text(rows[i].text), &mailbox);
        assert_int_equal(err, rows[i].address == NULL ? ERR_CONFIG : ERR_OK);
        if (err != ERR_OK)
            continue;
        assert_true(slice_eq(mailbox.name, slice_text(rows[i].name)));
        assert_true(slice_eq(mailbox.address, slice_text(rows[i].address)));
    }
}

UNIT_MAIN(cmocka_unit_test(a_relay_is_spoken_to_in_the_open_on_this_host_alone),
          cmocka_unit_test(what_is_no_relay_is_refused),
          cmocka_unit_test(a_mailbox_has_an_address_and_perhaps_a_name))
