#include "core/fuzz.h"
#include "wire/webauthn/webauthn.h"

/* Client data that fits, so that every input gets as far as the attestation object. */
FUZZ_TARGET(data, size)
{
    const struct slice origins[] = { SLICE("https://app.harkara.example") };
    const struct webauthn_expected expected = { SLICE("0123456789abcdef"), origins, 1,
                                                SLICE("harkara.example") };
    const struct slice client =
        SLICE("{\"type\":\"webauthn.create\",\"challenge\":\"MDEyMzQ1Njc4OWFiY2RlZg\","
              "\"origin\":\"https://app.harkara.example\",\"crossOrigin\":false}");
    const struct slice object = slice_of(data, size);
    struct webauthn_registration made;
    enum webauthn_fault fault;
    struct public_key key;

    enum err err = webauthn_registration_check(&expected, client, object, &made, &fault);
    if (err == ERR_OK) {
        FUZZ_CHECK(fault == WEBAUTHN_FAULT_NONE);
        FUZZ_CHECK(made.credential_id.len >= 1 && made.credential_id.len <= CREDENTIAL_ID_BYTES_MAX);
        FUZZ_CHECK(made.credential_id.ptr > object.ptr && made.public_key.ptr > made.credential_id.ptr &&
                   made.public_key.ptr + made.public_key.len <= object.ptr + object.len);
        FUZZ_CHECK(cose_key_read(made.public_key, &key) == ERR_OK);
        FUZZ_CHECK(cose_algorithm(key.algorithm) == made.algorithm);
        FUZZ_CHECK(made.is_backup_eligible || !made.is_backed_up);
    } else {
        FUZZ_CHECK(err == ERR_PASSKEY_INVALID && fault >= WEBAUTHN_FAULT_ATTESTATION);
    }
    return 0;
}
