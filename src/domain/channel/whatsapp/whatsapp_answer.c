#include "domain/channel/whatsapp/whatsapp_answer.h"
#include "domain/channel/whatsapp/whatsapp_json_internal.h"
#include "wire/json/json.h"
#include "wire/json/json_foreign.h"

/* Without the provider's own words: what may have happened to the message, by HTTP status. */
static struct whatsapp_error
error_unspoken(int http_status)
{
    struct whatsapp_error error = { .code = WHATSAPP_CODE_NONE };

    if (http_status == 0) {
        error.class = WHATSAPP_UNCERTAIN;
        error.title = "The connection broke before WhatsApp's answer came.";
    } else if ((http_status >= 200 && http_status <= 299) || http_status >= 500) {
        error.class = WHATSAPP_UNCERTAIN;
        error.title = "WhatsApp's answer could not be read.";
    } else if (http_status == 401) {
        error.class = WHATSAPP_CREDENTIAL_BROKEN;
        error.scope = WHATSAPP_SCOPE_NUMBER;
        error.title = "WhatsApp did not accept the access token.";
    } else if (http_status == 429) {
        error.class = WHATSAPP_THROTTLE;
        error.scope = WHATSAPP_SCOPE_NUMBER;
        error.title = "WhatsApp reported too many requests.";
    } else { /* a redirect or a refusal without reason is not the Cloud API's: something stands in between */
        error.class = WHATSAPP_RETRY;
        error.title = "Something other than WhatsApp answered.";
    }
    return error;
}

static void
text_keep(struct whatsapp_text *text, struct slice from, size_t bytes_max)
{
    text->len = from.len <= bytes_max ? from.len : 0;
    if (text->len > 0)
        memcpy(text->bytes, from.ptr, text->len);
    text->bytes[text->len] = '\0';
}

static enum whatsapp_acceptance
acceptance_of(struct slice word)
{
    if (word.len == 0 || slice_eq(word, SLICE("accepted")))
        return WHATSAPP_ACCEPTED;
    if (slice_eq(word, SLICE("held_for_quality_assessment")))
        return WHATSAPP_ACCEPTED_HELD;
    if (slice_eq(word, SLICE("paused")))
        return WHATSAPP_ACCEPTED_PAUSED;
    return WHATSAPP_ACCEPTED_OTHER;
}

/* {"contacts":[{"input","wa_id"?,"user_id"?}],"messages":[{"id","message_status"?}]}: one message, one
 * recipient. */
static bool
acceptance_read(const json_t *tree, struct whatsapp_answer *out)
{
    const json_t *message = json_array_get(json_member(tree, "messages"), 0);
    const json_t *contact = json_array_get(json_member(tree, "contacts"), 0);
    struct slice id = json_text_of(message, "id");

    if (id.len == 0)
        return false;
    out->is_accepted = true;
    out->acceptance = acceptance_of(json_text_of(message, "message_status"));
    text_keep(&out->provider_id, id, WHATSAPP_PROVIDER_ID_MAX);
    text_keep(&out->wa_id, json_text_of(contact, "wa_id"), WHATSAPP_USER_ID_MAX);
    text_keep(&out->user_id, json_text_of(contact, "user_id"), WHATSAPP_USER_ID_MAX);
    return true;
}

/* {"error":{"code","error_subcode"?,"is_transient"?,...}}; its texts are not for us. */
static bool
refusal_read(const json_t *tree, int http_status, struct whatsapp_answer *out)
{
    const json_t *error = json_member(tree, "error");
    int64_t code = 0, subcode = 0;
    bool is_transient = false;

    if (!whatsapp_json_int(error, "code", &code) || code < 0)
        return false;
    (void)whatsapp_json_int(error, "error_subcode", &subcode);
    (void)whatsapp_json_bool(error, "is_transient", &is_transient);
    out->error = whatsapp_error_of(code, subcode < 0 ? 0 : subcode, is_transient, http_status);
    return true;
}

/* The header's wish counts when it asks for more than our table does. */
static void
retry_after_apply(struct whatsapp_error *error, int64_t asked_s)
{
    if (error->class != WHATSAPP_RETRY && error->class != WHATSAPP_THROTTLE && error->class != WHATSAPP_WAIT)
        return;
    if (asked_s > WHATSAPP_RETRY_AFTER_S_MAX)
        asked_s = WHATSAPP_RETRY_AFTER_S_MAX;
    if (asked_s > error->retry_after_s)
        error->retry_after_s = (uint32_t)asked_s;
}

void
whatsapp_answer_read(const struct whatsapp_reply *reply, struct whatsapp_answer *out)
{
    json_t *tree = NULL;
    bool is_success = reply->http_status >= 200 && reply->http_status <= 299;

    *out = (struct whatsapp_answer){ .error = error_unspoken(reply->http_status) };
    if (!reply->was_sent) {
        out->error.class = WHATSAPP_RETRY;
        out->error.title = "WhatsApp could not be reached.";
    } else if (reply->http_status != 0 && reply->body.len <= WHATSAPP_ANSWER_BYTES_MAX &&
               json_parse_foreign(reply->body, &tree) == ERR_OK) {
        /* A success with an error in it is a refusal; a failure with a message id in it stays what its status
         * says. */
        if (!refusal_read(tree, reply->http_status, out) && is_success)
            (void)acceptance_read(tree, out);
    }
    if (!out->is_accepted)
        retry_after_apply(&out->error, reply->retry_after_s);
    /* What the account may do again and when says nothing about a number's or a pair's own limit. */
    if (!out->is_accepted && out->error.class == WHATSAPP_THROTTLE &&
        (out->error.scope == WHATSAPP_SCOPE_ACCOUNT || out->error.scope == WHATSAPP_SCOPE_APP))
        retry_after_apply(&out->error, reply->regain_s);
    json_decref(tree);
}
