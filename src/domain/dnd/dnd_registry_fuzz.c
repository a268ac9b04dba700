#include "core/fuzz.h"
#include "domain/dnd/dnd_registry_internal.h"

/*
 * The input is header fields and body; both digests are made to fit, so that what lies behind them is
 * reached. Whatever the file says, it is refused or answers within its bytes (the sanitizer sees any other),
 * the same each time.
 */
FUZZ_TARGET(data, size)
{
    static const uint64_t numbers[] = {
        0, 1, 65535, 65536, 9876543210, DND_NUMBER_MAX, DND_NUMBER_MAX + 1, UINT64_MAX
    };
    struct dnd_registry *registry;
    size_t head = size < 64 ? size : 64, len = DND_HEADER_BYTES + (size - head);
    char *bytes;

    FUZZ_CHECK(dnd_registry_read(slice_of(data, size), &registry) != ERR_OK); /* as it is, no digest fits */
    /* An index has 600 KB: it is taken as read where the input says so, with its last bytes as those of the
     * input. */
    len += DND_INDEX_BYTES;
    bytes = calloc(1, len);
    FUZZ_CHECK(bytes != NULL);
    memcpy(bytes, DND_MAGIC, 8);
    dnd_u32_put(bytes + DND_AT_VERSION, DND_VERSION);
    if (head > 0)
        memcpy(bytes + DND_AT_PROFILE_COUNT, data, head < 36 ? head : 36);
    if (size > head)
        memcpy(bytes + DND_HEADER_BYTES, data + head, size - head);
    for (size_t at = 36; at + 5 < head; at += 6) { /* a bucket, and what its place of the index says */
        uint32_t bucket = (uint32_t)(data[at] | data[at + 1] << 8) * 3 % (DND_BUCKET_COUNT + 1);

        memcpy(bytes + len - DND_INDEX_BYTES + bucket * 4u, data + at + 2, 4);
    }
    FUZZ_CHECK(hash_sha256(slice_of(bytes + DND_HEADER_BYTES, len - DND_HEADER_BYTES),
                           (unsigned char *)bytes + DND_AT_BODY_DIGEST) == ERR_OK);
    FUZZ_CHECK(hash_sha256(slice_of(bytes, DND_AT_HEADER_DIGEST),
                           (unsigned char *)bytes + DND_AT_HEADER_DIGEST) == ERR_OK);
    if (dnd_registry_read(slice_of(bytes, len), &registry) == ERR_OK) {
        struct dnd_preference one, other;
        uint32_t bucket = 0;
        uint64_t number;

        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
            bool is_there = dnd_lookup(registry, numbers[i], &one);

            FUZZ_CHECK(dnd_lookup(registry, numbers[i], &other) == is_there);
            FUZZ_CHECK(memcmp(&one, &other, sizeof(one)) == 0);
            FUZZ_CHECK(dnd_judge(&one, 3, DND_MODE_SMS, (struct wall_time){ 1795132800000000 }, NULL) ==
                           DND_CLEAR ||
                       is_there);
        }
        for (uint64_t at = 0; dnd_registry_entry(registry, at, &bucket, &number, &one); at++)
            FUZZ_CHECK(number <= DND_NUMBER_MAX + 65536);
        dnd_registry_unref(registry);
    }
    free(bytes);
    return 0;
}
