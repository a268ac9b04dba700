/* submit_sm bodies one behind the other, each after its length in two octets: what ESMEs send of long
 * messages. */
#include "core/fuzz.h"
#include "program/gateway/esme_group.h"
#include "wire/smpp/smpp_status.h"

FUZZ_TARGET(data, size)
{
    struct slice rest = { (const char *)data, size };
    struct arena *arena = arena_new(4u << 20);
    struct esme_group group;
    struct slice octets;

    FUZZ_CHECK(arena != NULL);
    esme_group_init(&group, arena);
    while (rest.len >= 2) {
        size_t len = (size_t)(unsigned char)rest.ptr[0] << 8 | (unsigned char)rest.ptr[1];
        rest = slice_drop(rest, 2);
        struct slice body = slice_first(rest, len < rest.len ? len : rest.len);
        rest = slice_drop(rest, body.len);
        size_t before = group.present_count;
        enum esme_added what = ESME_ELSEWHERE;
        enum err err = esme_group_add(&group, SMPP_SUBMIT_SM, body, &what);
        FUZZ_CHECK(group.present_count == before + (err == ERR_OK && what == ESME_ADDED ? 1 : 0));
        FUZZ_CHECK(group.part_count <= ESME_PARTS_MAX && group.present_count <= group.part_count);
        if (err == ERR_OK && what == ESME_ADDED) {
            FUZZ_CHECK(esme_group_add(&group, SMPP_SUBMIT_SM, body, &what) == ERR_OK &&
                       what == ESME_REPEATED);
        }
    }
    const struct esme_piece *first = esme_group_first(&group);
    FUZZ_CHECK((first != NULL) == (group.present_count > 0));
    if (first != NULL)
        FUZZ_CHECK(esme_group_identity(&group, &octets) == ERR_OK && octets.len > 0);
    if (esme_group_is_whole(&group)) {
        size_t bytes = 0;
        for (size_t i = 0; i < group.part_count; i++)
            bytes += group.pieces[i].part.octets.len;
        FUZZ_CHECK(esme_group_join(&group, &octets) == ERR_OK && octets.len == bytes);
    }
    arena_free(arena);
    return 0;
}
