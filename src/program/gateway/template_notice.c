#include "program/gateway/template_notice.h"
#include "domain/channel/whatsapp/whatsapp_template_notice.h"
#include "domain/template/template.h"

/*
 * A notice says the second in which it was made, and nothing more. Two of one second come in any order; two
 * of the same words are the same bytes, which are taken for one that was delivered twice. So the state is
 * read from WhatsApp once that second is over.
 */
#define LOOK_AFTER_MS 2000

struct template_notice {
    struct slice account_id, template_id, name, language;
    bool is_gone;             /* nothing to look for */
    bool wants_a_look;        /* what changed was not told whole */
    struct wall_time look_at; /* zero: at once */
    struct template_news news;
};

/* Words of WhatsApp's that are no state by themselves. */
static bool
state_of(struct slice event, enum template_state *out)
{
    static const char *const approvals[] = { "REINSTATED", "UNARCHIVED", "UNPAUSED" };

    for (size_t i = 0; i < COUNT_OF(approvals); i++)
        if (slice_eq_nocase(event, slice_text(approvals[i]))) {
            *out = TEMPLATE_APPROVED;
            return true;
        }
    return template_state_parse(event, out) == ERR_OK && *out != TEMPLATE_SUBMITTING &&
           *out != TEMPLATE_REFUSED;
}

static enum err
status_read(const struct whatsapp_template_notice *said, struct template_notice *out)
{
    struct template_news *news = &out->news;

    news->has_state = state_of(said->event, &news->state);
    news->state_reason = said->reason;
    news->state_detail = said->detail;
    if (news->has_state) {
        out->is_gone = news->state == TEMPLATE_DELETED;
        return ERR_OK;
    }
    /* It stays as it is, and is marked: at risk of a pause, or not to be edited. */
    if (slice_eq_nocase(said->event, SLICE("FLAGGED")))
        news->state_reason = SLICE("flagged");
    else if (slice_eq_nocase(said->event, SLICE("LOCKED")))
        news->state_reason = SLICE("locked");
    else
        return ERR_NOTHING;
    news->has_reason = true;
    return ERR_OK;
}

static enum err
category_read(const struct whatsapp_template_notice *said, struct template_news *news)
{
    if (said->correct_category.len == 0) {
        news->has_category = template_category_parse(said->new_category, &news->category) == ERR_OK;
        return news->has_category ? ERR_OK : ERR_NOTHING;
    }
    if (template_category_parse(said->correct_category, &news->correct_category) != ERR_OK)
        return ERR_NOTHING;
    news->has_notice = said->has_change_at;
    news->has_correct_category = true;
    news->category_change_at = said->change_at;
    return ERR_OK;
}

static enum err
said_read(const struct whatsapp_template_notice *said, struct template_notice *out)
{
    switch (said->kind) {
    case WHATSAPP_TEMPLATE_STATUS:
        return status_read(said, out);
    case WHATSAPP_TEMPLATE_QUALITY:
        out->news.has_quality = true;
        out->news.quality = template_quality_of(said->quality);
        return ERR_OK;
    case WHATSAPP_TEMPLATE_COMPONENTS:
        out->wants_a_look = true;
        return ERR_OK;
    case WHATSAPP_TEMPLATE_CATEGORY:
        return category_read(said, &out->news);
    }
    bug("a kind of notice outside the enum");
}

enum err
template_notice_prepare(const struct whatsapp_event *event, const struct clock *clock, struct arena *arena,
                        struct template_notice **out)
{
    struct whatsapp_template_notice said;
    struct wall_time now = clock_wall(clock);
    enum err err = whatsapp_template_notice_read(event, arena, &said);

    if (err != ERR_OK)
        return err;
    struct template_notice *notice = arena_alloc(arena, sizeof(*notice));
    if (notice == NULL)
        return ERR_NO_MEMORY;
    err = said_read(&said, notice);
    if (err != ERR_OK)
        return err;
    /* Webhooks carry whole seconds: any moment of that second, but none that is still to come. */
    notice->news.at = event->has_time ? wall_after_ms(event->time, 999) : now;
    if (notice->news.at.us > now.us)
        notice->news.at = now;
    struct {
        struct slice *to, from;
    } copies[] = { { &notice->account_id, event->account_id },
                   { &notice->template_id, said.template_id },
                   { &notice->name, said.name },
                   { &notice->language, said.language },
                   { &notice->news.state_reason, notice->news.state_reason },
                   { &notice->news.state_detail, notice->news.state_detail } };
    for (size_t i = 0; i < COUNT_OF(copies); i++) {
        *copies[i].to = arena_copy(arena, copies[i].from);
        if (copies[i].to->ptr == NULL)
            return ERR_NO_MEMORY;
    }
    notice->news.provider_id = notice->template_id;
    if (said.kind == WHATSAPP_TEMPLATE_STATUS && !notice->is_gone) {
        notice->wants_a_look = true;
        notice->look_at = wall_after_ms((struct wall_time){ now.us - now.us % 1000000 }, LOOK_AFTER_MS);
    }
    *out = notice;
    return ERR_OK;
}

enum err
template_notice_apply(struct db_tx *tx, const struct clock *clock, const struct template_notice *notice,
                      struct id channel, struct arena *arena, size_t *unrouted_count)
{
    struct id account_channel, template, task;
    enum err err = template_account_channel(tx, notice->account_id, channel, &account_channel);

    if (err == ERR_NOT_FOUND) { /* an account of the same app that is not connected in this workspace */
        (*unrouted_count)++;
        return ERR_OK;
    }
    if (err == ERR_OK)
        err = template_by_provider(tx, account_channel, notice->template_id, notice->name, notice->language,
                                   &template);
    if (err == ERR_NOT_FOUND) {
        (*unrouted_count)++;
        return notice->is_gone ? ERR_OK
                               : template_sync_ask(tx, clock, account_channel, (struct id){ { 0 } },
                                                   (struct wall_time){ 0 }, &task);
    }
    if (err == ERR_OK)
        err = template_learn(tx, clock, template, &notice->news, arena);
    return err == ERR_OK && notice->wants_a_look
               ? template_sync_ask(tx, clock, account_channel, template, notice->look_at, &task)
               : err;
}
