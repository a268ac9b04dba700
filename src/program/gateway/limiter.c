#include "program/gateway/limiter.h"
#include "core/metric.h"
#include "core/num.h"
#include <stdlib.h>

#define TRIES            3  /* a window may end between a look into the database and the decision */
#define COUNTERS_A_SHARE 3u /* second, day, month; the workspace's two come behind all */
#define COUNTERS_SHARED  2u
#define FIELD_BYTES_MAX  384u
#define DB_REOPEN_MS     2000

struct limiter {
    struct limiter_config with;
    struct limit_values defaults;
    uint64_t strangers; /* of LIMIT_STRANGER, this host's part */
    struct limit_book *book;
    struct usage_keeper *keeper;
};

/* Of one request, in its arena. */
struct judged {
    struct limit_counter stranger; /* as it was taken */
    bool is_cleared;
};

struct limiter_hold {
    struct limiter *limiter;
    struct id tenant;
    struct limiter_share *shares; /* borrowed */
    size_t share_count;
    struct limit_counter *counters; /* COUNTERS_A_SHARE for each, then the workspace's */
    bool is_settled;
};

struct limit_values
limiter_defaults(const struct config *config)
{
    return (struct limit_values){ .of = {
                                      [LIMIT_ADDRESS] = (uint64_t)config->rate_address,
                                      [LIMIT_STRANGER] = (uint64_t)config->rate_unauthenticated,
                                      [LIMIT_CALLBACK] = (uint64_t)config->rate_callback,
                                      [LIMIT_KEY] = (uint64_t)config->rate_key,
                                      [LIMIT_WORKSPACE] = (uint64_t)config->rate_workspace,
                                      [LIMIT_SENDER_SECOND] = (uint64_t)config->quota_sender_second,
                                      [LIMIT_SENDER_DAY] = (uint64_t)config->quota_sender_day,
                                      [LIMIT_SENDER_MONTH] = (uint64_t)config->quota_sender_month,
                                      [LIMIT_WORKSPACE_DAY] = (uint64_t)config->quota_workspace_day,
                                      [LIMIT_WORKSPACE_MONTH] = (uint64_t)config->quota_workspace_month,
                                  } };
}

enum err
limiter_new(const struct limiter_config *with, const struct config *config, struct limiter **out)
{
    struct limiter *limiter = calloc(1, sizeof(*limiter));

    if (limiter == NULL)
        return ERR_NO_MEMORY;
    limiter->with = *with;
    limiter->defaults = limiter_defaults(config);
    limiter->strangers = limiter->defaults.of[LIMIT_STRANGER];
    if (with->is_shared && limiter->strangers >= 2 * (uint64_t)config->limit_hosts)
        limiter->strangers /= (uint64_t)config->limit_hosts;
    enum err err = limit_book_new(with->clock, &limiter->defaults, &limiter->book);
    if (err == ERR_OK)
        err = usage_keeper_new(
            &(struct usage_keeper_config){ .database = with->database, .clock = with->clock },
            &limiter->keeper);
    if (err != ERR_OK) {
        limiter_free(limiter);
        return err;
    }
    *out = limiter;
    return ERR_OK;
}

void
limiter_free(struct limiter *limiter)
{
    if (limiter == NULL)
        return;
    usage_keeper_free(limiter->keeper);
    limit_book_free(limiter->book);
    free(limiter);
}

static struct limiter *
limiter_of(const struct http_request *request)
{
    return gateway_worker_of(request)->gateway->limiter;
}

/* Decisions. */

struct load {
    struct limit_now now;
    struct arena *arena;
    struct limit_counter *counters;
    size_t count;
};

static enum err
load_in(struct db_tx *tx, void *ctx)
{
    struct load *load = ctx;

    return limit_usage_load(tx, &load->now, load->arena, load->counters, load->count);
}

/* With what the database knows, where nobody else does. */
static enum err
decide(struct http_request *request, struct limit_counter *counters, size_t count)
{
    struct limiter *limiter = limiter_of(request);
    const struct limit_backend *backend = &limiter->with.shared;
    enum err err = ERR_INCOMPLETE;

    if (limiter->with.is_shared && gateway_is_on_loop(request))
        return ERR_WOULD_WAIT;
    for (int tries = 0; err == ERR_INCOMPLETE && tries < TRIES; tries++) {
        err = backend->decide(backend->ctx, counters, count);
        if (err != ERR_INCOMPLETE)
            break;
        struct load load = { .now = limit_now(limiter->with.clock),
                             .arena = request->arena,
                             .counters = counters,
                             .count = count };
        err = gateway_read(request, load_in, &load);
        if (err != ERR_OK)
            return err;
        err = ERR_INCOMPLETE;
    }
    if (err == ERR_LIMITS_UNAVAILABLE)
        metric_add(METRIC_LIMITS_UNAVAILABLE, 1);
    return err == ERR_INCOMPLETE ? ERR_LIMITS_UNAVAILABLE : err;
}

/* What is told. */

static uint32_t
seconds_up(int64_t us)
{
    return us <= 0 ? 0 : (uint32_t)((us + 999999) / 1000000);
}

static const char *
limit_span(enum limit_name name)
{
    switch (limit_kind(name)) {
    case LIMIT_RATE:
        return "a second";
    case LIMIT_DAY:
        return "a day";
    case LIMIT_MONTH:
        break;
    }
    return "a month";
}

/* The one that holds longest. */
static enum err
refuse(struct http_request *request, const struct limit_counter *counters, size_t count)
{
    const struct limit_counter *worst = NULL;
    struct problem *problem = &request->problem;

    for (size_t i = 0; i < count; i++) {
        const struct limit_counter *counter = &counters[i];
        if (counter->is_refused && (worst == NULL || counter->wait_us < 0 ||
                                    (worst->wait_us >= 0 && counter->wait_us > worst->wait_us)))
            worst = counter;
    }
    if (worst == NULL)
        bug("a refusal by no limit");
    unsigned long long limit = worst->limit;
    const char *span = limit_span(worst->name);
    problem->limit = slice_text(limit_word(worst->name));
    if (worst->wait_us < 0) {
        problem->retry_after_s = 0;
        problem->detail =
            arena_format(request->arena, "The limit %s is %llu %s: so many at once never fit. Ask for fewer.",
                         limit_word(worst->name), limit, span);
    } else {
        uint32_t wait_s = seconds_up(worst->wait_us);
        problem->retry_after_s = wait_s == 0 ? 1 : wait_s;
        problem->detail =
            arena_format(request->arena, "The limit %s of %llu %s is reached. Wait %u s, or ask for more.",
                         limit_word(worst->name), limit, span, problem->retry_after_s);
    }
    metric_add(limit_kind(worst->name) == LIMIT_RATE ? METRIC_RATE_REFUSED : METRIC_QUOTA_REFUSED, 1);
    return limit_refusal(worst->name);
}

struct field {
    char text[FIELD_BYTES_MAX];
    size_t len;
};

static void
field_add(struct field *field, const char *text)
{
    size_t len = strlen(text);

    if (len <= sizeof(field->text) - field->len) {
        memcpy(field->text + field->len, text, len);
        field->len += len;
    }
}

static void
field_add_number(struct field *field, const char *name, uint64_t number)
{
    char text[NUM_TEXT_BYTES + 1];
    struct slice printed = num_u64_print(number, text);
    char terminated[NUM_TEXT_BYTES + 1];

    memcpy(terminated, printed.ptr, printed.len);
    terminated[printed.len] = '\0';
    field_add(field, name);
    field_add(field, terminated);
}

static void
field_begin(struct field *field, enum limit_name name)
{
    field_add(field, field->len == 0 ? "\"" : ", \"");
    field_add(field, limit_word(name));
    field_add(field, "\"");
}

static uint64_t
window_seconds(const struct limit_counter *counter)
{
    enum limit_kind kind = limit_kind(counter->name);

    if (kind == LIMIT_RATE)
        return 1;
    return (uint64_t)(limit_rule_window_start(kind, counter->window + 1).us -
                      limit_rule_window_start(kind, counter->window).us) /
           1000000;
}

/* RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers). Without memory they are left out. */
static void
tell(struct http_request *request, const struct limit_counter *const *counters, size_t count)
{
    static const char *const names[] = { "RateLimit", "RateLimit-Policy" };
    struct field fields[COUNT_OF(names)];

    fields[0].len = fields[1].len = 0;
    for (size_t i = 0; i < count; i++) {
        field_begin(&fields[0], counters[i]->name);
        field_add_number(&fields[0], ";r=", counters[i]->remaining);
        field_add_number(&fields[0], ";t=", seconds_up(counters[i]->reset_us));
        field_begin(&fields[1], counters[i]->name);
        field_add_number(&fields[1], ";q=", counters[i]->limit);
        field_add_number(&fields[1], ";w=", window_seconds(counters[i]));
    }
    _Static_assert(COUNT_OF(names) <= HTTP_ANSWER_HEADERS_MAX, "both go out");
    request->answer_header_count = 0;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct slice value = arena_copy(request->arena, slice_of(fields[i].text, fields[i].len));
        if (value.ptr != NULL)
            request->answer_headers[request->answer_header_count++] =
                (struct http_pair){ slice_text(names[i]), value };
    }
}

/* Requests. */

/* On this host alone, whatever counts the rest: it costs no trip. */
static enum err
judge_arrived(struct http_request *request)
{
    const struct limiter *limiter = limiter_of(request);
    const struct limit_backend *backend = &limiter->with.local;
    struct judged *judged = arena_alloc(request->arena, sizeof(*judged));
    struct limit_counter counters[] = {
        limit_counter_of_address(LIMIT_ADDRESS, request->peer_address, limiter->defaults.of[LIMIT_ADDRESS],
                                 1),
        limit_counter_of_address(LIMIT_STRANGER, request->peer_address, limiter->strangers, 1),
    };

    if (judged == NULL)
        return ERR_NO_MEMORY;
    enum err err = backend->decide(backend->ctx, counters, COUNT_OF(counters));
    if (err == ERR_RATE_LIMITED)
        return refuse(request, counters, COUNT_OF(counters));
    *judged = (struct judged){ .stranger = counters[1] };
    request->limits = judged;
    return err;
}

void
limiter_clear(struct limiter *limiter, struct http_request *request)
{
    const struct limit_backend *backend = &limiter->with.local;
    struct judged *judged = request->limits;

    if (judged == NULL || judged->is_cleared)
        return;
    judged->is_cleared = true;
    backend->give_back(backend->ctx, &judged->stranger, 1);
}

static enum err
judge_known(struct http_request *request)
{
    const struct principal *principal = request->principal;
    struct limit_values values;
    enum err err = limiter_values(request, principal->actor, &values);

    if (err != ERR_OK)
        return err;
    struct limit_counter counters[] = {
        limit_counter_of(LIMIT_KEY, principal->tenant, principal->actor, values.of[LIMIT_KEY], 1),
        limit_counter_of(LIMIT_WORKSPACE, principal->tenant, (struct id){ { 0 } }, values.of[LIMIT_WORKSPACE],
                         1),
        limit_counter_of_address(LIMIT_ADDRESS, request->peer_address,
                                 limiter_of(request)->defaults.of[LIMIT_ADDRESS], 1),
    };
    /* On one host the address was counted when the request arrived; on several now, by all of them. */
    size_t count = limiter_of(request)->with.is_shared ? 3 : 2;
    err = decide(request, counters, count);
    if (err != ERR_WOULD_WAIT)
        limiter_clear(limiter_of(request), request);
    if (err != ERR_OK && err != ERR_RATE_LIMITED)
        return err;
    tell(request, (const struct limit_counter *[]){ &counters[0], &counters[1] }, 2);
    return err == ERR_OK ? ERR_OK : refuse(request, counters, count);
}

enum err
limiter_judge(struct http_request *request, enum http_limit_step step)
{
    switch (step) {
    case HTTP_LIMIT_ARRIVED:
        return judge_arrived(request);
    case HTTP_LIMIT_KNOWN:
        return judge_known(request);
    case HTTP_LIMIT_CLEARED:
        limiter_clear(limiter_of(request), request);
        break;
    }
    return ERR_OK;
}

enum err
limiter_judge_callback(struct limiter *limiter, struct http_request *request, struct id channel)
{
    const struct limit_backend *backend = &limiter->with.shared;
    struct limit_counter counter =
        limit_counter_of(LIMIT_CALLBACK, request->tenant, channel, limiter->defaults.of[LIMIT_CALLBACK], 1);

    limiter_clear(limiter, request);
    enum err err = backend->decide(backend->ctx, &counter, 1);
    return err == ERR_RATE_LIMITED ? refuse(request, &counter, 1) : err;
}

/* Messages. */

/* An event for each mark that a quota has come to; whoever was told already is not told again. */
static void
marks_note(struct limiter *limiter, struct id tenant, struct id channel, const struct limit_counter *counter)
{
    if (limit_kind(counter->name) == LIMIT_RATE || counter->used * 5 < counter->limit * 4)
        return;
    struct limit_notice notice = { .tenant = tenant,
                                   .channel = channel,
                                   .name = counter->name,
                                   .window = counter->window,
                                   .percent = 80,
                                   .limit = counter->limit,
                                   .used = counter->used };
    if (counter->used < counter->limit) {
        usage_keeper_notice(limiter->keeper, &notice);
        return;
    }
    notice.percent = 100;
    usage_keeper_notice(limiter->keeper, &notice);
}

/* Beside the rates, which were told when the key was known: the quota that is nearest to its end. */
static void
tell_nearest(struct http_request *request, const struct limit_counter *counters, size_t count)
{
    const struct limit_counter *nearest = &counters[0];

    for (size_t i = 1; i < count; i++) /* of 32 bits each: no product overflows */
        if (counters[i].remaining * nearest->limit < nearest->remaining * counters[i].limit)
            nearest = &counters[i];
    struct field added[2] = { { .len = 0 }, { .len = 0 } };
    field_add(&added[0], ", ");
    field_add(&added[1], ", ");
    for (size_t i = 0; i < COUNT_OF(added); i++) {
        field_add(&added[i], "\"");
        field_add(&added[i], limit_word(nearest->name));
        field_add(&added[i], "\"");
    }
    field_add_number(&added[0], ";r=", nearest->remaining);
    field_add_number(&added[0], ";t=", seconds_up(nearest->reset_us));
    field_add_number(&added[1], ";q=", nearest->limit);
    field_add_number(&added[1], ";w=", window_seconds(nearest));
    for (size_t i = 0; i < request->answer_header_count; i++) {
        struct slice *value = &request->answer_headers[i].value;
        char *whole = arena_alloc(request->arena, value->len + added[i].len);
        if (whole == NULL)
            return;
        memcpy(whole, value->ptr, value->len);
        memcpy(whole + value->len, added[i].text, added[i].len);
        *value = slice_of(whole, value->len + added[i].len);
    }
}

static enum err
hold_fill(struct http_request *request, struct limiter_hold *hold)
{
    const struct id none = { { 0 } };
    struct limit_values values = { .of = { 0 } };
    uint64_t total = 0;
    size_t used = 0;
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < hold->share_count; i++) {
        static const enum limit_name names[COUNTERS_A_SHARE] = { LIMIT_SENDER_SECOND, LIMIT_SENDER_DAY,
                                                                 LIMIT_SENDER_MONTH };
        const struct limiter_share *share = &hold->shares[i];
        err = limiter_values(request, share->channel, &values);
        for (size_t k = 0; err == ERR_OK && k < COUNT_OF(names); k++)
            hold->counters[used++] =
                limit_counter_of(names[k], hold->tenant, share->channel, values.of[names[k]], share->asked);
        total += share->asked;
    }
    if (err != ERR_OK)
        return err;
    hold->counters[used++] =
        limit_counter_of(LIMIT_WORKSPACE_DAY, hold->tenant, none, values.of[LIMIT_WORKSPACE_DAY], total);
    hold->counters[used++] =
        limit_counter_of(LIMIT_WORKSPACE_MONTH, hold->tenant, none, values.of[LIMIT_WORKSPACE_MONTH], total);
    return ERR_OK;
}

enum err
limiter_take(struct http_request *request, struct limiter_share *shares, size_t count, struct arena *arena,
             struct limiter_hold **out)
{
    struct limiter *limiter = limiter_of(request);
    size_t counter_count = count * COUNTERS_A_SHARE + COUNTERS_SHARED;
    struct limiter_hold *hold = arena_alloc(arena, sizeof(*hold));

    *out = NULL;
    if (hold == NULL)
        return ERR_NO_MEMORY;
    *hold = (struct limiter_hold){
        .limiter = limiter, .tenant = request->tenant, .shares = shares, .share_count = count
    };
    hold->counters = arena_array(arena, counter_count, sizeof(*hold->counters));
    if (hold->counters == NULL)
        return ERR_NO_MEMORY;
    enum err err = hold_fill(request, hold);
    if (err == ERR_OK)
        err = decide(request, hold->counters, counter_count);
    if (err == ERR_OK || err == ERR_RATE_LIMITED || err == ERR_QUOTA_EXCEEDED) {
        tell_nearest(request, hold->counters, counter_count);
        for (size_t i = 0; i < counter_count; i++)
            marks_note(limiter, hold->tenant,
                       i / COUNTERS_A_SHARE < count ? shares[i / COUNTERS_A_SHARE].channel
                                                    : (struct id){ { 0 } },
                       &hold->counters[i]);
    }
    if (err == ERR_RATE_LIMITED || err == ERR_QUOTA_EXCEEDED)
        return refuse(request, hold->counters, counter_count);
    if (err == ERR_OK)
        *out = hold;
    return err;
}

bool
limiter_counts(const struct message_accepted *accepted)
{
    return (accepted->err == ERR_OK && !accepted->is_replay && accepted->decision != POLICY_BLOCK) ||
           accepted->is_doubtful;
}

void
limiter_settle(struct limiter_hold *hold)
{
    struct limit_backend *backend = &hold->limiter->with.shared;
    uint64_t rest = 0;
    size_t count = 0;

    if (hold->is_settled)
        return;
    hold->is_settled = true;
    for (size_t i = 0; i < hold->share_count; i++) {
        const struct limiter_share *share = &hold->shares[i];
        struct limit_counter *counters = &hold->counters[i * COUNTERS_A_SHARE];
        uint32_t day = counters[1].window;
        rest += share->asked - share->accepted;
        if (share->accepted > 0)
            usage_keeper_add(hold->limiter->keeper, &(struct limit_usage){ .tenant = hold->tenant,
                                                                           .channel = share->channel,
                                                                           .day = day,
                                                                           .accepted = share->accepted });
        for (size_t k = 0; share->accepted < share->asked && k < COUNTERS_A_SHARE; k++) {
            struct limit_counter back = counters[k];
            back.cost = share->asked - share->accepted;
            hold->counters[count++] = back; /* never ahead of what is still read */
        }
    }
    for (size_t k = 0; rest > 0 && k < COUNTERS_SHARED; k++) {
        struct limit_counter back = hold->counters[hold->share_count * COUNTERS_A_SHARE + k];
        back.cost = rest;
        hold->counters[count++] = back;
    }
    if (count > 0)
        backend->give_back(backend->ctx, hold->counters, count);
}

/* Looking. */

enum err
limiter_look(struct http_request *request, struct limit_counter *counters, size_t count)
{
    return decide(request, counters, count);
}

enum err
limiter_quota(struct http_request *request, struct id channel, enum policy_quota *out)
{
    const struct id none = { { 0 } };
    struct limit_values values;
    enum err err = limiter_values(request, channel, &values);

    *out = POLICY_QUOTA_WITHIN;
    if (err != ERR_OK)
        return err;
    struct limit_counter counters[] = {
        limit_counter_of(LIMIT_SENDER_DAY, request->tenant, channel, values.of[LIMIT_SENDER_DAY], 0),
        limit_counter_of(LIMIT_SENDER_MONTH, request->tenant, channel, values.of[LIMIT_SENDER_MONTH], 0),
        limit_counter_of(LIMIT_WORKSPACE_DAY, request->tenant, none, values.of[LIMIT_WORKSPACE_DAY], 0),
        limit_counter_of(LIMIT_WORKSPACE_MONTH, request->tenant, none, values.of[LIMIT_WORKSPACE_MONTH], 0),
    };
    err = limiter_look(request, counters, COUNT_OF(counters));
    for (size_t i = 0; err == ERR_OK && i < COUNT_OF(counters); i++)
        if (counters[i].remaining == 0)
            *out = POLICY_QUOTA_SPENT;
    return err;
}

enum err
limiter_values(struct http_request *request, struct id subject, struct limit_values *out)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    struct limit_book *book = worker->gateway->limiter->book;
    enum err err = limit_book_look(book, worker->db, request->tenant, subject, out);

    if (err == ERR_DB_UNAVAILABLE && db_reopen(worker->db, DB_REOPEN_MS) == ERR_OK)
        err = limit_book_look(book, worker->db, request->tenant, subject, out);
    return err;
}
