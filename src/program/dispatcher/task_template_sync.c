/* The task that reads all templates of an account: what is new is written down, and what is gone deleted. */
#include "program/dispatcher/task_handlers.h"
#include "program/dispatcher/task_template_internal.h"
#include "wire/json/json.h"

#define PAGE_ARENA_BYTES (32u << 20) /* a page of templates, sealed */
#define PAGE_TRIES       3
#define CURSOR_MAX       2048u

/* From the calls to the record. */
struct synced {
    struct wall_time since;
    size_t seen_count, deleted_count;
};

/* One item of a page of the account's templates. */
struct sync_item {
    struct template_item item;
    struct template_news read; /* as it came, without what is made for the template that it is for */
    bool is_readable, is_known;
    struct id id; /* of the template that is known, or of the one to be made */
    unsigned char known_digest[HASH_BYTES], digest[HASH_BYTES];
    struct vault_sealed components;
};

struct sync_page {
    struct task_run *run;
    struct arena *arena;
    struct sync_item *items;
    size_t count;
};

static enum err
page_match_in(struct db_tx *tx, void *ctx)
{
    struct sync_page *page = ctx;
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < page->count; i++) {
        struct sync_item *one = &page->items[i];
        if (!one->is_readable)
            continue;
        err = template_by_provider(tx, page->run->claim->channel, one->item.provider_id, one->item.name,
                                   one->item.language, &one->id);
        one->is_known = err == ERR_OK;
        if (err == ERR_OK)
            err = template_digest_read(tx, one->id, one->known_digest);
        else if (err == ERR_NOT_FOUND)
            err = ERR_OK;
    }
    return err;
}

static enum err
item_discover(struct db_tx *tx, struct task_run *run, const struct sync_item *one, struct arena *arena)
{
    const struct template_news *news = &one->item.news;
    struct template_new made = { .id = one->id,
                                 .channel = run->claim->channel,
                                 .name = one->item.name,
                                 .language = one->item.language,
                                 .category = news->has_category ? news->category : TEMPLATE_UTILITY,
                                 .is_named = news->is_named,
                                 .needs = news->needs,
                                 .components = news->components,
                                 .digest = news->digest };

    return template_discover(tx, run->clock, &made, news->has_state ? news->state : TEMPLATE_PENDING,
                             one->item.provider_id, arena);
}

static enum err
page_apply_in(struct db_tx *tx, void *ctx)
{
    struct sync_page *page = ctx;
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < page->count; i++) {
        struct sync_item *one = &page->items[i];
        if (!one->is_readable)
            continue;
        if (!one->is_known)
            err = item_discover(tx, page->run, one, page->arena);
        if (err == ERR_OK)
            err = template_learn(tx, page->run->clock, one->id, &one->item.news, page->arena);
    }
    return err;
}

/* Which of them are known, and then all of them written; ERR_EXISTS when that changed in between. */
static enum err
page_take(struct sync_page *page)
{
    struct task_run *run = page->run;
    enum err err = task_read(run, page_match_in, page);

    for (size_t i = 0; err == ERR_OK && i < page->count; i++) {
        struct sync_item *one = &page->items[i];
        if (!one->is_readable)
            continue;
        if (!one->is_known)
            one->id = id_new(run->clock);
        one->item.news = one->read;
        if (one->item.components != NULL)
            err = task_template_seal(run, one->item.components, one->id, page->arena, one->known_digest,
                                     &one->item.news, &one->components, one->digest);
    }
    return err == ERR_OK ? task_write(run, page_apply_in, page) : err;
}

static enum err
page_read(struct task_run *run, const json_t *data, struct wall_time at, struct arena *arena, size_t *seen)
{
    struct sync_page page = { .run = run, .arena = arena, .count = json_array_size(data) };
    enum err err = ERR_NO_MEMORY;

    page.items = arena_array(arena, page.count + 1, sizeof(*page.items));
    if (page.items == NULL)
        return ERR_NO_MEMORY;
    err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < page.count; i++) {
        err = template_item_read(json_array_get(data, i), arena, &page.items[i].item);
        page.items[i].is_readable = err == ERR_OK;
        page.items[i].read = page.items[i].item.news;
        page.items[i].read.at = at;
        page.items[i].read.is_sync = true;
        page.items[i].read.channel = run->claim->channel;
        *seen += err == ERR_OK;
        if (err == ERR_NOTHING)
            err = ERR_OK;
    }
    if (err != ERR_OK)
        return err;
    for (int tries = 0; tries < PAGE_TRIES; tries++) {
        err = page_take(&page);
        if (err != ERR_EXISTS) /* another sync has discovered one of them meanwhile: now it is known */
            break;
    }
    return err;
}

/* The cursor behind this page; empty: it was the last. */
static struct slice
cursor_of(const json_t *answer)
{
    const json_t *paging = json_member(answer, "paging");
    struct slice after = json_text_of(json_member(paging, "cursors"), "after");

    if (json_text_of(paging, "next").len == 0 || after.len > CURSOR_MAX)
        return SLICE_EMPTY;
    for (size_t i = 0; i < after.len; i++) { /* as it stands in a query, or not at all */
        char byte = after.ptr[i];
        if (!((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
              byte == '-' || byte == '_' || byte == '.' || byte == '~'))
            return SLICE_EMPTY;
    }
    return after;
}

enum err
task_template_sync(struct task_run *run)
{
    struct synced *synced = arena_alloc(run->arena, sizeof(*synced));
    struct arena *page_arena = arena_new(PAGE_ARENA_BYTES);
    struct slice cursor = SLICE_EMPTY;
    enum err err = synced == NULL || page_arena == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (err == ERR_OK) {
        synced->since = clock_wall(run->clock);
        run->state = synced;
    }
    do {
        const json_t *answer = NULL;
        struct wall_time at = clock_wall(run->clock);
        struct slice path = SLICE_EMPTY;
        if (err == ERR_OK)
            path = arena_format(run->arena,
                                "/%.*s/message_templates?limit=" TASK_TEMPLATE_PAGE
                                "&fields=" TEMPLATE_ITEM_FIELDS "%s%.*s",
                                SLICE_FMT(run->waba_id), cursor.len > 0 ? "&after=" : "", SLICE_FMT(cursor));
        if (err == ERR_OK && path.ptr == NULL)
            err = ERR_NO_MEMORY;
        if (err == ERR_OK)
            err = task_call(run, "GET", path, SLICE_EMPTY, &answer);
        if (err == ERR_OK)
            err = page_read(run, json_member(answer, "data"), at, page_arena, &synced->seen_count);
        if (page_arena != NULL)
            arena_reset(page_arena);
        cursor = err == ERR_OK ? cursor_of(answer) : SLICE_EMPTY;
    } while (err == ERR_OK && cursor.len > 0);
    arena_free(page_arena);
    return err;
}

enum err
task_template_sync_record(struct db_tx *tx, struct task_run *run)
{
    struct synced *synced = run->state;

    if (!run->is_done)
        return ERR_OK;
    enum err err = template_sweep(tx, run->clock, run->claim->channel, synced->since, run->arena,
                                  &synced->deleted_count);
    return err == ERR_OK ? task_result(run, json_pack("{s:I, s:I}", "seen", (json_int_t)synced->seen_count,
                                                      "deleted", (json_int_t)synced->deleted_count))
                         : err;
}
