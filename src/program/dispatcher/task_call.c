/* The calls of a provider task: one HTTP request, its answer read, nothing repeated. */
#include "core/log.h"
#include "core/metric.h"
#include "domain/channel/whatsapp/whatsapp_answer.h"
#include "program/dispatcher/task_internal.h"
#include "wire/json/json.h"
#include "wire/json/json_foreign.h"

#define CONNECT_TIMEOUT_MS 5000
#define STEP_MS            250
#define LEASE_MARGIN_MS    30000 /* beyond a call's time limit: to write what it brought */
#define URL_BYTES_MAX      8192u

struct write {
    struct task_run *run;
    enum err (*work)(struct db_tx *tx, void *ctx);
    void *ctx;
    int64_t lease_ms;
};

static enum err
write_in(struct db_tx *tx, void *ctx)
{
    struct write *write = ctx;
    enum err err = provider_task_hold(tx, write->run->claim, write->lease_ms);

    return err == ERR_OK && write->work != NULL ? write->work(tx, write->ctx) : err;
}

static int64_t
lease_ms(const struct task_run *run)
{
    return run->runner->config->config->send_timeout_ms + 2 * LEASE_MARGIN_MS;
}

enum err
task_write(struct task_run *run, enum err (*work)(struct db_tx *tx, void *ctx), void *ctx)
{
    struct write write = { .run = run, .work = work, .ctx = ctx, .lease_ms = lease_ms(run) };
    struct mono_time now = clock_mono(run->clock);
    enum err err = db_run(run->runner->db, run->claim->tenant, write_in, &write);

    if (err == ERR_OK)
        run->runner->held_until = mono_after_ms(now, write.lease_ms);
    return err;
}

enum err
task_hold(struct task_run *run)
{
    int64_t left_us = run->runner->held_until.us - clock_mono(run->clock).us;

    return left_us > LEASE_MARGIN_MS * INT64_C(1000) ? ERR_OK : task_write(run, NULL, NULL);
}

enum err
task_read(struct task_run *run, enum err (*work)(struct db_tx *tx, void *ctx), void *ctx)
{
    return db_run(run->runner->db, run->claim->tenant, work, ctx);
}

struct slice
task_token(const struct task_run *run)
{
    return run->runner->token == NULL ? SLICE_EMPTY : secret_slice(run->runner->token);
}

enum err
task_use_token(struct task_run *run, struct slice token)
{
    struct secret *copy = secret_copy(token);

    if (copy == NULL)
        return ERR_NO_MEMORY;
    secret_free(run->runner->token);
    run->runner->token = copy;
    run->has_token = true;
    return ERR_OK;
}

enum err
task_fail(struct task_run *run, const char *code, const char *title)
{
    run->error =
        (struct whatsapp_error){ .code = WHATSAPP_CODE_NONE, .class = WHATSAPP_PERMANENT, .title = title };
    snprintf(run->error_code, sizeof(run->error_code), "%s", code);
    run->error_title = title;
    return ERR_PROVIDER_REFUSED;
}

enum err
task_print(struct task_run *run, json_t *value, struct slice *out)
{
    struct buf text;
    enum err err = ERR_NO_MEMORY;

    buf_init(&text, 1u << 20);
    if (value != NULL)
        err = json_print(value, &text);
    if (err == ERR_OK)
        *out = arena_copy(run->arena, buf_slice(&text));
    if (err == ERR_OK && out->ptr == NULL)
        err = ERR_NO_MEMORY;
    buf_release_wiped(&text);
    json_decref(value);
    return err;
}

enum err
task_result(struct task_run *run, json_t *value)
{
    enum err err = task_print(run, value, &run->result);

    return err == ERR_OK && run->result.len > PROVIDER_TASK_RESULT_MAX ? ERR_LIMIT : err;
}

void
task_query_add(struct buf *out, const char *name, struct slice value)
{
    buf_add_text(out, name);
    for (size_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.ptr[i];
        if ((byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
            byte == '-' || byte == '.' || byte == '_' || byte == '~')
            buf_add_byte(out, (char)byte);
        else
            buf_add_format(out, "%%%02X", byte);
    }
}

/* Of the call under way; the body is copied, since the client's goes. */
struct call {
    struct task_run *run;
    bool is_over;
    struct http_result result;
    struct whatsapp_usage usage;
    struct buf body;
};

static void
call_done(void *ctx, const struct http_result *result)
{
    struct call *call = ctx;

    call->is_over = true;
    call->result = *result;
    call->result.handle = NULL;
    whatsapp_usage_read(http_result_field(result, WHATSAPP_USAGE_APP_FIELD),
                        http_result_field(result, WHATSAPP_USAGE_BUSINESS_FIELD), &call->usage);
    buf_add(&call->body, result->body);
    call->result.body = SLICE_EMPTY;
}

/* An answer that is JSON without an error in it is a success; everything else is a refusal of some kind. */
static enum err
answer_read(struct call *call, const json_t **answer_out)
{
    struct task_run *run = call->run;
    struct task_runner *runner = run->runner;
    const struct http_result *result = &call->result;
    bool is_whole = result->failure == HTTP_FAILURE_NONE && buf_done(&call->body) == ERR_OK;
    struct whatsapp_answer answer;
    json_t *tree = NULL;

    if (is_whole && result->status >= 200 && result->status <= 299 &&
        json_parse_foreign(buf_slice(&call->body), &tree) == ERR_OK) {
        if (json_is_object(tree) && json_object_get(tree, "error") == NULL) {
            runner->answers[runner->answer_count++] = tree;
            if (answer_out != NULL)
                *answer_out = tree;
            return ERR_OK;
        }
        json_decref(tree);
    }
    whatsapp_answer_read(&(struct whatsapp_reply){ .was_sent = result->was_sent,
                                                   .http_status = is_whole ? result->status : 0,
                                                   .body = buf_slice(&call->body),
                                                   .retry_after_s = result->retry_after_s,
                                                   .regain_s = whatsapp_usage_regain_s(&call->usage) },
                         &answer);
    if (answer.is_accepted) { /* cannot be: what is a message's acceptance was read above */
        answer.error = (struct whatsapp_error){ .code = WHATSAPP_CODE_NONE,
                                                .class = WHATSAPP_UNCERTAIN,
                                                .title = "WhatsApp's answer could not be read." };
    }
    run->error = answer.error;
    if (run->error.code == 100 && run->error.subcode != 33)
        run->error.title = "WhatsApp refused a parameter of the request."; /* the table speaks of messages */
    whatsapp_error_code_print(&run->error, run->error_code);
    run->error_title = run->error.title;
    runner->may_have_left |= run->error.class == WHATSAPP_UNCERTAIN;
    return ERR_PROVIDER_REFUSED;
}

/* How near the account is to its limits; for the next calls, and for who looks after the platform. */
static void
usage_tell(const struct call *call)
{
    const struct task_run *run = call->run;
    struct usage_change change;

    usage_note(run->runner->config->usage, run->waba_id, &call->usage, clock_mono(run->clock), &change);
    usage_log(&change, run->claim->channel);
}

/* Until the answer is there, or the process must end. */
static enum err
call_wait(struct call *call)
{
    struct task_runner *runner = call->run->runner;
    enum err err = ERR_OK;

    while (err == ERR_OK && !call->is_over) {
        err = http_client_run(runner->http, -1, STEP_MS);
        if (!call->is_over && task_pool_is_stopping(runner->pool)) {
            runner->may_have_left = true;
            return ERR_STOPPING; /* the client is freed with its call */
        }
    }
    return err;
}

static enum err
url_print(const struct task_run *run, struct slice path, struct buf *url)
{
    const struct config *config = run->runner->config->config;

    buf_add_text(url, config->graph_url);
    buf_add_byte(url, '/');
    buf_add_text(url, config->graph_version);
    buf_add(url, path);
    buf_add_byte(url, '\0'); /* curl's door wants a C string */
    return buf_done(url);
}

enum err
task_call_with(struct task_run *run, const struct task_request *request, const json_t **answer_out)
{
    const char *const headers[] = { request->content_type == NULL ? "Content-Type: application/json"
                                                                  : request->content_type,
                                    request->sink.write == NULL ? "Accept: application/json" : "Accept: */*",
                                    request->header, NULL };
    int timeout_ms;
    struct task_runner *runner = run->runner;
    const struct config *config = runner->config->config;
    struct slice bearer = request->bearer;
    struct call call = { .run = run };
    struct buf url;
    bool has_started = false;
    enum err err = ERR_OK;

    if (answer_out != NULL)
        *answer_out = NULL;
    if (runner->answer_count == TASK_ANSWERS_MAX)
        return ERR_LIMIT;
    if (runner->http == NULL) /* a call of this run was given up before */
        return ERR_STOPPING;
    if (bearer.ptr == NULL && !request->is_anonymous) {
        if (runner->token == NULL)
            return ERR_CHANNEL_NOT_READY;
        bearer = secret_slice(runner->token);
    }
    timeout_ms = request->timeout_ms == 0 ? (int)config->send_timeout_ms : request->timeout_ms;
    buf_init(&url, URL_BYTES_MAX);
    buf_init(&call.body, 4u << 20);
    struct mono_time now = clock_mono(run->clock);
    if (mono_after_ms(now, config->send_timeout_ms + LEASE_MARGIN_MS).us > runner->held_until.us)
        err = task_write(run, NULL, NULL);
    if (err == ERR_OK)
        err = request->url == NULL ? url_print(run, request->path, &url) : ERR_OK;
    if (err == ERR_OK)
        err = http_client_start(runner->http,
                                &(struct http_call){ .method = request->method,
                                                     .url = request->url == NULL ? url.ptr : request->url,
                                                     .headers = headers,
                                                     .body = request->body,
                                                     .bearer = bearer,
                                                     .bearer_scheme = request->bearer_scheme,
                                                     .source = request->source,
                                                     .sink = request->sink,
                                                     .timeout_ms = timeout_ms,
                                                     .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                                     .ctx = &call,
                                                     .done = call_done });
    has_started = err == ERR_OK;
    if (has_started)
        err = call_wait(&call);
    if (has_started && !call.is_over) { /* its call refers to this frame: it ends here */
        http_client_free(runner->http);
        runner->http = NULL;
    }
    if (err == ERR_OK)
        err = call.result.stream_err; /* ours, whatever the peer did */
    run->http_status = call.result.status;
    if (call.is_over)
        usage_tell(&call);
    bool is_sunk = err == ERR_OK && request->sink.write != NULL && call.result.status == 200 &&
                   call.result.failure == HTTP_FAILURE_NONE;
    if (err == ERR_OK && !is_sunk)
        err = answer_read(&call, answer_out);
    buf_release_wiped(&call.body);
    buf_release_wiped(&url);
    return err;
}

enum err
task_call(struct task_run *run, const char *method, struct slice path, struct slice body,
          const json_t **answer_out)
{
    return task_call_with(run, &(struct task_request){ .method = method, .path = path, .body = body },
                          answer_out);
}
