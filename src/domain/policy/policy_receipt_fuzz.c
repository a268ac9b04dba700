#include "core/fuzz.h"
#include "domain/policy/policy_gate.h"

/* What is taken for a receipt packs to one that says the same. */
FUZZ_TARGET(data, size)
{
    unsigned char packed[POLICY_PACKED_MAX], twice[POLICY_PACKED_MAX];
    struct policy_receipt receipt, again;
    enum err err = policy_receipt_unpack(slice_of(data, size), &receipt);

    FUZZ_CHECK(err == ERR_OK || err == ERR_DB_DATA);
    for (unsigned number = 1; err == ERR_OK && number <= POLICY_FACT_MAX; number++)
        if (policy_fact_row(number)->kind == POLICY_TIME &&
            receipt.facts.of[number] > INT64_C(64060588800000000))
            return 0; /* such a time takes more room than a receipt of ours has */
    if (err != ERR_OK || receipt.verdict.until.us > INT64_C(64060588800000000))
        return 0;
    struct slice printed = policy_receipt_pack(&receipt, packed);
    FUZZ_CHECK(policy_receipt_unpack(printed, &again) == ERR_OK);
    FUZZ_CHECK(slice_eq(policy_receipt_pack(&again, twice), printed));
    return 0;
}
