/* /v1/embedded-signups: connects a number by the code of WhatsApp's embedded signup. */
#include "core/config.h"
#include "crypto/encode.h"
#include "crypto/random.h"
#include "domain/channel/channel.h"
#include "program/gateway/act.h"
#include "program/gateway/operation_show.h"
#include "program/gateway/reach.h"
#include "wire/json/json.h"

#define VERIFY_TOKEN_BYTES 24u
#define REQUEST_BYTES_MAX  16384u

struct signup {
    struct channel_new with;
    struct provider_task_new task_with;
    struct vault_sealed request;
    const struct clock *clock;
    struct arena *arena;
    struct channel channel;
    struct provider_task task;
};

static enum err
signup_in(struct db_tx *tx, void *ctx)
{
    struct signup *signup = ctx;
    enum err err = channel_create(tx, signup->clock, &signup->with, signup->arena, &signup->channel);

    if (err == ERR_OK)
        err = provider_task_create(tx, &signup->task_with);
    return err == ERR_OK ? provider_task_get(tx, signup->task_with.id, signup->arena, &signup->task) : err;
}

/* What the provider will prove our callback with: nobody but the vault and the provider needs to know it. */
static enum err
verify_token_draw(struct buf *out)
{
    unsigned char drawn[VERIFY_TOKEN_BYTES];
    enum err err = random_fill(drawn, sizeof(drawn));

    if (err == ERR_OK)
        encode_hex(out, slice_of(drawn, sizeof(drawn)));
    return err == ERR_OK ? buf_done(out) : err;
}

/* What the dispatcher needs to finish the signup, for its task alone. */
static enum err
request_seal(struct http_request *request, struct signup *signup, const json_t *whatsapp,
             struct slice verify_token)
{
    static const char *const members[] = { "app_id", "app_secret", "code", "pin" };
    struct gateway_worker *worker = gateway_worker_of(request);
    struct vault_place place = provider_task_place(request->tenant, signup->task_with.id);
    char id[ID_TEXT_BYTES];
    struct buf text;

    buf_init(&text, REQUEST_BYTES_MAX);
    buf_add_text(&text, "{\"callback_url\":");
    json_add_string(&text, arena_format(request->arena, "%s/callbacks/whatsapp/%.*s",
                                        worker->gateway->role->config.public_url,
                                        SLICE_FMT(id_print(ID_CHANNEL, signup->with.id, id))));
    buf_add_text(&text, ",\"verify_token\":");
    json_add_string(&text, verify_token);
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        buf_add_format(&text, ",\"%s\":", members[i]);
        json_add_string(&text, json_text_of(whatsapp, members[i]));
    }
    buf_add_byte(&text, '}');
    enum err err = buf_done(&text);
    if (err == ERR_OK)
        err = vault_seal(&worker->vault, VAULT_CREDENTIAL, &place, buf_slice(&text), request->arena,
                         &signup->request);
    signup->task_with.request = &signup->request;
    buf_release_wiped(&text);
    return err;
}

static enum err
signup_post(struct http_request *request, struct http_response *response)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    const struct clock *clock = worker->gateway->clock;
    const json_t *body = request_json(request), *whatsapp = json_member(body, "whatsapp");
    struct signup signup = { .clock = clock,
                             .arena = request->arena,
                             .with = { .id = id_new(clock),
                                       .name = json_text_of(body, "name"),
                                       .waba_id = json_text_of(whatsapp, "waba_id"),
                                       .phone_number_id = json_text_of(whatsapp, "phone_number_id"),
                                       .display_phone_number = json_text_of(whatsapp, "display_phone_number"),
                                       .is_connecting = true } };
    struct buf verify_token;

    buf_init(&verify_token, 2 * VERIFY_TOKEN_BYTES);
    signup.task_with = (struct provider_task_new){ .id = id_new(clock),
                                                   .channel = signup.with.id,
                                                   .kind = PROVIDER_TASK_CHANNEL_CONNECT };
    enum err err = reach_check_workspace(request);
    if (err == ERR_OK)
        err = verify_token_draw(&verify_token);
    if (err == ERR_OK)
        err = channel_seal(&worker->vault, request->tenant, signup.with.id, CHANNEL_APP_SECRET, 1,
                           json_text_of(whatsapp, "app_secret"), request->arena,
                           &signup.with.sealed[CHANNEL_APP_SECRET]);
    if (err == ERR_OK)
        err =
            channel_seal(&worker->vault, request->tenant, signup.with.id, CHANNEL_VERIFY_TOKEN, 1,
                         buf_slice(&verify_token), request->arena, &signup.with.sealed[CHANNEL_VERIFY_TOKEN]);
    if (err == ERR_OK)
        err = request_seal(request, &signup, whatsapp, buf_slice(&verify_token));
    buf_release_wiped(&verify_token);
    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_CHANNEL_CREATED,
                                            .object_kind = ID_CHANNEL,
                                            .object = &signup.with.id,
                                            .detail = SLICE("{\"signup\":true}") },
                        signup_in, &signup);
    if (err == ERR_EXISTS)
        problem_add(&request->problem, request->arena, SLICE("/whatsapp/phone_number_id"),
                    SLICE("is connected already in this workspace"));
    return err == ERR_OK ? operation_reply(request, response, &signup.task) : err;
}

const struct http_route signup_routes[] = {
    { HTTP_POST, "/v1/embedded-signups", signup_post, "createEmbeddedSignup", HTTP_ACCESS_KEY,
      "channels:manage", .body_bytes_max = 16384 },
    { .handler = NULL },
};
