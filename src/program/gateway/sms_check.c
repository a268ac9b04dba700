#include "program/gateway/sms_check.h"
#include "domain/dlt/dlt_check.h"
#include "domain/dnd/dnd_watch.h"
#include "domain/policy/policy_hours.h"
#include "program/gateway/gateway.h"
#include "program/gateway/reach.h"
#include "wire/json/json.h"
#include <pthread.h>

/* Kinds that were asked for: a table in which a newer one takes an older one's place. */
#define KINDS_MAX       4096u
#define DLT_ARENA_BYTES (8u << 20) /* a long text, and as many templates as are compared */
/* Senders that were read, for as long as a key is: a change is felt within half a second. */
#define KEPT_MAX            512u
#define KEPT_MS             400
#define KEPT_ARENA_BYTES    (256u << 10) /* as many routes as a workspace may have */
#define SCRATCH_ARENA_BYTES (4u << 20)   /* its connectors, with the certificates of their operators */
static struct {
    struct id tenant, channel;
    bool is_sms;
} kinds[KINDS_MAX]; /* under kinds_mutex */
static pthread_mutex_t kinds_mutex = PTHREAD_MUTEX_INITIALIZER;

/* An id ends in random bits. */
static size_t
kind_place(struct id channel)
{
    return ((size_t)channel.bytes[14] << 8 | channel.bytes[15]) % KINDS_MAX;
}

static bool
kind_find(struct id tenant, struct id channel, bool *out)
{
    size_t place = kind_place(channel);

    pthread_mutex_lock(&kinds_mutex);
    bool is_known = id_eq(kinds[place].tenant, tenant) && id_eq(kinds[place].channel, channel);
    *out = is_known && kinds[place].is_sms;
    pthread_mutex_unlock(&kinds_mutex);
    return is_known;
}

static void
kind_keep(struct id tenant, struct id channel, bool is_sms)
{
    size_t place = kind_place(channel);

    pthread_mutex_lock(&kinds_mutex);
    kinds[place].tenant = tenant;
    kinds[place].channel = channel;
    kinds[place].is_sms = is_sms;
    pthread_mutex_unlock(&kinds_mutex);
}

struct look {
    struct id channel;
    struct slice digits;
    struct arena *arena;
    struct sms_way *way;
};

static enum err
kind_look_in(struct db_tx *tx, void *ctx)
{
    struct look *look = ctx;

    return channel_get(tx, look->channel, look->arena, &look->way->channel);
}

enum err
sms_channel_is(struct http_request *request, struct id channel, bool *out)
{
    struct sms_way way;
    struct look look = { .channel = channel, .arena = request->arena, .way = &way };

    if (kind_find(request->tenant, channel, out))
        return ERR_OK;
    enum err err = gateway_read(request, kind_look_in, &look);
    *out = err == ERR_OK && way.channel.is_sms;
    if (err == ERR_OK)
        kind_keep(request->tenant, channel, *out);
    return err == ERR_NOT_FOUND ? ERR_OK : err; /* that it is none is said where it is looked for */
}

static enum err
way_look_in(struct db_tx *tx, void *ctx)
{
    struct look *look = ctx;
    struct sms_route *routes = NULL;
    struct id chosen[SMS_ROUTE_CHOICES];
    size_t count = 0;
    enum err err = kind_look_in(tx, look);

    look->way->count = 0;
    if (err == ERR_OK && !look->way->channel.is_sms)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        err = sms_routes_list(tx, look->arena, &routes, &count);
    if (err != ERR_OK || look->digits.ptr == NULL)
        return err;
    count = sms_routes_choose(routes, count, look->channel, look->digits, chosen);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        err = sms_connector_get(tx, chosen[i], look->arena, &look->way->connectors[look->way->count]);
        if (err == ERR_OK)
            look->way->count++;
        else if (err == ERR_NOT_FOUND) /* it goes, with its routes, right now */
            err = ERR_OK;
    }
    return err;
}

enum err
sms_way_read(struct http_request *request, struct id channel, struct slice to, struct arena *arena,
             struct sms_way *out)
{
    struct look look = { .channel = channel, .arena = arena, .way = out };

    if (to.ptr != NULL)
        look.digits = slice_drop(to, 1);
    return gateway_read(request, way_look_in, &look);
}

struct sms_rules
sms_way_rules(const struct sms_way *way, size_t choice)
{
    struct sms_rules rules = { .joining = SMS_JOIN_UDH_8, .parts_max = way->channel.sms.parts_max };

    if (choice < way->count) {
        rules.joining = way->connectors[choice].joining;
        rules.languages = way->connectors[choice].languages;
    }
    return rules;
}

/*
 * A sender as accepting wants it, remembered for a moment: a shared entry that nobody changes any more. What
 * decides whether a text may leave is not remembered: a sender never changes, and registries are asked anew.
 */
struct kept_connector {
    struct id id;
    enum sms_joining joining;
    unsigned languages;
};
struct kept {
    struct id tenant, channel;
    struct mono_time read_at;
    unsigned refs;       /* under kept_mutex; the table's is one */
    struct arena *arena; /* owned; in it is all below */
    struct channel_sms sms;
    struct sms_route *routes;
    size_t route_count;
    struct kept_connector *connectors;
    size_t connector_count;
};
static struct kept *kept_table[KEPT_MAX]; /* under kept_mutex; a newer one takes an older one's place */
static pthread_mutex_t kept_mutex = PTHREAD_MUTEX_INITIALIZER;

static void
kept_unref(struct kept *kept)
{
    if (kept == NULL)
        return;
    pthread_mutex_lock(&kept_mutex);
    bool is_last = --kept->refs == 0;
    pthread_mutex_unlock(&kept_mutex);
    if (is_last)
        arena_free(kept->arena);
}

static struct kept *
kept_find(struct id tenant, struct id channel, struct mono_time now)
{
    pthread_mutex_lock(&kept_mutex);
    struct kept *kept = kept_table[kind_place(channel) % KEPT_MAX];
    if (kept != NULL && (!id_eq(kept->tenant, tenant) || !id_eq(kept->channel, channel) ||
                         now.us - kept->read_at.us >= KEPT_MS * INT64_C(1000)))
        kept = NULL;
    if (kept != NULL)
        kept->refs++;
    pthread_mutex_unlock(&kept_mutex);
    return kept;
}

static void
kept_put(struct kept *kept)
{
    struct kept **place = &kept_table[kind_place(kept->channel) % KEPT_MAX];

    pthread_mutex_lock(&kept_mutex);
    struct kept *before = *place;
    *place = kept;
    kept->refs++;
    pthread_mutex_unlock(&kept_mutex);
    kept_unref(before);
}

struct kept_look {
    struct kept *kept;
    struct arena *scratch; /* the request's */
};

/* ERR_NOT_FOUND: no SMS channel. */
static enum err
kept_look_in(struct db_tx *tx, void *ctx)
{
    struct kept_look *look = ctx;
    struct kept *kept = look->kept;
    struct sms_connector *connectors = NULL;
    struct channel channel;
    enum err err = channel_get(tx, kept->channel, kept->arena, &channel);

    if (err == ERR_OK && !channel.is_sms)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        err = sms_routes_list(tx, kept->arena, &kept->routes, &kept->route_count);
    if (err == ERR_OK && kept->route_count > 0) /* else nobody is asked how a text is cut there */
        err = sms_connectors_list(tx, look->scratch, &connectors, &kept->connector_count);
    if (err != ERR_OK)
        return err;
    kept->sms = channel.sms;
    kept->connectors = arena_array(kept->arena, kept->connector_count, sizeof(*kept->connectors));
    if (kept->connectors == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < kept->connector_count; i++)
        kept->connectors[i] =
            (struct kept_connector){ connectors[i].id, connectors[i].joining, connectors[i].languages };
    return ERR_OK;
}

/* *out is given back with kept_unref. */
static enum err
kept_take(struct http_request *request, struct id channel, struct kept **out)
{
    const struct clock *clock = gateway_worker_of(request)->gateway->clock;

    *out = kept_find(request->tenant, channel, clock_mono(clock));
    if (*out != NULL)
        return ERR_OK;
    if (gateway_is_on_loop(request))
        return ERR_WOULD_WAIT;
    struct arena *arena = arena_new(KEPT_ARENA_BYTES), *scratch = arena_new(SCRATCH_ARENA_BYTES);
    struct kept *kept = arena == NULL ? NULL : arena_alloc(arena, sizeof(*kept));
    enum err err = kept == NULL || scratch == NULL ? ERR_NO_MEMORY : ERR_OK;
    if (err == ERR_OK) {
        *kept = (struct kept){ .tenant = request->tenant,
                               .channel = channel,
                               .read_at = clock_mono(clock), /* before it is read: never older than it says */
                               .refs = 1,
                               .arena = arena };
        err = gateway_read(request, kept_look_in, &(struct kept_look){ kept, scratch });
    }
    arena_free(scratch);
    if (err != ERR_OK) {
        arena_free(arena);
        return err;
    }
    kept_put(kept);
    *out = kept;
    return ERR_OK;
}

/* How a text is cut by the first that would carry it. */
static struct sms_rules
kept_rules(const struct kept *kept, struct slice to)
{
    struct sms_rules rules = { .joining = SMS_JOIN_UDH_8, .parts_max = kept->sms.parts_max };
    struct id chosen[SMS_ROUTE_CHOICES];
    size_t count =
        sms_routes_choose(kept->routes, kept->route_count, kept->channel, slice_drop(to, 1), chosen);

    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < kept->connector_count; c++)
            if (id_eq(kept->connectors[c].id, chosen[i])) {
                rules.joining = kept->connectors[c].joining;
                rules.languages = kept->connectors[c].languages;
                return rules;
            }
    return rules;
}

enum err
sms_send_check(struct http_request *request, struct id channel, struct slice to, const json_t *content,
               struct slice at, struct slice to_at, struct arena *arena, struct problem *problem)
{
    enum sms_unicode unicode = SMS_UNICODE_AUTO;
    struct kept *kept = NULL;
    struct sms_content read;
    struct sms_text measured;

    if (to.ptr == NULL || !slice_starts_with(to, SLICE("+"))) {
        problem_add(problem, arena, to_at, SLICE("must be a number in E.164 for SMS"));
        return ERR_MESSAGE_INVALID;
    }
    enum err err = kept_take(request, channel, &kept);
    if (err == ERR_NOT_FOUND) /* deleted meanwhile: the accept says so, and knows what was accepted before */
        return ERR_OK;
    if (err == ERR_OK)
        err = sms_unicode_parse(kept->sms.unicode, &unicode);
    if (err == ERR_OK) {
        struct sms_rules rules = kept_rules(kept, to);
        err = sms_content_check(content, unicode, &rules, at, arena, problem, &read, &measured);
    }
    kept_unref(kept);
    return err;
}

_Static_assert((int)POLICY_DLT_NONE == (int)DLT_NOT_APPLICABLE && (int)POLICY_DLT_CHAIN == (int)DLT_CHAIN,
               "a verdict of the registry is the gate's fact");

enum err
sms_dlt_judge(struct db_tx *tx, const struct clock *clock, const struct channel_sms *sms,
              const json_t *content, bool is_promotional, struct arena *arena, enum policy_dlt *out,
              struct id *template_out)
{
    struct dlt_found found = { .verdict = DLT_NO_ENTITY };
    struct problem problem = { .count = 0 };
    enum sms_unicode unicode = SMS_UNICODE_AUTO;
    struct sms_content read;
    enum err err = sms_unicode_parse(sms->unicode, &unicode);

    *out = POLICY_DLT_NONE;
    if (err == ERR_OK)
        err = sms_content_read(content, unicode, SLICE("/content"), arena, &problem, &read);
    if (err == ERR_OK)
        err = dlt_check(tx, clock, arena,
                        &(struct dlt_asked){ .header = sms->sender,
                                             .text = read.text,
                                             .has_category = true,
                                             .is_promotional = is_promotional },
                        &found);
    if (err == ERR_LIMIT) { /* longer than any template */
        found = (struct dlt_found){ .verdict = DLT_NOT_MATCHED };
        err = ERR_OK;
    }
    if (err != ERR_OK || found.verdict == DLT_NO_ENTITY)
        return err;
    *out = (enum policy_dlt)found.verdict;
    if (found.has_template && found.match.verdict == DLT_OK)
        *template_out = found.template.id;
    return ERR_OK;
}

struct dlt_look {
    const struct clock *clock;
    const struct kept *kept;
    const json_t *content;
    bool is_promotional;
    struct arena *arena;
    struct message_asked *out;
};

static enum err
dlt_look_in(struct db_tx *tx, void *ctx)
{
    struct dlt_look *look = ctx;

    return sms_dlt_judge(tx, look->clock, &look->kept->sms, look->content, look->is_promotional, look->arena,
                         &look->out->dlt, &look->out->dlt_template);
}

static enum err
dlt_find(struct http_request *request, const struct kept *kept, const json_t *content, bool is_promotional,
         struct message_asked *out)
{
    struct dlt_look look = { .clock = gateway_worker_of(request)->gateway->clock,
                             .kept = kept,
                             .content = content,
                             .is_promotional = is_promotional,
                             .out = out };

    if (gateway_is_on_loop(request))
        return ERR_WOULD_WAIT;
    look.arena = arena_new(DLT_ARENA_BYTES);
    if (look.arena == NULL)
        return ERR_NO_MEMORY;
    enum err err = gateway_read(request, dlt_look_in, &look);
    arena_free(look.arena);
    return err;
}

/* Of an Indian number. */
static enum err
preference_find(const struct gateway *gateway, const struct kept *kept, uint64_t number, struct arena *arena,
                struct message_asked *out)
{
    struct dnd_registry *registry = dnd_watch_take(gateway->dnd);
    struct dnd_preference preference;
    enum err err = ERR_OK;

    out->dnd_category = dnd_category_of_header(kept->sms.sender);
    out->dnd = registry == NULL ? POLICY_DND_UNKNOWN : POLICY_DND_CLEAR;
    if (registry != NULL && dnd_lookup(registry, number, &preference)) {
        struct slice copy = arena_copy(arena, slice_of(&preference, sizeof(preference)));
        out->preference = (const struct dnd_preference *)(const void *)copy.ptr;
        err = copy.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    dnd_registry_unref(registry);
    return err;
}

enum err
sms_ask(struct http_request *request, struct id channel, struct slice to, const json_t *content,
        bool is_promotional, struct arena *arena, struct message_asked *out)
{
    struct kept *kept = NULL;
    uint64_t number = 0;

    if (!slice_starts_with(to, SLICE("+91")))
        return ERR_OK;
    enum err err = kept_take(request, channel, &kept);
    if (err == ERR_NOT_FOUND) /* deleted meanwhile: the accept says so */
        return ERR_OK;
    if (err == ERR_OK)
        err = dlt_find(request, kept, content, is_promotional, out);
    if (err == ERR_OK && is_promotional && dnd_number_of(to, &number))
        err = preference_find(gateway_worker_of(request)->gateway, kept, number, arena, out);
    kept_unref(kept);
    return err;
}
