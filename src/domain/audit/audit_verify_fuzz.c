#include "core/fuzz.h"
#include "domain/audit/audit_verify.h"

/* Any file may come as an export. What is said of it is consistent: a verdict, no more entries than lines,
 * and nothing signed that was not there. */
FUZZ_TARGET(data, size)
{
    static struct audit_file file;
    struct slice left = slice_of((const char *)data, size);
    size_t lines = 0;

    audit_file_begin(&file);
    while (left.len > 0) {
        const char *end = memchr(left.ptr, '\n', left.len);
        size_t len = end == NULL ? left.len : (size_t)(end - left.ptr);
        FUZZ_CHECK(audit_file_line(&file, slice_first(left, len)) == ERR_OK);
        left = slice_drop(left, end == NULL ? len : len + 1);
        lines++;
    }
    struct audit_verdict verdict = audit_file_end(&file);
    FUZZ_CHECK(verdict.entries <= lines);
    FUZZ_CHECK(verdict.signed_size <= verdict.entries);
    FUZZ_CHECK(verdict.place <= verdict.entries);
    FUZZ_CHECK(audit_fault_text(verdict.fault) != NULL);
    if (verdict.fault == AUDIT_HOLDS)
        FUZZ_CHECK(verdict.signed_size == verdict.entries &&
                   (verdict.entries == 0) == (verdict.checkpoints == 0));
    return 0;
}
