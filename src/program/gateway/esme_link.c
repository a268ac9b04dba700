/* What comes over a link: binds, messages and parts of them; and what the threads made of these. */
#include "core/log.h"
#include "program/gateway/esme_loop_internal.h"
#include "program/gateway/esme_report.h"
#include "wire/smpp/smpp_status.h"
#include <stdlib.h>

#define SUBMIT_ARENA (2u * 1024u * 1024u)

/* Submits. */

static enum err
submit_new(const struct esme_link *link, uint32_t command, struct esme_submit **out)
{
    struct arena *arena = arena_new(SUBMIT_ARENA);
    struct esme_submit *submit = arena == NULL ? NULL : arena_alloc(arena, sizeof(*submit));

    if (submit == NULL) {
        arena_free(arena);
        return ERR_NO_MEMORY;
    }
    *submit = (struct esme_submit){ .job = { .kind = ESME_SUBMIT, .link = link->number },
                                    .arena = arena,
                                    .server = link->loop->server,
                                    .account = link->what,
                                    .command = command };
    memcpy(submit->address, link->address, sizeof(submit->address));
    esme_group_init(&submit->group, arena);
    *out = submit;
    return ERR_OK;
}

static void
submit_answer(struct esme_link *link, const struct esme_submit *submit, uint32_t status, struct slice body)
{
    for (size_t i = 0; i < submit->count; i++)
        smpp_session_answer(link->session, submit->command, submit->sequences[i], status, body,
                            esme_now_of(link->loop));
}

/* To the worker; taken. */
static void
submit_give(struct esme_link *link, struct esme_submit *submit)
{
    if (esme_job_give(link->loop, &link->loop->server->work, &submit->job))
        return;
    submit_answer(link, submit, SMPP_QUEUE_FULL, SLICE_EMPTY);
    esme_submit_free(submit);
}

/* Parts that did not all come in one turn: they are kept, so that each can be answered. */
void
esme_pending_give(struct esme_link *link)
{
    for (struct esme_submit *submit = link->pending, *next; submit != NULL; submit = next) {
        next = submit->next;
        submit_give(link, submit);
    }
    link->pending = NULL;
}

/* Adds the part to those that came in this turn. false: it belongs to none of them. */
static bool
pending_add(struct esme_link *link, const struct smpp_pdu *pdu)
{
    for (struct esme_submit **at = &link->pending; *at != NULL; at = &(*at)->next) {
        struct esme_submit *submit = *at;
        enum esme_added added = ESME_ELSEWHERE;
        if (submit->command != pdu->command || submit->count == COUNT_OF(submit->sequences) ||
            esme_group_add(&submit->group, pdu->command, pdu->body, &added) != ERR_OK ||
            added == ESME_ELSEWHERE || added == ESME_DIFFERENT)
            continue;
        submit->sequences[submit->count++] = pdu->sequence;
        if (esme_group_is_whole(&submit->group)) {
            *at = submit->next;
            submit_give(link, submit);
        }
        return true;
    }
    return false;
}

static uint32_t
submit_take(struct esme_link *link, const struct smpp_pdu *pdu)
{
    struct esme_submit *submit = NULL;
    enum esme_added added = ESME_ELSEWHERE;
    struct smpp_message message;
    struct esme_part part;

    if (pdu->command != SMPP_SUBMIT_SM && pdu->command != SMPP_DATA_SM)
        return SMPP_INVALID_COMMAND;
    if (link->command == SMPP_BIND_RECEIVER)
        return SMPP_INVALID_BIND_STATUS;
    if (link->loop->is_stopping)
        return SMPP_SYSTEM_ERROR;
    if (smpp_message_read(pdu->command, pdu->body, &message) != ERR_OK)
        return SMPP_INVALID_LENGTH;
    uint32_t status = esme_part_read(&message, pdu->body.len, &part);
    if (status != SMPP_OK || (part.count > 1 && pending_add(link, pdu)))
        return status;
    if (submit_new(link, pdu->command, &submit) != ERR_OK ||
        esme_group_add(&submit->group, pdu->command, pdu->body, &added) != ERR_OK) {
        esme_submit_free(submit);
        return SMPP_SYSTEM_ERROR;
    }
    submit->sequences[submit->count++] = pdu->sequence;
    if (part.count == 1) {
        submit_give(link, submit);
    } else {
        struct esme_submit **last = &link->pending; /* in the order in which they came */
        while (*last != NULL)
            last = &(*last)->next;
        *last = submit;
    }
    return SMPP_OK;
}

static void
on_request(void *ctx, const struct smpp_pdu *pdu)
{
    struct esme_link *link = ctx;
    uint32_t status = submit_take(link, pdu);

    if (status != SMPP_OK)
        smpp_session_answer(link->session, pdu->command, pdu->sequence, status, SLICE_EMPTY,
                            esme_now_of(link->loop));
}

void
esme_submit_back(struct esme_loop *loop, struct esme_submit *submit)
{
    struct esme_link *link = esme_link_find(loop, submit->job.link);
    char id_text[ID_TEXT_BYTES];
    struct buf body;

    if (link != NULL) {
        buf_init(&body, SMPP_MESSAGE_ID_BYTES);
        if (submit->status == SMPP_OK &&
            smpp_answer_add(&body, submit->command,
                            &(struct smpp_answer){ .name = esme_message_id(submit->message, id_text) }) !=
                ERR_OK)
            submit->status = SMPP_SYSTEM_ERROR;
        submit_answer(link, submit, submit->status,
                      submit->status == SMPP_OK ? buf_slice(&body) : SLICE_EMPTY);
        buf_release(&body);
        if (submit->is_over)
            smpp_session_unbind(link->session, esme_now_of(loop));
    }
    submit->job.kind = ESME_NOTE;
    if (!esme_submit_is_noted(submit) || !esme_job_give(loop, &loop->server->work, &submit->job))
        esme_submit_free(submit); /* what could not be noted is found by the sweep */
}

/* Binds. */

static void
text_keep(struct slice text, char *out, size_t bytes)
{
    size_t len = text.len < bytes ? text.len : bytes - 1;

    memcpy(out, text.ptr, len);
    out[len] = '\0';
}

static void
on_bind(void *ctx, uint32_t command, const struct smpp_bind *asked)
{
    struct esme_link *link = ctx;
    struct esme_bind *bind = calloc(1, sizeof(*bind));

    link->command = command;
    if (bind != NULL) {
        bind->job = (struct esme_job){ .kind = ESME_BIND, .link = link->number };
        text_keep(asked->system_id, bind->system_id, sizeof(bind->system_id));
        text_keep(asked->password, bind->password, sizeof(bind->password));
        memcpy(bind->address, link->address, sizeof(bind->address));
        if (!link->loop->is_stopping && esme_job_give(link->loop, &link->loop->server->binds, &bind->job))
            return;
        explicit_bzero(bind, sizeof(*bind));
        free(bind);
    }
    smpp_session_bind_answer(link->session, SMPP_BIND_FAILED, SLICE_EMPTY, esme_now_of(link->loop));
}

void
esme_bind_back(struct esme_loop *loop, struct esme_bind *bind)
{
    struct esme_link *link = esme_link_find(loop, bind->job.link);

    if (link != NULL) {
        if (bind->status == SMPP_OK && !loop->is_stopping) {
            link->what = bind->account;
            link->account = esme_account_take(&loop->accounts, bind->account.tenant, bind->account.key,
                                              (size_t)bind->account.binds_max, esme_now_of(loop));
        }
        uint32_t status = bind->status == SMPP_OK && link->account == NULL ? SMPP_BIND_FAILED : bind->status;
        smpp_session_bind_answer(link->session, status, SLICE("harkara"), esme_now_of(loop));
    }
    explicit_bzero(bind, sizeof(*bind));
    free(bind);
}

static void
on_bound(void *ctx, const struct smpp_answer *answer UNUSED)
{
    const struct esme_link *link = ctx;

    log_event(LOG_INFO, "gateway.smpp_bound", LOG_ID("tenant", ID_TENANT, link->what.tenant),
              LOG_ID("key", ID_KEY, link->what.key), LOG_ADDRESS("from", slice_text(link->address)));
}

static void
on_notice(void *ctx UNUSED, const struct smpp_pdu *pdu UNUSED)
{
}

static void
on_closed(void *ctx, enum smpp_close why, uint32_t status UNUSED)
{
    struct esme_link *link = ctx;

    if (link->account != NULL)
        log_event(LOG_INFO, "gateway.smpp_ended", LOG_ID("tenant", ID_TENANT, link->what.tenant),
                  LOG_ID("key", ID_KEY, link->what.key), LOG_WORD("why", smpp_close_word(why)));
}

const struct smpp_session_calls esme_session_calls = {
    .bind = on_bind,
    .bound = on_bound,
    .request = on_request,
    .notice = on_notice,
    .answer = esme_on_answer,
    .lost = esme_on_lost,
    .closed = on_closed,
};
