#include "program/webhooks/delivery_prepare.h"
#include <stdio.h>

#define SIGNATURES_BYTES_MAX 900u
#define OPENS_MAX            3u /* of a job: its body, its endpoint's own fields, a client's key */

/* What is asked for one job; the asks of all lie one behind the other. */
struct prepared {
    struct vault_ask *body, *headers, *client_key; /* NULL: it has none; of a body: it is known */
    struct slice plain;                            /* the body */
    struct vault_ask *signs;
    size_t sign_count;
    struct slice content;
};

static void
open_all(const struct vault *vault, const struct webhook_claim *claims, struct delivery_job *const *jobs,
         size_t count, struct wall_time now, struct arena *arena, struct vault_ask *asks,
         struct prepared *prepared)
{
    size_t asked = 0;

    for (size_t i = 0; i < count; i++) {
        const struct webhook_target *target = claims[i].target;
        jobs[i]->has_expired = target->has_client && target->client_not_after.us <= now.us;
        prepared[i].plain = claims[i].plain;
        if (claims[i].plain.ptr == NULL) {
            prepared[i].body = &asks[asked];
            asks[asked++] = webhook_body_ask(&claims[i]);
        }
        if (target->has_headers) {
            prepared[i].headers = &asks[asked];
            asks[asked++] = webhook_headers_ask(target);
        }
        if (target->has_client && !jobs[i]->has_expired) {
            prepared[i].client_key = &asks[asked];
            asks[asked++] = webhook_client_key_ask(target);
        }
    }
    vault_ask_many(vault, asks, asked, arena);
    for (size_t i = 0; i < count; i++)
        if (prepared[i].body != NULL)
            prepared[i].plain = prepared[i].body->plain;
}

/* The secrets are the job's from here on, whatever becomes of it. */
static enum err
opened_take(const struct prepared *prepared, const struct webhook_target *target, struct delivery_job *job)
{
    enum err err = prepared->body == NULL ? ERR_OK : prepared->body->err;

    if (prepared->headers != NULL) {
        job->headers = prepared->headers->open;
        err = err == ERR_OK ? prepared->headers->err : err;
    }
    if (prepared->client_key != NULL) {
        job->client_key = prepared->client_key->open;
        err = err == ERR_OK ? prepared->client_key->err : err;
        buf_add(&job->client_certificate, target->client_certificate);
        err = err == ERR_OK ? buf_done(&job->client_certificate) : err;
    }
    return err;
}

static enum err
content_make(const struct webhook_claim *claim, struct wall_time now, struct arena *arena,
             struct prepared *prepared)
{
    char event_text[ID_TEXT_BYTES];
    struct buf content;

    buf_init(&content, WEBHOOK_CONTENT_MAX);
    webhook_signed_content(id_print(ID_EVENT, claim->event, event_text), now, prepared->plain, &content);
    enum err err = buf_done(&content);
    if (err == ERR_OK && (prepared->content = arena_copy(arena, buf_slice(&content))).ptr == NULL)
        err = ERR_NO_MEMORY;
    buf_release_wiped(&content);
    return err;
}

static enum err
signature_header_make(const struct prepared *prepared, struct delivery_job *job)
{
    struct buf signature;

    buf_init(&signature, SIGNATURES_BYTES_MAX);
    enum err err = webhook_signatures_add(prepared->signs, prepared->sign_count, &signature);
    buf_add_text(&job->signature_header, "webhook-signature: ");
    buf_add(&job->signature_header, buf_slice(&signature));
    buf_add_byte(&job->signature_header, '\0');
    buf_release(&signature);
    return err == ERR_OK ? buf_done(&job->signature_header) : err;
}

static enum err
request_make(const struct webhook_claim *claim, const struct prepared *prepared, struct wall_time now,
             struct delivery_job *job)
{
    char event_text[ID_TEXT_BYTES];
    enum err err = signature_header_make(prepared, job);

    if (err != ERR_OK)
        return err;
    buf_add(&job->body, prepared->plain);
    buf_add(&job->url, claim->target->url);
    buf_add_byte(&job->url, '\0');
    snprintf(job->id_header, sizeof(job->id_header), "webhook-id: %.*s",
             SLICE_FMT(id_print(ID_EVENT, claim->event, event_text)));
    snprintf(job->timestamp_header, sizeof(job->timestamp_header), "webhook-timestamp: %lld",
             (long long)(now.us / 1000000));
    job->outcome.began_at = now;
    err = buf_done(&job->body);
    return err == ERR_OK ? buf_done(&job->url) : err;
}

void
delivery_prepare(const struct vault *vault, struct wall_time now, const struct webhook_claim *claims,
                 struct delivery_job *const *jobs, size_t count, struct arena *arena, enum err *errs)
{
    struct prepared *prepared = arena_array(arena, count, sizeof(*prepared));
    struct vault_ask *opens = arena_array(arena, count * OPENS_MAX, sizeof(*opens));
    struct vault_ask *signs = arena_array(arena, count * WEBHOOK_SIGN_ASKS_MAX, sizeof(*signs));
    bool has_room = prepared != NULL && opens != NULL && signs != NULL;
    size_t asked = 0;

    for (size_t i = 0; i < count; i++)
        errs[i] = has_room ? ERR_OK : ERR_NO_MEMORY;
    if (has_room) {
        open_all(vault, claims, jobs, count, now, arena, opens, prepared);
        for (size_t i = 0; i < count; i++) {
            const struct webhook_target *target = claims[i].target;
            errs[i] = opened_take(&prepared[i], target, jobs[i]);
            if (errs[i] == ERR_OK)
                errs[i] = content_make(&claims[i], now, arena, &prepared[i]);
            if (errs[i] != ERR_OK)
                continue;
            prepared[i].signs = &signs[asked];
            prepared[i].sign_count =
                webhook_sign_asks(target->tenant, target->endpoint, target->keys, target->key_count,
                                  target->signing, prepared[i].content, &signs[asked]);
            asked += prepared[i].sign_count;
        }
        vault_ask_many(vault, signs, asked, arena);
        for (size_t i = 0; i < count; i++)
            if (errs[i] == ERR_OK)
                errs[i] = request_make(&claims[i], &prepared[i], now, jobs[i]);
    }
    arena_reset(arena);
}
