#include "program/gateway/template_check.h"
#include "domain/template/template.h"
#include "domain/template/template_needs.h"
#include "wire/json/json.h"

struct find {
    struct id channel;
    struct slice name, language;
    struct arena *arena;
    struct template_sendable found;
};

static enum err
find_in(struct db_tx *tx, void *ctx)
{
    struct find *find = ctx;

    return template_for_send(tx, find->channel, find->name, find->language, find->arena, &find->found);
}

/* What stands in the way, in the sense of WhatsApp's 132001, 132015 and 132016. */
static const char *
state_says(enum template_state state)
{
    switch (state) {
    case TEMPLATE_APPROVED:
        return NULL;
    case TEMPLATE_PAUSED:
        return "the template is paused for low quality";
    case TEMPLATE_DISABLED:
        return "the template is disabled for low quality";
    case TEMPLATE_SUBMITTING:
    case TEMPLATE_PENDING:
    case TEMPLATE_IN_APPEAL:
        return "the template is not approved yet";
    case TEMPLATE_REJECTED:
        return "the template was rejected";
    case TEMPLATE_REFUSED:
    case TEMPLATE_LIMIT_EXCEEDED:
    case TEMPLATE_ARCHIVED:
    case TEMPLATE_PENDING_DELETION:
    case TEMPLATE_DELETED:
    case TEMPLATE_STATE_COUNT:
        break;
    }
    return "the template cannot be sent any more";
}

/* The message's category decides on its priority, its retries and its consent: it must be the template's
 * kind. */
static bool
category_fits(enum template_category template, enum message_category message)
{
    switch (template) {
    case TEMPLATE_MARKETING:
        return message == MESSAGE_PROMOTIONAL;
    case TEMPLATE_UTILITY:
        return message == MESSAGE_TRANSACTIONAL || message == MESSAGE_SERVICE;
    case TEMPLATE_AUTHENTICATION:
        return message == MESSAGE_OTP;
    }
    bug("no such template category");
}

static enum message_category category_of(enum template_category template)
{
    return template == TEMPLATE_MARKETING ? MESSAGE_PROMOTIONAL
           : template == TEMPLATE_UTILITY ? MESSAGE_TRANSACTIONAL
                                          : MESSAGE_OTP;
}

static enum err
found_check(const struct template_sendable *found, const struct template_send *send,
            enum message_category *category)
{
    const char *state = state_says(found->state);
    json_t *needs = NULL;
    enum err err = ERR_OK;

    if (state != NULL) {
        problem_add(send->problem, send->arena,
                    arena_format(send->arena, "%.*s/template/name", SLICE_FMT(send->at)), slice_text(state));
        return ERR_TEMPLATE_NOT_READY;
    }
    if (!send->has_category) {
        *category = category_of(found->category);
    } else if (!category_fits(found->category, *category)) {
        problem_add(send->problem, send->arena, send->category_at,
                    arena_format(send->arena, "the template is for %s messages",
                                 template_category_word(found->category)));
        err = ERR_TEMPLATE_MISMATCH;
    }
    if (found->knows_needs) {
        enum err fit = json_parse(found->needs, &needs);
        if (fit == ERR_OK)
            fit = template_needs_check(needs, found->is_named, json_member(send->content, "template"),
                                       arena_format(send->arena, "%.*s/template", SLICE_FMT(send->at)),
                                       send->arena, send->problem);
        json_decref(needs);
        err = fit == ERR_OK ? err : fit;
    }
    return err;
}

struct key {
    struct slice key;
    bool is_used;
};

static enum err
key_in(struct db_tx *tx, void *ctx)
{
    struct key *key = ctx;

    return message_key_is_used(tx, key->key, &key->is_used);
}

enum err
gateway_template_check(struct http_request *request, const struct template_send *send,
                       enum message_category *category)
{
    const json_t *template = json_member(send->content, "template");
    struct key key = { .key = send->idempotency_key };
    struct find find = { .channel = send->channel,
                         .name = json_text_of(template, "name"),
                         .language = json_text_of(json_member(template, "language"), "code"),
                         .arena = send->arena };

    if (!slice_eq(json_text_of(send->content, "type"), SLICE("template")) || find.name.ptr == NULL ||
        find.language.ptr == NULL)
        return ERR_OK;
    enum err err = gateway_read(request, find_in, &find);
    *send->state = err == ERR_OK ? POLICY_TEMPLATE_APPROVED : POLICY_TEMPLATE_UNKNOWN;
    if (err != ERR_OK)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    size_t fault_count = send->problem->count;
    err = found_check(&find.found, send, category);
    if ((err != ERR_TEMPLATE_MISMATCH && err != ERR_TEMPLATE_NOT_READY) || send->idempotency_key.ptr == NULL)
        return err;
    enum err looked = gateway_read(request, key_in, &key);
    if (looked != ERR_OK || !key.is_used)
        return looked != ERR_OK ? looked : err;
    send->problem->count = fault_count; /* what was accepted once is answered as it was then */
    return ERR_OK;
}
