/* GET and PATCH /v1/settings/policy; POST /v1/policy/check. */
#include "core/num.h"
#include "domain/policy/policy_settings.h"
#include "program/gateway/act.h"
#include "program/gateway/gateway.h"
#include "program/gateway/limiter.h"
#include "program/gateway/message_ask.h"
#include "program/gateway/message_show.h"
#include "wire/http/etag.h"
#include "wire/json/json.h"
#include <stdio.h>

#define SETTINGS_BODY_BYTES_MAX 4096u

static const char *const day_words[] = { "monday", "tuesday",  "wednesday", "thursday",
                                         "friday", "saturday", "sunday" };

struct policy_work {
    struct http_request *request;
    struct policy_settings settings; /* read; or as they are now */
};

static json_t *
minute_show(unsigned minute)
{
    char text[sizeof("24:00")];

    (void)snprintf(text, sizeof(text), "%02u:%02u", minute / 60 % 100, minute % 60);
    return json_string(text);
}

static json_t *
quiet_show(const struct quiet_settings *quiet)
{
    json_t *shown = json_object(), *days = json_array();

    for (unsigned day = 0; day < COUNT_OF(day_words); day++)
        if ((quiet->days & (1u << day)) != 0)
            show_append(&days, json_string(day_words[day]));
    show_set(&shown, "enabled", json_boolean(!quiet->is_off));
    show_set(&shown, "india_from", minute_show(quiet->india_from_minute));
    show_set(&shown, "from", minute_show(quiet->from_minute));
    show_set(&shown, "until", minute_show(quiet->until_minute));
    show_set(&shown, "days", days);
    show_set(&shown, "spread_minutes", json_integer(quiet->spread_minutes));
    return shown;
}

static json_t *
cap_show(int64_t cap)
{
    return cap == 0 ? json_null() : json_integer(cap);
}

static enum err
settings_reply(struct http_request *request, struct http_response *response,
               const struct policy_settings *settings)
{
    json_t *shown = json_object(), *consent = json_object();
    char tag[ETAG_TEXT_BYTES];
    struct slice printed = arena_copy(request->arena, etag_print(settings->revision, tag));

    for (unsigned channel = 0; channel < POLICY_CHANNEL_COUNT; channel++) {
        json_t *of = json_object();
        for (unsigned category = 0; category < POLICY_CATEGORY_COUNT; category++)
            show_set(&of, policy_fact_word(POLICY_FACT_CATEGORY, category),
                     json_string(
                         policy_fact_word(POLICY_FACT_CONSENT_RULE, settings->consent[channel][category])));
        show_set(&consent, policy_fact_word(POLICY_FACT_CHANNEL, channel), of);
    }
    show_set(&shown, "consent", consent);
    show_set(&shown, "promotional_per_day", cap_show(settings->cap_per_day));
    show_set(&shown, "promotional_per_week", cap_show(settings->cap_per_week));
    show_set(&shown, "quiet_hours", quiet_show(&settings->quiet));
    show_set(&shown, "dnd", json_string(policy_fact_word(POLICY_FACT_DND_RULE, settings->dnd)));
    show_set(&shown, "updated_at", settings->revision == 0 ? json_null() : show_time(settings->updated_at));
    if (printed.ptr == NULL) {
        json_decref(shown);
        return ERR_NO_MEMORY;
    }
    http_response_add(response, "ETag", printed);
    return http_reply_json(request, response, 200, shown);
}

static enum err
settings_read_in(struct db_tx *tx, void *ctx)
{
    struct policy_work *work = ctx;

    return policy_settings_read(tx, &work->settings);
}

static enum err
settings_get(struct http_request *request, struct http_response *response)
{
    struct policy_work work = { .request = request };
    enum err err = gateway_read(request, settings_read_in, &work);

    return err == ERR_OK ? settings_reply(request, response, &work.settings) : err;
}

/* The value of a word of a fact; the contract has checked that it is one. */
static int64_t
word_value(enum policy_fact fact, struct slice word, int64_t otherwise)
{
    for (size_t value = 0; value < policy_fact_word_count(fact); value++)
        if (slice_eq(word, slice_text(policy_fact_word(fact, (int64_t)value))))
            return (int64_t)value;
    return otherwise;
}

static void
consent_take(const json_t *consent, struct policy_settings *settings)
{
    for (unsigned channel = 0; channel < POLICY_CHANNEL_COUNT; channel++) {
        const json_t *of = json_member(consent, policy_fact_word(POLICY_FACT_CHANNEL, channel));
        for (unsigned category = 0; category < POLICY_CATEGORY_COUNT; category++) {
            enum policy_consent_rule *rule = &settings->consent[channel][category];
            *rule = (enum policy_consent_rule)word_value(
                POLICY_FACT_CONSENT_RULE, json_text_of(of, policy_fact_word(POLICY_FACT_CATEGORY, category)),
                *rule);
        }
    }
}

/* Absent: as it was; null: none. */
static void
cap_take(const json_t *body, const char *member, int64_t *cap)
{
    if (json_member(body, member) == NULL)
        return;
    *cap = 0;
    (void)json_int_of(body, member, cap);
}

static enum err
minute_take(const json_t *quiet, const char *member, uint16_t *minute)
{
    struct slice text = json_text_of(quiet, member);
    int hours = 0, minutes = 0;

    if (text.ptr == NULL)
        return ERR_OK;
    if (text.len != 5 || num_int_parse(slice_first(text, 2), 0, 24, &hours) != ERR_OK ||
        num_int_parse(slice_drop(text, 3), 0, 59, &minutes) != ERR_OK)
        return ERR_CONTRACT; /* whose pattern says so too */
    *minute = (uint16_t)(hours * 60 + minutes);
    return ERR_OK;
}

static enum err
quiet_take(struct http_request *request, const json_t *quiet, struct quiet_settings *to)
{
    const json_t *enabled = json_member(quiet, "enabled"), *days = json_member(quiet, "days");
    int64_t spread = to->spread_minutes;
    enum err err = minute_take(quiet, "india_from", &to->india_from_minute);

    if (err == ERR_OK)
        err = minute_take(quiet, "from", &to->from_minute);
    if (err == ERR_OK)
        err = minute_take(quiet, "until", &to->until_minute);
    if (err != ERR_OK)
        return err;
    if (to->from_minute >= to->until_minute || to->until_minute > QUIET_DAY_MINUTES) {
        problem_add(&request->problem, request->arena, SLICE("/quiet_hours/until"),
                    SLICE("must come after from, by 24:00"));
        return ERR_TIME_ORDER;
    }
    if (enabled != NULL)
        to->is_off = !json_is_true(enabled);
    (void)json_int_of(quiet, "spread_minutes", &spread);
    to->spread_minutes = (uint16_t)spread;
    if (days == NULL)
        return ERR_OK;
    to->days = 0;
    for (size_t i = 0; i < json_array_size(days); i++)
        for (unsigned day = 0; day < COUNT_OF(day_words); day++)
            if (slice_eq(slice_of(json_string_value(json_array_get(days, i)),
                                  json_string_length(json_array_get(days, i))),
                         slice_text(day_words[day])))
                to->days |= (uint8_t)(1u << day);
    return ERR_OK;
}

/* The tag is compared in the transaction; who comes between the two is a conflict, and this runs again. */
static enum err
settings_write_in(struct db_tx *tx, void *ctx)
{
    struct policy_work *work = ctx;
    const json_t *body = request_json(work->request);
    char tag[ETAG_TEXT_BYTES];
    enum err err = policy_settings_read(tx, &work->settings);

    if (err == ERR_OK)
        err = request_check_match(work->request, etag_print(work->settings.revision, tag));
    if (err != ERR_OK)
        return err;
    work->request->problem.count = 0; /* of a run before this one */
    consent_take(json_member(body, "consent"), &work->settings);
    cap_take(body, "promotional_per_day", &work->settings.cap_per_day);
    cap_take(body, "promotional_per_week", &work->settings.cap_per_week);
    work->settings.dnd =
        (enum policy_dnd_rule)word_value(POLICY_FACT_DND_RULE, json_text_of(body, "dnd"), work->settings.dnd);
    err = quiet_take(work->request, json_member(body, "quiet_hours"), &work->settings.quiet);
    return err == ERR_OK ? policy_settings_write(tx, &work->settings) : err;
}

static enum err
settings_patch(struct http_request *request, struct http_response *response)
{
    struct policy_work work = { .request = request };
    enum err err = act_write(request,
                             &(struct act_work){ .action = AUDIT_SETTINGS_UPDATED,
                                                 .object_kind = ID_TENANT,
                                                 .object = &request->tenant,
                                                 .detail = act_members(request) },
                             settings_write_in, &work);

    return err == ERR_OK ? settings_reply(request, response, &work.settings) : err;
}

/* What each of the message's senders would be told. */
static json_t *
check_show(const struct message_new *message, const struct message_checked *checked)
{
    json_t *shown = policy_receipt_show(&checked->senders[0]), *senders = json_array();

    for (size_t position = 0; position < checked->sender_count; position++) {
        const struct message_fallback *fallback = position == 0 ? NULL : &message->fallbacks[position - 1];
        show_append(&senders,
                    json_pack("{s:i, s:o, s:o, s:o}", "position", (int)position, "channel_id",
                              show_id(ID_CHANNEL, fallback == NULL ? message->channel : fallback->channel),
                              "type", show_text(fallback == NULL ? message->kind : fallback->kind), "policy",
                              policy_receipt_show(&checked->senders[position])));
    }
    show_set(&shown, "senders", senders);
    return shown;
}

/* As POST /v1/messages reads it, and by what that is judged by; but nothing is taken or stored. */
static enum err
policy_check_post(struct http_request *request, struct http_response *response)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    struct message_ask *ask = arena_alloc(request->arena, sizeof(*ask));
    struct message_checked *checked = arena_alloc(request->arena, sizeof(*checked));

    if (ask == NULL || checked == NULL)
        return ERR_NO_MEMORY;
    *ask = (struct message_ask){ .body = request_json(request),
                                 .arena = request->arena,
                                 .problem = &request->problem };
    enum err err = message_ask_read(request, SLICE_EMPTY, ask);
    if (err == ERR_OK)
        err = limiter_quota(request, ask->message.channel, &ask->message.quota);
    if (err == ERR_OK)
        err = message_peer_index(&worker->vault, request->tenant, ask->plain.peer,
                                 ask->message.sealed.peer_index);
    if (err == ERR_OK)
        err =
            message_accept_check(worker->db, worker->gateway->clock, &ask->message, request->arena, checked);
    if (err == ERR_OK)
        err = checked->err;
    return err == ERR_OK ? http_reply_json(request, response, 200, check_show(&ask->message, checked)) : err;
}

const struct http_route policy_routes[] = {
    { HTTP_GET, "/v1/settings/policy", settings_get, "getPolicySettings", HTTP_ACCESS_KEY, "settings:read" },
    { HTTP_PATCH, "/v1/settings/policy", settings_patch, "updatePolicySettings", HTTP_ACCESS_KEY,
      "settings:manage", .body_bytes_max = SETTINGS_BODY_BYTES_MAX },
    { HTTP_POST, "/v1/policy/check", policy_check_post, "checkPolicy", HTTP_ACCESS_KEY, "messages:send",
      .body_bytes_max = MESSAGE_BODY_BYTES_MAX },
    { .handler = NULL },
};
