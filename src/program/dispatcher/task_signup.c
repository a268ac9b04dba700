/*
 * Connecting a number by WhatsApp's embedded signup: its code becomes an access token, which is kept before
 * anything else, since a code is good once and for 30 seconds; then the token is looked at, our callback is
 * subscribed to the account, the number registered. Each later step may be done twice.
 */
#include "domain/channel/channel.h"
#include "program/dispatcher/task_handlers.h"
#include "wire/json/json.h"

#define CODE_LIFE_MS    30000
#define TOKEN_BYTES_MAX 4096u

struct signup {
    struct task_run *run;
    json_t *request; /* owned: app_id, app_secret, code, pin, callback_url, verify_token */
    struct slice app_id, app_secret, token; /* the token: in the arena, which is wiped */
    struct vault_sealed sealed;
};

static enum err
path_keep(struct task_run *run, struct buf *path, struct slice *out)
{
    enum err err = buf_done(path);

    if (err == ERR_OK)
        *out = arena_copy(run->arena, buf_slice(path));
    if (err == ERR_OK && out->ptr == NULL)
        err = ERR_NO_MEMORY;
    buf_release_wiped(path);
    return err;
}

static enum err
token_in(struct db_tx *tx, void *ctx)
{
    struct signup *signup = ctx;

    return channel_token_first(tx, signup->run->claim->channel, &signup->sealed);
}

/* The token goes into its column at once: should we die now, the next attempt goes on from here. */
static enum err
token_keep(struct signup *signup)
{
    struct task_run *run = signup->run;
    struct vault_place place =
        channel_credential_place(run->claim->tenant, run->claim->channel, CHANNEL_ACCESS_TOKEN, 1);
    enum err err =
        vault_seal(run->vault, VAULT_CREDENTIAL, &place, signup->token, run->arena, &signup->sealed);

    return err == ERR_OK ? task_write(run, token_in, signup) : err;
}

static enum err
code_exchange(struct signup *signup)
{
    struct task_run *run = signup->run;
    const json_t *answer = NULL;
    struct task_request request = { .method = "GET", .is_anonymous = true };
    struct buf path;

    if (clock_wall(run->clock).us - run->claim->created_at.us > CODE_LIFE_MS * INT64_C(1000))
        return task_fail(run, "signup-code-expired", "The signup's code could not be exchanged in time.");
    buf_init(&path, 8192);
    task_query_add(&path, "/oauth/access_token?client_id=", signup->app_id);
    task_query_add(&path, "&client_secret=", signup->app_secret);
    task_query_add(&path, "&code=", json_text_of(signup->request, "code"));
    enum err err = path_keep(run, &path, &request.path);
    if (err == ERR_OK)
        err = task_call_with(run, &request, &answer);
    if (err == ERR_PROVIDER_REFUSED && run->error.code == 100)
        return task_fail(run, "signup-code-refused",
                         "WhatsApp did not take the signup's code: it is good once, for 30 seconds.");
    if (err != ERR_OK)
        return err;
    struct slice token = json_text_of(answer, "access_token");
    if (token.len == 0 || token.len > TOKEN_BYTES_MAX)
        return task_fail(run, "signup-token-missing", "WhatsApp answered the signup's code without a token.");
    signup->token = arena_copy(run->arena, token);
    if (signup->token.ptr == NULL)
        return ERR_NO_MEMORY;
    err = task_use_token(run, signup->token);
    return err == ERR_OK ? token_keep(signup) : err;
}

/* A scope without targets is good for all that the business has. */
static bool
scope_names(const json_t *scopes, struct slice scope, struct slice account)
{
    for (size_t i = 0; i < json_array_size(scopes); i++) {
        const json_t *one = json_array_get(scopes, i), *targets = json_member(one, "target_ids");
        if (!slice_eq(json_text_of(one, "scope"), scope))
            continue;
        if (json_array_size(targets) == 0)
            return true;
        for (size_t k = 0; k < json_array_size(targets); k++) {
            const json_t *target = json_array_get(targets, k);
            if (json_is_string(target) &&
                slice_eq(slice_of(json_string_value(target), json_string_length(target)), account))
                return true;
        }
    }
    return false;
}

/* That the token is our app's, and may use this account: before anything is done with it. */
static enum err
token_check(struct signup *signup)
{
    struct task_run *run = signup->run;
    const json_t *answer = NULL, *data;
    struct slice bearer =
        arena_format(run->arena, "%.*s|%.*s", SLICE_FMT(signup->app_id), SLICE_FMT(signup->app_secret));
    struct task_request request = { .method = "GET", .bearer = bearer };
    struct buf path;

    if (bearer.ptr == NULL)
        return ERR_NO_MEMORY;
    buf_init(&path, 3 * TOKEN_BYTES_MAX + 256);
    task_query_add(&path, "/debug_token?input_token=", task_token(run));
    enum err err = path_keep(run, &path, &request.path);
    if (err == ERR_OK)
        err = task_call_with(run, &request, &answer);
    if (err != ERR_OK)
        return err;
    data = json_member(answer, "data");
    const json_t *scopes = json_member(data, "granular_scopes");
    if (!json_is_true(json_member(data, "is_valid")) ||
        !slice_eq(json_text_of(data, "app_id"), signup->app_id))
        return task_fail(run, "signup-token-invalid", "The signup's token is not one of this app.");
    if (!scope_names(scopes, SLICE("whatsapp_business_management"), run->waba_id) ||
        !scope_names(scopes, SLICE("whatsapp_business_messaging"), run->waba_id))
        return task_fail(run, "signup-account-missing",
                         "The signup gives no access to this WhatsApp Business account.");
    return ERR_OK;
}

static enum err
account_subscribe(struct signup *signup)
{
    struct task_run *run = signup->run;
    struct slice path = arena_format(run->arena, "/%.*s/subscribed_apps", SLICE_FMT(run->waba_id)), body;
    struct slice url = json_text_of(signup->request, "callback_url"),
                 verify = json_text_of(signup->request, "verify_token");
    enum err err = task_print(run,
                              json_pack("{s:s%, s:s%}", "override_callback_uri", url.ptr, url.len,
                                        "verify_token", verify.ptr, verify.len),
                              &body);

    if (err == ERR_OK && path.ptr == NULL)
        err = ERR_NO_MEMORY;
    return err == ERR_OK ? task_call(run, "POST", path, body, NULL) : err;
}

static enum err
number_register(struct signup *signup)
{
    struct task_run *run = signup->run;
    struct slice path = arena_format(run->arena, "/%.*s/register", SLICE_FMT(run->phone_number_id)), body;
    struct slice pin = json_text_of(signup->request, "pin");
    enum err err = task_print(
        run, json_pack("{s:s, s:s%}", "messaging_product", "whatsapp", "pin", pin.ptr, pin.len), &body);

    if (err == ERR_OK && path.ptr == NULL)
        err = ERR_NO_MEMORY;
    return err == ERR_OK ? task_call(run, "POST", path, body, NULL) : err;
}

enum err
task_channel_connect(struct task_run *run)
{
    struct signup signup = { .run = run };
    enum err err = json_parse(run->request, &signup.request);

    signup.app_id = json_text_of(signup.request, "app_id");
    signup.app_secret = json_text_of(signup.request, "app_secret");
    if (err == ERR_OK && !run->has_token)
        err = code_exchange(&signup);
    if (err == ERR_OK)
        err = token_check(&signup);
    if (err == ERR_OK)
        err = account_subscribe(&signup);
    if (err == ERR_OK)
        err = number_register(&signup);
    json_decref(signup.request);
    return err;
}

enum err
task_channel_connect_record(struct db_tx *tx, struct task_run *run)
{
    if (!run->is_done)
        return channel_break(tx, run->clock, run->claim->channel, 0, run->error_title, run->arena);
    enum err err = channel_connected(tx, run->clock, run->claim->channel, run->arena);
    return err == ERR_OK ? task_number_changed_record(tx, run) : err;
}
