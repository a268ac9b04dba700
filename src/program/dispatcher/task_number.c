/* Tasks about a phone number: its facts, its registration, its names, its profile. */
#include "domain/channel/channel.h"
#include "domain/channel/channel_number.h"
#include "program/dispatcher/task_handlers.h"
#include "program/dispatcher/task_upload.h"
#include "wire/json/json.h"

#define FACTS_QUERY                                                                                          \
    "?fields=display_phone_number,verified_name,quality_rating,code_verification_status,name_status,"        \
    "new_display_name,new_name_status,status,throughput,account_mode,messaging_limit_tier,"                  \
    "whatsapp_business_manager_messaging_limit"
#define PROFILE_QUERY                                                                                        \
    "/whatsapp_business_profile?fields=about,address,description,email,profile_picture_url,websites,vertical"

/* "/106540352242922/register". */
static struct slice
number_path(const struct task_run *run, const char *rest)
{
    return arena_format(run->arena, "/%.*s%s", SLICE_FMT(run->phone_number_id), rest);
}

/* One POST whose answer says no more than that it was done. */
static enum err
number_post(struct task_run *run, const char *edge, json_t *body)
{
    struct slice path = number_path(run, edge), text;
    enum err err = task_print(run, body, &text);

    if (err == ERR_OK && path.ptr == NULL)
        err = ERR_NO_MEMORY;
    return err == ERR_OK ? task_call(run, "POST", path, text, NULL) : err;
}

/* The request as it was asked for; owned. */
static enum err
request_parse(const struct task_run *run, json_t **out)
{
    return run->request.len == 0 ? ERR_SEAL_CORRUPT : json_parse(run->request, out);
}

static json_t *
text_of(const json_t *request, const char *member)
{
    struct slice text = json_text_of(request, member);

    return json_stringn(text.ptr == NULL ? "" : text.ptr, text.len);
}

/* A copy in one case; NULL ptr when there is none. */
static struct slice
cased(struct arena *arena, struct slice word, char first, char last, int shift)
{
    char *copy = word.len == 0 ? NULL : arena_alloc(arena, word.len);

    for (size_t i = 0; copy != NULL && i < word.len; i++)
        copy[i] = (char)(word.ptr[i] >= first && word.ptr[i] <= last ? word.ptr[i] + shift : word.ptr[i]);
    return copy == NULL ? SLICE_EMPTY : slice_of(copy, word.len);
}

static struct slice
lower(struct arena *arena, struct slice word)
{
    return cased(arena, word, 'A', 'Z', 'a' - 'A');
}

/* Facts */

/* WhatsApp's members, in the order of enum channel_number_fact. */
static const struct {
    const char *member;
    bool is_name; /* kept as it is; the others are words */
} fact_members[CHANNEL_NUMBER_FACTS] = {
    [CHANNEL_NUMBER_VERIFIED_NAME] = { "verified_name", true },
    [CHANNEL_NUMBER_NAME_STATUS] = { "name_status", false },
    [CHANNEL_NUMBER_REQUESTED_NAME] = { "new_display_name", true },
    [CHANNEL_NUMBER_REQUESTED_STATUS] = { "new_name_status", false },
    [CHANNEL_NUMBER_QUALITY_RATING] = { "quality_rating", false },
    [CHANNEL_NUMBER_MESSAGING_LIMIT] = { "whatsapp_business_manager_messaging_limit", false },
    [CHANNEL_NUMBER_THROUGHPUT] = { "throughput", false },
    [CHANNEL_NUMBER_STATUS] = { "status", false },
    [CHANNEL_NUMBER_CODE_VERIFICATION] = { "code_verification_status", false },
    [CHANNEL_NUMBER_ACCOUNT_MODE] = { "account_mode", false },
};

static void
facts_read(struct task_run *run, const json_t *answer, struct channel_number *out)
{
    for (unsigned i = 0; i < CHANNEL_NUMBER_FACTS; i++) {
        struct slice given = json_text_of(answer, fact_members[i].member);
        if (i == CHANNEL_NUMBER_THROUGHPUT)
            given = json_text_of(json_member(answer, "throughput"), "level");
        if (i == CHANNEL_NUMBER_MESSAGING_LIMIT && given.len == 0)
            given = json_text_of(answer, "messaging_limit_tier"); /* older accounts */
        if (given.len > 0)
            out->facts[i] = fact_members[i].is_name ? given : lower(run->arena, given);
    }
}

/* The profile as the API shows it: the members that we know, the vertical in lower case. */
static enum err
profile_read(struct task_run *run, const json_t *answer, struct slice *out)
{
    static const char *const texts[] = { "about", "address", "description", "email", "profile_picture_url" };
    const json_t *given = json_array_get(json_member(answer, "data"), 0);
    struct slice vertical = lower(run->arena, json_text_of(given, "vertical"));
    json_t *profile = json_object(), *sites = json_array();
    const json_t *list = json_member(given, "websites");
    bool is_whole = profile != NULL && sites != NULL;

    for (size_t i = 0; is_whole && i < COUNT_OF(texts); i++)
        if (json_text_of(given, texts[i]).len > 0)
            is_whole = json_object_set_new(profile, texts[i], text_of(given, texts[i])) == 0;
    for (size_t i = 0; is_whole && i < json_array_size(list); i++)
        if (json_is_string(json_array_get(list, i)))
            is_whole = json_array_append(sites, json_array_get(list, i)) == 0;
    if (is_whole)
        is_whole = json_object_set(profile, "websites", sites) == 0 &&
                   (vertical.len == 0 ||
                    json_object_set_new(profile, "vertical", json_stringn(vertical.ptr, vertical.len)) == 0);
    json_decref(sites);
    if (!is_whole) {
        json_decref(profile);
        return ERR_NO_MEMORY;
    }
    return task_print(run, profile, out);
}

enum err
task_number_sync(struct task_run *run)
{
    struct channel_number *number = arena_alloc(run->arena, sizeof(*number));
    struct slice facts = number_path(run, FACTS_QUERY), profile = number_path(run, PROFILE_QUERY);
    const json_t *answer = NULL;

    if (number == NULL || facts.ptr == NULL || profile.ptr == NULL)
        return ERR_NO_MEMORY;
    *number = (struct channel_number){ .is_synced = true };
    run->state = number;
    enum err err = task_call(run, "GET", facts, SLICE_EMPTY, &answer);
    if (err != ERR_OK)
        return err;
    facts_read(run, answer, number);
    json_t *result = json_object();
    for (unsigned i = 0; result != NULL && i < CHANNEL_NUMBER_FACTS; i++)
        if (number->facts[i].len > 0)
            (void)json_object_set_new(result, channel_number_fact_word((enum channel_number_fact)i),
                                      json_stringn(number->facts[i].ptr, number->facts[i].len));
    err = task_result(run, result);
    if (err == ERR_OK)
        err = task_call(run, "GET", profile, SLICE_EMPTY, &answer);
    if (err == ERR_OK)
        return profile_read(run, answer, &number->profile);
    /* A number that is not registered has no profile: its facts are worth keeping all the same. */
    return err == ERR_PROVIDER_REFUSED && run->error.class == WHATSAPP_PERMANENT ? ERR_OK : err;
}

enum err
task_number_sync_record(struct db_tx *tx, struct task_run *run)
{
    struct channel_number *number = run->state;

    if (!run->is_done)
        return ERR_OK;
    number->synced_at = clock_wall(run->clock);
    return channel_number_store(
        tx, run->clock, run->claim->channel,
        &(struct channel_number_news){ .number = *number, .source = "sync", .tells = EVENT_TYPE_COUNT },
        run->arena);
}

/* What was changed is read back by a task of its own. */
static enum err
sync_ask(struct db_tx *tx, const struct task_run *run)
{
    return provider_task_create(tx, &(struct provider_task_new){ .id = id_new(run->clock),
                                                                 .channel = run->claim->channel,
                                                                 .kind = PROVIDER_TASK_NUMBER_SYNC });
}

enum err
task_number_changed_record(struct db_tx *tx, struct task_run *run)
{
    return run->is_done ? sync_ask(tx, run) : ERR_OK;
}

/* Registration */

enum err
task_number_register(struct task_run *run)
{
    json_t *request = NULL, *body = NULL;
    enum err err = request_parse(run, &request);

    if (err == ERR_OK)
        body = json_pack("{s:s, s:o}", "messaging_product", "whatsapp", "pin", text_of(request, "pin"));
    if (body != NULL && json_text_of(request, "data_localization_region").len > 0)
        (void)json_object_set_new(body, "data_localization_region",
                                  text_of(request, "data_localization_region"));
    if (err == ERR_OK)
        err = number_post(run, "/register", body);
    json_decref(request);
    return err;
}

enum err
task_number_deregister(struct task_run *run)
{
    return number_post(run, "/deregister", json_object());
}

/* Nothing can leave any more: its messages wait. */
enum err
task_number_deregister_record(struct db_tx *tx, struct task_run *run)
{
    if (!run->is_done)
        return ERR_OK;
    enum err err =
        channel_pause(tx, run->clock, run->claim->channel, "The number was deregistered.", run->arena);
    return err == ERR_OK ? sync_ask(tx, run) : err;
}

enum err
task_number_pin(struct task_run *run)
{
    json_t *request = NULL;
    enum err err = request_parse(run, &request);

    if (err == ERR_OK)
        err = number_post(run, "", json_pack("{s:o}", "pin", text_of(request, "pin")));
    json_decref(request);
    return err;
}

/* Each repetition would be another call or text message to the tenant's phone. */
enum err
task_number_request_code(struct task_run *run)
{
    json_t *request = NULL;

    if (run->claim->is_unsure)
        return task_fail(run, "outcome-unknown", "Whether the code was requested is not known; ask again.");
    enum err err = request_parse(run, &request);
    if (err == ERR_OK) {
        struct slice method = cased(run->arena, json_text_of(request, "method"), 'a', 'z', 'A' - 'a');
        err = number_post(run, "/request_code",
                          json_pack("{s:s%, s:o}", "code_method", method.ptr, method.len, "language",
                                    text_of(request, "language")));
    }
    json_decref(request);
    return err;
}

/* A code is good once: when the last answer was lost, the number itself tells whether it was taken. */
enum err
task_number_verify_code(struct task_run *run)
{
    json_t *request = NULL;
    enum err err = ERR_OK;

    if (run->claim->is_unsure) {
        const json_t *answer = NULL;
        struct slice path = number_path(run, "?fields=code_verification_status");
        err = path.ptr == NULL ? ERR_NO_MEMORY : task_call(run, "GET", path, SLICE_EMPTY, &answer);
        if (err != ERR_OK || slice_eq(json_text_of(answer, "code_verification_status"), SLICE("VERIFIED")))
            return err;
    }
    err = request_parse(run, &request);
    if (err == ERR_OK)
        err = number_post(run, "/verify_code", json_pack("{s:o}", "code", text_of(request, "code")));
    json_decref(request);
    return err;
}

/* Names and profile */

enum err
task_number_display_name(struct task_run *run)
{
    json_t *request = NULL;
    enum err err = request_parse(run, &request);

    if (err == ERR_OK)
        err = number_post(run, "", json_pack("{s:o}", "new_display_name", text_of(request, "display_name")));
    json_decref(request);
    return err;
}

/* WhatsApp knows a picture by the handle of its upload. */
static enum err
picture_upload(struct task_run *run, json_t *body)
{
    struct slice handle;
    struct id media;
    enum err err;

    if (json_object_get(body, "profile_picture_media_id") == NULL)
        return ERR_OK;
    err = id_parse(ID_MEDIA, json_text_of(body, "profile_picture_media_id"), &media);
    if (err == ERR_OK)
        err = task_upload(run, media, &handle);
    if (err == ERR_OK &&
        (json_object_set_new(body, "profile_picture_handle", json_stringn(handle.ptr, handle.len)) != 0 ||
         json_object_del(body, "profile_picture_media_id") != 0))
        err = ERR_NO_MEMORY;
    return err;
}

enum err
task_number_profile(struct task_run *run)
{
    json_t *body = NULL;
    enum err err = request_parse(run, &body);

    if (err == ERR_OK)
        err = picture_upload(run, body);
    if (err != ERR_OK) {
        json_decref(body);
        return err;
    }
    struct slice vertical = cased(run->arena, json_text_of(body, "vertical"), 'a', 'z', 'A' - 'a');
    if (json_object_set_new(body, "messaging_product", json_string("whatsapp")) != 0 ||
        (vertical.len > 0 &&
         json_object_set_new(body, "vertical", json_stringn(vertical.ptr, vertical.len)) != 0)) {
        json_decref(body);
        return ERR_NO_MEMORY;
    }
    return number_post(run, "/whatsapp_business_profile", body); /* takes it */
}
