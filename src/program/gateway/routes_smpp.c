/* /v1/api-keys/{key_id}/smpp: the account by which a workspace's own software binds with SMPP. */
#include "domain/identity/smpp_account.h"
#include "domain/message/message.h"
#include "program/gateway/act.h"
#include "program/gateway/gateway.h"
#include "program/gateway/reach.h"
#include "wire/json/json.h"

#define SMPP_BODY_BYTES_MAX 4096u
#define BINDS_MAX           4

struct work {
    struct smpp_account with, account;
    uint64_t permissions;
    struct audit_act act;
    const struct clock *clock;
    struct arena *arena;
    struct secret *password; /* owned */
};

static json_t *
account_show(const struct http_request *request, const struct smpp_account *account)
{
    const struct config *config = &gateway_worker_of(request)->gateway->role->config;

    return json_pack("{s:o, s:s, s:o, s:s, s:i, s:s, s:o, s:o, s:o}", "key_id", show_id(ID_KEY, account->key),
                     "system_id", account->system_id, "channel_id", show_id(ID_CHANNEL, account->channel),
                     "category", account->category, "binds_max", account->binds_max, "dedupe", smpp_dedupe_word(account->dedupe), "listens_on",
                     show_text_or_null(slice_text(config->smpp_listen)), "created_at",
                     show_time(account->created_at), "updated_at", show_time(account->updated_at));
}

static enum err
put_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    secret_free(work->password); /* of a try that clashed */
    work->password = NULL;
    enum err err =
        smpp_account_put(tx, &work->with, work->permissions, work->arena, &work->account, &work->password);
    return err == ERR_OK ? audit_append(tx, work->clock, &work->act) : err;
}

static enum err
work_begin(struct http_request *request, struct work *work)
{
    const struct principal *principal = request->principal;

    *work = (struct work){ .clock = gateway_worker_of(request)->gateway->clock,
                           .arena = request->arena,
                           .permissions = principal->scopes };
    return gateway_path_id(request, "key_id", ID_KEY, &work->with.key);
}

static enum err
smpp_put(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct slice category = json_text_of(body, "category");
    enum message_category of = MESSAGE_TRANSACTIONAL;
    int64_t binds_max = BINDS_MAX;
    struct work work;
    enum err err = work_begin(request, &work);

    struct slice dedupe = json_text_of(body, "dedupe");
    (void)json_int_of(body, "binds_max", &binds_max);
    if (err == ERR_OK && dedupe.ptr != NULL)
        err = smpp_dedupe_parse(dedupe, &work.with.dedupe);
    if (err == ERR_OK && category.ptr != NULL)
        err = message_category_parse(category, &of);
    if (err == ERR_OK &&
        (id_parse(ID_CHANNEL, json_text_of(body, "channel_id"), &work.with.channel) != ERR_OK ||
         !reach_has_channel(request, work.with.channel)))
        err = ERR_CHANNEL_UNKNOWN;
    if (err == ERR_OK)
        err = act_begin(request, AUDIT_API_KEY_UPDATED, ID_KEY, work.with.key, &work.act);
    if (err != ERR_OK)
        return err;
    work.with.binds_max = (int)binds_max; /* within the contract's bounds */
    (void)snprintf(work.with.category, sizeof(work.with.category), "%s", message_category_word(of));
    work.act.detail = SLICE("{\"members\":[\"smpp\"]}");
    err = gateway_write(request, put_in, &work);
    json_t *shown = err == ERR_OK ? account_show(request, &work.account) : NULL;
    if (err == ERR_OK)
        show_set(&shown, "password", show_text(secret_slice(work.password)));
    secret_free(work.password);
    return err == ERR_OK ? http_reply_json(request, response, 200, shown) : err;
}

static enum err
get_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return smpp_account_get(tx, work->with.key, &work->account);
}

static enum err
smpp_get(struct http_request *request, struct http_response *response)
{
    struct work work;
    enum err err = work_begin(request, &work);

    if (err == ERR_OK)
        err = gateway_read(request, get_in, &work);
    return err == ERR_OK ? http_reply_json(request, response, 200, account_show(request, &work.account))
                         : err;
}

static enum err
delete_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = smpp_account_delete(tx, work->with.key);

    return err == ERR_OK ? audit_append(tx, work->clock, &work->act) : err;
}

static enum err
smpp_delete(struct http_request *request, struct http_response *response)
{
    struct work work;
    enum err err = work_begin(request, &work);

    if (err == ERR_OK)
        err = act_begin(request, AUDIT_API_KEY_UPDATED, ID_KEY, work.with.key, &work.act);
    work.act.detail = SLICE("{\"members\":[\"smpp\"]}");
    if (err == ERR_OK)
        err = gateway_write(request, delete_in, &work);
    return err == ERR_OK ? http_reply_empty(response, 204) : err;
}

const struct http_route smpp_routes[] = {
    { HTTP_PUT, "/v1/api-keys/{key_id}/smpp", smpp_put, "putApiKeySmpp", HTTP_ACCESS_KEY, "keys:manage",
      .body_bytes_max = SMPP_BODY_BYTES_MAX, .needs_step_up = true },
    { HTTP_GET, "/v1/api-keys/{key_id}/smpp", smpp_get, "getApiKeySmpp", HTTP_ACCESS_KEY, "keys:manage" },
    { HTTP_DELETE, "/v1/api-keys/{key_id}/smpp", smpp_delete, "deleteApiKeySmpp", HTTP_ACCESS_KEY,
      "keys:manage" },
    { .handler = NULL },
};
