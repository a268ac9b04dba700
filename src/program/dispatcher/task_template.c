/* Tasks about message templates: handing them in, editing and deleting them, and looking what became of them.
 */
#include "crypto/hash.h"
#include "domain/template/template_item.h"
#include "domain/template/template_needs.h"
#include "domain/template/template_sample.h"
#include "program/dispatcher/task_handlers.h"
#include "program/dispatcher/task_template_internal.h"
#include "program/dispatcher/task_upload.h"
#include "wire/json/json.h"

#define NEEDS_BYTES    65536u
#define CODE_NOT_FOUND 2593002 /* subcode of 100 where a template that is deleted is not there */

/* From the calls to the record. */
struct outcome {
    struct template_news news;
    struct vault_sealed components;
    unsigned char digest[HASH_BYTES];
    bool is_nothing; /* the template waits for no such change any more */
};

struct read {
    struct task_run *run;
    struct template template;
    struct vault_sealed draft;
    bool has_draft;
};

static enum err
template_read_in(struct db_tx *tx, void *ctx)
{
    struct read *read = ctx;
    struct task_run *run = read->run;
    enum err err = template_get(tx, run->claim->subject, run->arena, &read->template);

    if (err != ERR_OK)
        return err;
    err = template_draft_read(tx, run->claim->subject, run->arena, &read->draft);
    read->has_draft = err == ERR_OK;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* The template, if it still waits for `change`; else outcome->is_nothing. */
static enum err
subject_read(struct task_run *run, enum template_change change, struct read *read,
             struct outcome **outcome_out)
{
    struct outcome *outcome = arena_alloc(run->arena, sizeof(*outcome));

    if (outcome == NULL)
        return ERR_NO_MEMORY;
    *read = (struct read){ .run = run };
    enum err err = task_read(run, template_read_in, read);
    outcome->is_nothing = err == ERR_OK && read->template.change != change;
    outcome->news.at = clock_wall(run->clock);
    outcome->news.ends_change = change != TEMPLATE_CHANGE_NONE;
    run->state = *outcome_out = outcome;
    return err == ERR_NOT_FOUND ? task_fail(run, "template-gone", "The template is not there any more.")
                                : err;
}

static enum err
draft_open(struct task_run *run, const struct read *read, struct slice *body_out)
{
    struct vault_place place = template_draft_place(run->claim->tenant, run->claim->subject);

    *body_out = SLICE_EMPTY;
    if (!read->has_draft)
        return task_fail(run, "draft-missing", "What WhatsApp was to be sent is not there any more.");
    return vault_open_content(run->vault, &place, &read->draft, run->arena, body_out);
}

/* The draft as WhatsApp is to have it: where it names our media, by the handle that its upload has brought.
 */
static enum err
draft_upload(struct task_run *run, struct slice draft, struct slice *body_out)
{
    struct template_sample samples[TEMPLATE_SAMPLES_MAX];
    struct slice handle;
    json_t *tree = NULL;
    size_t count = 0;
    enum err err = json_parse(draft, &tree);

    *body_out = draft;
    if (err == ERR_OK)
        err = template_samples(tree, run->arena, samples, &count);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        err = task_upload(run, samples[i].media, &handle);
        if (err == ERR_OK)
            err = template_sample_set(&samples[i], handle);
    }
    if (err != ERR_OK || count == 0) {
        json_decref(tree);
        return err;
    }
    return task_print(run, tree, body_out); /* takes it */
}

enum err
task_template_seal(struct task_run *run, const json_t *components, struct id template, struct arena *arena,
                   const unsigned char *known_digest, struct template_news *news,
                   struct vault_sealed *sealed_out, unsigned char digest_out[HASH_BYTES])
{
    struct vault_place place = template_components_place(run->claim->tenant, template);
    struct buf text, needs_text;
    json_t *needs = NULL;
    enum err err = ERR_OK;

    buf_init(&text, TEMPLATE_COMPONENTS_BYTES);
    buf_init(&needs_text, NEEDS_BYTES);
    err = json_print_canonical(components, &text);
    if (err == ERR_OK)
        err = hash_sha256(buf_slice(&text), digest_out);
    if (err != ERR_OK || (known_digest != NULL && memcmp(digest_out, known_digest, HASH_BYTES) == 0))
        goto done;
    buf_clear(&text);
    err = json_print(components, &text);
    if (err == ERR_OK)
        err = template_needs_of(components, &needs);
    if (err == ERR_OK)
        err = json_print(needs, &needs_text);
    if (err == ERR_OK)
        err = vault_seal(run->vault, VAULT_CONTENT, &place, buf_slice(&text), arena, sealed_out);
    if (err == ERR_OK) {
        news->needs = arena_copy(arena, buf_slice(&needs_text));
        news->components = sealed_out;
        news->digest = digest_out;
        err = news->needs.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
done:
    json_decref(needs);
    buf_release_wiped(&text);
    buf_release(&needs_text);
    return err == ERR_LIMIT ? ERR_OK
                            : err; /* more than a template can be: its state is worth knowing all the same */
}

/* What WhatsApp shows of the template now, into the news, under which the caller's own stay. */
static enum err
item_learn(struct task_run *run, const json_t *object, struct outcome *outcome)
{
    struct template_item item;
    bool ends_change = outcome->news.ends_change, is_sync = outcome->news.is_sync;
    struct wall_time at = outcome->news.at;
    enum err err = template_item_read(object, run->arena, &item);

    if (err == ERR_NOTHING)
        return ERR_OK;
    if (err != ERR_OK)
        return err;
    outcome->news = item.news;
    outcome->news.at = at;
    outcome->news.ends_change = ends_change;
    outcome->news.is_sync = is_sync;
    if (item.components == NULL)
        return ERR_OK;
    return task_template_seal(run, item.components, run->claim->subject, run->arena, NULL, &outcome->news,
                              &outcome->components, outcome->digest);
}

/* The path's template is not there: WhatsApp's answer for that is the one for a token that reaches nothing,
 * which would break the channel. */
static enum err
missing_told(struct task_run *run, enum err err)
{
    if (err == ERR_PROVIDER_REFUSED && run->error.code == 100 && run->error.subcode == 33)
        return task_fail(run, "whatsapp-100-33", "The template does not exist at WhatsApp any more.");
    return err;
}

static enum err
look(struct task_run *run, struct slice provider_id, struct outcome *outcome)
{
    const json_t *answer;
    struct slice path =
        arena_format(run->arena, "/%.*s?fields=" TEMPLATE_ITEM_FIELDS, SLICE_FMT(provider_id));
    enum err err = path.ptr == NULL ? ERR_NO_MEMORY : task_call(run, "GET", path, SLICE_EMPTY, &answer);

    return err == ERR_OK ? item_learn(run, answer, outcome) : missing_told(run, err);
}

/* A change was taken: whatever a look adds is welcome, and none is no failure. */
static enum err
look_after(struct task_run *run, struct slice provider_id, struct outcome *outcome)
{
    enum err err = look(run, provider_id, outcome);

    return err == ERR_PROVIDER_REFUSED ? ERR_OK : err;
}

/* Whether an attempt before this one, the answer of which was lost, did make the template. */
static enum err
made_before(struct task_run *run, const struct read *read, struct outcome *outcome, bool *is_made_out)
{
    const json_t *answer;
    struct slice path = arena_format(
        run->arena,
        "/%.*s/message_templates?name=%.*s&language=%.*s&limit=" TASK_TEMPLATE_PAGE
        "&fields=" TEMPLATE_ITEM_FIELDS,
        SLICE_FMT(run->waba_id), SLICE_FMT(read->template.name), SLICE_FMT(read->template.language));
    enum err err = path.ptr == NULL ? ERR_NO_MEMORY : task_call(run, "GET", path, SLICE_EMPTY, &answer);
    const json_t *data = err == ERR_OK ? json_member(answer, "data") : NULL;

    *is_made_out = false;
    for (size_t i = 0; err == ERR_OK && !*is_made_out && i < json_array_size(data); i++) {
        const json_t *object = json_array_get(data, i);
        if (!slice_eq(json_text_of(object, "name"), read->template.name) ||
            !slice_eq(json_text_of(object, "language"), read->template.language))
            continue;
        *is_made_out = true;
        err = item_learn(run, object, outcome);
    }
    return err;
}

enum err
task_template_create(struct task_run *run)
{
    const json_t *answer;
    struct outcome *outcome;
    struct read read;
    struct slice draft, body, path;
    bool is_made = false;
    enum err err = subject_read(run, TEMPLATE_CHANGE_CREATE, &read, &outcome);

    if (err != ERR_OK || outcome->is_nothing)
        return err;
    if (run->claim->is_unsure)
        err = made_before(run, &read, outcome, &is_made);
    if (err != ERR_OK || is_made)
        return err;
    path = arena_format(run->arena, "/%.*s/message_templates", SLICE_FMT(run->waba_id));
    err = path.ptr == NULL ? ERR_NO_MEMORY : draft_open(run, &read, &draft);
    if (err == ERR_OK)
        err = draft_upload(run, draft, &body);
    if (err == ERR_OK)
        err = task_call(run, "POST", path, body, &answer);
    if (err != ERR_OK)
        return err;
    struct slice provider_id = json_text_of(answer, "id");
    struct template_news *news = &outcome->news;
    news->provider_id = arena_copy(run->arena, slice_first(provider_id, 64));
    news->has_state = true;
    if (template_state_parse(json_text_of(answer, "status"), &news->state) != ERR_OK)
        news->state = TEMPLATE_PENDING;
    news->has_category = template_category_parse(json_text_of(answer, "category"), &news->category) == ERR_OK;
    if (news->provider_id.ptr == NULL)
        return ERR_NO_MEMORY;
    return provider_id.len == 0 ? ERR_OK : look_after(run, news->provider_id, outcome);
}

/* What WhatsApp has taken, should the look afterwards find nothing. */
static enum err
edit_learn(struct task_run *run, struct slice body, struct outcome *outcome)
{
    struct template_news *news = &outcome->news;
    json_t *draft = NULL;
    enum err err = json_parse(body, &draft);

    news->has_state = true;
    news->state = TEMPLATE_PENDING;
    if (err == ERR_OK) {
        news->has_category =
            template_category_parse(json_text_of(draft, "category"), &news->category) == ERR_OK;
        news->is_ttl_known = news->has_ttl = json_int_of(draft, "message_send_ttl_seconds", &news->ttl_s);
    }
    if (err == ERR_OK && json_member(draft, "components") != NULL)
        err = task_template_seal(run, json_member(draft, "components"), run->claim->subject, run->arena, NULL,
                                 news, &outcome->components, outcome->digest);
    json_decref(draft);
    return err;
}

enum err
task_template_edit(struct task_run *run)
{
    struct outcome *outcome;
    struct read read;
    struct slice draft, body, path;
    enum err err = subject_read(run, TEMPLATE_CHANGE_EDIT, &read, &outcome);

    if (err != ERR_OK || outcome->is_nothing)
        return err;
    if (run->claim->is_unsure) { /* taken before, when it is in review now */
        err = look(run, read.template.provider_id, outcome);
        if (err != ERR_OK || (outcome->news.has_state && outcome->news.state == TEMPLATE_PENDING))
            return err;
    }
    path = arena_format(run->arena, "/%.*s", SLICE_FMT(read.template.provider_id));
    err = path.ptr == NULL ? ERR_NO_MEMORY : draft_open(run, &read, &draft);
    if (err == ERR_OK)
        err = draft_upload(run, draft, &body);
    if (err == ERR_OK)
        err = missing_told(run, task_call(run, "POST", path, body, NULL));
    if (err == ERR_OK)
        err = edit_learn(run, draft, outcome);
    return err == ERR_OK ? look_after(run, read.template.provider_id, outcome) : err;
}

/* Names are of a-z, 0-9 and _ alone: nothing in them wants escaping, and anything else is no name. */
static bool
is_plain(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!((name.ptr[i] >= 'a' && name.ptr[i] <= 'z') || (name.ptr[i] >= '0' && name.ptr[i] <= '9') ||
              name.ptr[i] == '_'))
            return false;
    return name.len > 0;
}

static enum err
template_remove(struct task_run *run, bool is_all_languages)
{
    struct outcome *outcome;
    struct read read;
    struct slice path;
    enum err err = subject_read(run, TEMPLATE_CHANGE_DELETE, &read, &outcome);

    if (err != ERR_OK || outcome->is_nothing)
        return err;
    if (!is_plain(read.template.name))
        return task_fail(run, "template-name", "The template's name cannot be deleted by.");
    if (is_all_languages)
        path = arena_format(run->arena, "/%.*s/message_templates?name=%.*s", SLICE_FMT(run->waba_id),
                            SLICE_FMT(read.template.name));
    else
        path =
            arena_format(run->arena, "/%.*s/message_templates?hsm_id=%.*s&name=%.*s", SLICE_FMT(run->waba_id),
                         SLICE_FMT(read.template.provider_id), SLICE_FMT(read.template.name));
    err = path.ptr == NULL ? ERR_NO_MEMORY : task_call(run, "DELETE", path, SLICE_EMPTY, NULL);
    if (err == ERR_PROVIDER_REFUSED && run->error.code == 100 && run->error.subcode == CODE_NOT_FOUND)
        err = ERR_OK; /* gone is what was asked for */
    outcome->news.has_state = true;
    outcome->news.state = TEMPLATE_DELETED;
    return err;
}

enum err
task_template_delete(struct task_run *run)
{
    return template_remove(run, false);
}

enum err
task_template_delete_name(struct task_run *run)
{
    return template_remove(run, true);
}

enum err
task_template_unpause(struct task_run *run)
{
    struct outcome *outcome;
    struct read read;
    enum err err = subject_read(run, TEMPLATE_CHANGE_UNPAUSE, &read, &outcome);

    if (err != ERR_OK || outcome->is_nothing)
        return err;
    struct slice path = arena_format(run->arena, "/%.*s/unpause", SLICE_FMT(read.template.provider_id));
    err =
        path.ptr == NULL ? ERR_NO_MEMORY : missing_told(run, task_call(run, "POST", path, SLICE("{}"), NULL));
    return err == ERR_OK ? look_after(run, read.template.provider_id, outcome) : err;
}

enum err
task_template_refresh(struct task_run *run)
{
    struct outcome *outcome;
    struct read read;
    enum err err = subject_read(run, TEMPLATE_CHANGE_NONE, &read, &outcome);

    if (err != ERR_OK)
        return err;
    outcome->is_nothing = read.template.provider_id.len == 0;
    outcome->news.is_sync = true;
    return outcome->is_nothing ? ERR_OK : look(run, read.template.provider_id, outcome);
}

/* The title by what WhatsApp says more closely: for templates that is the subcode. */
static void
refusal_note(struct task_run *run, struct template_news *news)
{
    struct whatsapp_error closer = whatsapp_error_of(run->error.subcode, 0, false, 0);

    *news = (struct template_news){
        .at = clock_wall(run->clock),
        .ends_change = true,
        .is_refused = true,
        .error_code = slice_text(run->error_code),
        .error_title = slice_text(run->error.code == 100 && run->error.subcode > 1000000 ? closer.title
                                                                                         : run->error_title)
    };
}

enum err
task_template_create_record(struct db_tx *tx, struct task_run *run)
{
    struct outcome *outcome = run->state;
    struct template_news refusal;

    if (run->is_done)
        return outcome->is_nothing
                   ? ERR_OK
                   : template_learn(tx, run->clock, run->claim->subject, &outcome->news, run->arena);
    refusal_note(run, &refusal);
    refusal.has_state = true;
    refusal.state = TEMPLATE_REFUSED;
    enum err err = template_learn(tx, run->clock, run->claim->subject, &refusal, run->arena);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err
task_template_change_record(struct db_tx *tx, struct task_run *run)
{
    struct outcome *outcome = run->state;
    struct template_news refusal;

    if (run->is_done && outcome->is_nothing)
        return ERR_OK;
    if (!run->is_done)
        refusal_note(run, &refusal);
    enum err err = template_learn(tx, run->clock, run->claim->subject,
                                  run->is_done ? &outcome->news : &refusal, run->arena);
    if (err == ERR_OK && run->is_done && run->claim->kind == PROVIDER_TASK_TEMPLATE_DELETE_NAME)
        err = template_delete_name(tx, run->clock, run->claim->subject, run->arena);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err
task_template_refresh_record(struct db_tx *tx, struct task_run *run)
{
    struct outcome *outcome = run->state;

    if (!run->is_done || outcome->is_nothing)
        return ERR_OK;
    return template_learn(tx, run->clock, run->claim->subject, &outcome->news, run->arena);
}
