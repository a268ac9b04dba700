/* Tasks about a phone number: its facts. */
#include "program/dispatcher/task_handlers.h"
#include "wire/json/json.h"

#define FACT_BYTES_MAX 255u

/* A word of WhatsApp's, or null. */
static json_t *
fact(const json_t *answer, const char *member)
{
    struct slice text = json_text_of(answer, member);

    return text.len == 0 || text.len > FACT_BYTES_MAX ? json_null() : json_stringn(text.ptr, text.len);
}

enum err
task_number_sync(struct task_run *run)
{
    const json_t *answer;
    struct slice path = arena_format(
        run->arena,
        "/%.*s?fields=display_phone_number,verified_name,quality_rating,code_verification_status,name_status,"
        "new_name_status,status,throughput,account_mode,whatsapp_business_manager_messaging_limit,"
        "messaging_limit_tier",
        SLICE_FMT(run->phone_number_id));
    enum err err = path.ptr == NULL ? ERR_NO_MEMORY : task_call(run, "GET", path, SLICE_EMPTY, &answer);

    if (err != ERR_OK)
        return err;
    return task_result(run, json_pack("{s:o, s:o, s:o}", "display_phone_number",
                                      fact(answer, "display_phone_number"), "verified_name",
                                      fact(answer, "verified_name"), "quality_rating",
                                      fact(answer, "quality_rating")));
}
