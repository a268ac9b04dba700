#include "core/fuzz.h"
#include "wire/json/json.h"
#include "wire/json/json_foreign.h"

/* Whatever is read can be printed, and what was printed is strict JSON. */
FUZZ_TARGET(data, size)
{
    struct slice text = slice_of(data, size);
    json_t *strict = NULL, *foreign = NULL, *again = NULL;
    struct buf printed;
    enum err err = json_parse_foreign(text, &foreign);

    buf_init(&printed, 64u << 20);
    FUZZ_CHECK((err == ERR_OK) == (foreign != NULL));
    if (json_parse(text, &strict) == ERR_OK)
        FUZZ_CHECK(err == ERR_OK && json_equal(strict, foreign));
    if (err == ERR_OK) {
        FUZZ_CHECK(json_print(foreign, &printed) == ERR_OK);
        enum err reread = json_parse(buf_slice(&printed), &again);
        FUZZ_CHECK(reread == ERR_OK || reread == ERR_JSON_DEPTH);
    }
    buf_release(&printed);
    json_decref(again);
    json_decref(foreign);
    json_decref(strict);
    return 0;
}
