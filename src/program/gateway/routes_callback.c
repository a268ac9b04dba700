/*
 * /callbacks/whatsapp/{channel_id}: where WhatsApp posts. The URL names a channel; without its secrets there
 * is no endpoint. A body is verified over its raw bytes, in the vault, before anything looks into it; stored,
 * with others (callback_stage.h); answered; and interpreted afterwards.
 */
#include "core/log.h"
#include "core/metric.h"
#include "domain/channel/channel.h"
#include "domain/channel/whatsapp/whatsapp_signature.h"
#include "program/gateway/callback_stage.h"
#include "program/gateway/gateway.h"

#define CALLBACK_BODY_BYTES_MAX (3u * 1024u * 1024u) /* Meta: up to 3 MB */
#define CHALLENGE_BYTES_MAX     256u

struct handshake {
    struct id channel;
    enum channel_credential credential;
    struct arena *arena;
    struct vault_sealed sealed;
    uint32_t generation;
};

static enum err
credential_in(struct db_tx *tx, void *ctx)
{
    struct handshake *handshake = ctx;
    struct slice phone_number_id;

    return channel_credential_read(tx, handshake->channel, handshake->credential, handshake->arena,
                                   &handshake->sealed, &handshake->generation, &phone_number_id);
}

/* The channel of the path, its tenant, and one of its sealed secrets. An unknown one is 404 like any other
 * path. */
static enum err
callback_find(struct http_request *request, enum channel_credential credential, struct handshake *out)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    enum err err = gateway_path_id(request, "channel_id", ID_CHANNEL, &out->channel);

    out->credential = credential;
    out->arena = request->arena;
    if (err == ERR_OK)
        err = channel_tenant(worker->db, out->channel, &request->tenant);
    return err == ERR_OK ? gateway_read(request, credential_in, out) : err;
}

/* GET: the handshake. hub.mode=subscribe, hub.verify_token as given to us, hub.challenge to be echoed. */
static enum err
callback_handshake(struct http_request *request, struct http_response *response)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    struct slice challenge = http_query(request, "hub.challenge"),
                 token = http_query(request, "hub.verify_token");
    struct handshake handshake = { 0 };

    if (!slice_eq(http_query(request, "hub.mode"), SLICE("subscribe")) || token.ptr == NULL ||
        challenge.len == 0 || challenge.len > CHALLENGE_BYTES_MAX)
        return ERR_QUERY;
    for (size_t i = 0; i < challenge.len; i++)
        if (challenge.ptr[i] < '!' || challenge.ptr[i] > '~' || strchr("<>&\"'", challenge.ptr[i]) != NULL)
            return ERR_QUERY; /* Meta sends digits; nothing that a browser could take for markup is echoed */
    enum err err = callback_find(request, CHANNEL_VERIFY_TOKEN, &handshake);
    if (err != ERR_OK)
        return err;
    struct vault_place place = channel_credential_place(request->tenant, handshake.channel,
                                                        CHANNEL_VERIFY_TOKEN, handshake.generation);
    err = vault_matches(&worker->vault, &place, &handshake.sealed, token);
    if (err == ERR_SIGNATURE)
        return ERR_VERIFY_TOKEN;
    response->status = 200;
    response->content_type = SLICE("text/plain; charset=utf-8");
    response->body = challenge;
    return err;
}

/* From ERR_DEFERRED on it is the stage's. It waits for nothing here, so it may be begun on the loop. */
static enum err
callback_post(struct http_request *request, struct http_response *response UNUSED)
{
    struct callback *callback = arena_alloc(request->arena, sizeof(*callback));

    if (callback == NULL)
        return ERR_NO_MEMORY;
    enum err err = gateway_path_id(request, "channel_id", ID_CHANNEL, &callback->channel);
    if (err != ERR_OK)
        return err;
    callback->has_mac =
        whatsapp_signature_parse(http_header(request, "X-Hub-Signature-256"), callback->mac) == ERR_OK;
    callback->request = request;
    return callback_stage_submit(gateway_worker_of(request)->gateway->callbacks, callback);
}

const struct http_route callback_routes[] = {
    { HTTP_GET, "/callbacks/whatsapp/{channel_id}", callback_handshake, NULL, HTTP_ACCESS_OPEN },
    { HTTP_POST, "/callbacks/whatsapp/{channel_id}", callback_post, NULL, HTTP_ACCESS_OPEN,
      .body_bytes_max = CALLBACK_BODY_BYTES_MAX, .has_raw_body = true, .begins_on_loop = true },
    { .handler = NULL },
};
