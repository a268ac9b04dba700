#include "core/fuzz.h"
#include "wire/webauthn/webauthn.h"

/* A stored key (RFC 6979, A.2.5) that nobody here signs with: whatever comes, nobody is let in. */
FUZZ_TARGET(data, size)
{
    const struct slice origins[] = { SLICE("https://app.harkara.example") };
    const struct webauthn_expected expected = { SLICE("0123456789abcdef"), origins, 1,
                                                SLICE("harkara.example") };
    const struct webauthn_stored stored = {
        SLICE(
            "\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20\x60\xfe\xd4\xba\x25\x5a\x9d\x31\xc9\x61\xeb\x74\xc6\x35\x6d"
            "\x68\xc0\x49\xb8\x92\x3b\x61\xfa\x6c\xe6\x69\x62\x2e\x60\xf2\x9f\xb6\x22\x58\x20\x79\x03\xfe\x10\x08"
            "\xb8\xbc\x99\xa4\x1a\xe9\xe9\x56\x28\xbc\x64\xf2\xf1\xb2\x0c\x2d\x7e\x9f\x51\x77\xa3\xc2\x94\xd4\x46"
            "\x22\x99"),
        1, false
    };
    const struct slice client = SLICE("{\"type\":\"webauthn.get\",\"challenge\":\"MDEyMzQ1Njc4OWFiY2RlZg\","
                                      "\"origin\":\"https://app.harkara.example\",\"crossOrigin\":false}");
    const struct slice input = slice_of(data, size);
    struct webauthn_assertion seen;
    struct authenticator_data read;
    enum webauthn_fault fault;

    /* The first byte says how long the signature is; the rest is authenticator data. */
    if (size == 0)
        return 0;
    struct slice rest = slice_drop(input, 1), signature = slice_first(rest, data[0]);
    rest = slice_drop(rest, signature.len);
    enum err err = webauthn_assertion_check(&expected, &stored, client, rest, signature, &seen, &fault);
    FUZZ_CHECK(err == ERR_PASSKEY_REFUSED && fault >= WEBAUTHN_FAULT_AUTHENTICATOR_DATA);
    if (authenticator_data_read(rest, &read) == ERR_OK) {
        FUZZ_CHECK(fault != WEBAUTHN_FAULT_AUTHENTICATOR_DATA);
        FUZZ_CHECK(read.is_backup_eligible || !read.is_backed_up);
        FUZZ_CHECK(read.has_credential == (read.credential_id.len > 0));
    }
    return 0;
}
