/* The origin that browsers will name, from what an operator has written. */
#include "core/unit.h"
#include "domain/identity/origin.h"

static void
an_origin_is_what_browsers_call_it(void **state UNUSED)
{
    static const struct {
        const char *setting, *url, *whole, *host; /* whole NULL: refused */
    } rows[] = {
        { "", "http://127.0.0.1:8080", "http://localhost:8080", "localhost" },
        { "", "http://[::1]:8080/x", "http://localhost:8080", "localhost" },
        { "", "https://api.example.org/base", "https://api.example.org", "api.example.org" },
        { "", "https://api.example.org:443", "https://api.example.org", "api.example.org" },
        { "https://app.example.org", "https://api.example.org", "https://app.example.org",
          "app.example.org" },
        { "http://localhost", "https://x.example", "http://localhost", "localhost" },
        { "http://localhost:80", "", "http://localhost", "localhost" },
        { "https://app.example.org:8443", "", "https://app.example.org:8443", "app.example.org" },
        { "http://app.example.org", "", NULL, NULL },
        { "https://203.0.113.7", "", NULL, NULL },
        { "http://127.0.0.1:8080", "", NULL, NULL },
        { "https://App.example.org", "", NULL, NULL },
        { "https://app.example.org/", "", NULL, NULL },
        { "https://app.example.org:0", "", NULL, NULL },
        { "https://app.example.org:", "", NULL, NULL },
        { "https://user@app.example.org", "", NULL, NULL },
        { "https://", "", NULL, NULL },
        { "app.example.org", "", NULL, NULL },
        { "", "", NULL, NULL },
        { "", "http://203.0.113.7", NULL, NULL },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct origin origin;
        enum err err = origin_read(slice_text(rows[i].setting), slice_text(rows[i].url), &origin);
        assert_int_equal(err, rows[i].whole == NULL ? ERR_CONFIG : ERR_OK);
        if (err != ERR_OK)
            continue;
        assert_true(slice_eq(origin.whole, slice_text(rows[i].whole)));
        assert_true(slice_eq(origin.host, slice_text(rows[i].host)));
    }
}

UNIT_MAIN(cmocka_unit_test(an_origin_is_what_browsers_call_it))
