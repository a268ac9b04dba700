/*
 * What operators sent over SMPP: a receipt moves its part and its message, what somebody wrote is received,
 * and its parts wait for each other. What was claimed together is opened in one exchange with the vault and
 * applied in the transaction that takes it out of its batches; when one of them cannot be applied, each by
 * itself.
 */
#include "core/log.h"
#include "core/metric.h"
#include "domain/channel/sms/sms_event.h"
#include "domain/channel/sms/sms_fragment.h"
#include "domain/channel/sms/sms_receipt.h"
#include "domain/consent/consent_inbound.h"
#include "domain/consent/consent_keyword.h"
#include "domain/message/message_inbound.h"
#include "domain/message/message_report.h"
#include "program/gateway/interpreter_internal.h"
#include "wire/json/json.h"
#include <stdlib.h>

#define JOINED_BYTES_MAX (256u * 1024u)

/* What is written to a channel, sealed. */
struct written {
    struct message_received received;
    struct message_plain plain;
    struct slice keyword; /* what it says, folded, when it may be a keyword (domain/consent) */
};

struct sms_work {
    struct interpreter *interpreter;
    const struct provider_event *body; /* NULL: of what has waited */
    struct arena *arena;
    struct id tenant;
    struct sms_connector connector;
    struct sms_event event;
    unsigned char peer_index[VAULT_INDEX_BYTES];
    bool has_connector, has_peer, is_lost, is_unrouted;
    bool has_more; /* of what has waited: as much as is looked at together, and maybe more */
    enum err err;  /* why it cannot be applied */
    struct written written;
    struct sms_fragment_set set; /* of parts that are joined */
    struct sms_fragment *fragments;
    size_t fragment_count;
};

static bool
is_number(struct slice peer)
{
    return slice_starts_with(peer, SLICE("+"));
}

/* {"type":"text","text":{"body":...}}; of what is for an application nothing is shown. */
static enum err
content_print(struct slice text, bool is_binary, struct buf *out)
{
    if (is_binary) {
        buf_add_text(out, "{\"type\":\"unsupported\"}");
        return buf_done(out);
    }
    buf_add_text(out, "{\"type\":\"text\",\"text\":{\"body\":");
    json_add_string(out, text);
    buf_add_text(out, "}}");
    return buf_done(out);
}

/* Outside of any transaction: what is sealed of it. */
static enum err
written_make(struct sms_work *work, struct slice peer, struct slice text, bool is_binary, struct id event,
             struct wall_time at)
{
    const struct clock *clock = work->interpreter->config.clock;
    struct message_received *received = &work->written.received;
    struct buf content, told;
    char id[ID_TEXT_BYTES];

    buf_init(&content, VAULT_PLAIN_BYTES_MAX);
    buf_init(&told, VAULT_PLAIN_BYTES_MAX);
    *received =
        (struct message_received){ .id = id_new(clock),
                                   .event_id = id_new(clock),
                                   .kind = is_binary ? SLICE("unsupported") : SLICE("text"),
                                   /* the operator gives none: ours, of what it sent, tells a repetition */
                                   .provider_id =
                                       arena_copy(work->arena, id_print(ID_PROVIDER_EVENT, event, id)),
                                   .quoted_id = SLICE_EMPTY,
                                   .at = at };
    enum err err =
        received->provider_id.ptr == NULL ? ERR_NO_MEMORY : content_print(text, is_binary, &content);
    if (err == ERR_OK) {
        buf_add_text(&told, "{\"from\":");
        json_add_string(&told, peer);
        buf_add_text(&told, ",\"content\":");
        buf_add(&told, buf_slice(&content));
        buf_add_byte(&told, '}');
        err = buf_done(&told);
    }
    work->written.plain =
        (struct message_plain){ .message = received->id, .peer = peer, .content = buf_slice(&content) };
    struct vault_place place = event_content_place(work->tenant, received->event_id);
    work->written.keyword = SLICE_EMPTY;
    if (err == ERR_OK && !is_binary) {
        err = consent_keyword_fold(text, work->arena, &work->written.keyword);
        err = err == ERR_NOTHING ? ERR_OK : err;
    }
    if (err == ERR_OK)
        err = message_seal(&work->interpreter->vault, work->tenant, &work->written.plain, 1, work->arena,
                           &received->sealed);
    if (err == ERR_OK)
        err = vault_seal(&work->interpreter->vault, VAULT_CONTENT, &place, buf_slice(&told), work->arena,
                         &received->event_content);
    buf_release_wiped(&content);
    buf_release_wiped(&told);
    return err;
}

static enum err
receive(struct db_tx *tx, struct sms_work *work)
{
    struct message_received *received = &work->written.received;
    struct slice keyword = work->written.keyword;
    enum err err = message_receive_many(tx, &received, 1, work->arena);

    if (err == ERR_OK && received->is_fresh)
        err = message_inbound_owe(tx, received->id);
    if (err != ERR_OK || !received->is_fresh || keyword.len == 0)
        return err;
    return consent_hear(tx, work->interpreter->config.clock,
                        &(struct consent_heard){ .message = received->id,
                                                 .channel = received->channel,
                                                 .channel_kind = SLICE("sms"),
                                                 .peer_index = received->sealed.peer_index,
                                                 .folded = keyword,
                                                 .at = received->at },
                        1, work->arena, &work->interpreter->has_followers);
}

/* By few statements what they can; the rest one by one. */
static enum err
reports_in(struct db_tx *tx, struct interpreter *interpreter, struct message_report_item *items, size_t count,
           struct arena *arena)
{
    const struct clock *clock = interpreter->config.clock;
    bool has_moved = false;
    enum err err = count == 0 ? ERR_OK : message_reports_apply(tx, clock, items, count, arena);

    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        if (items[i].is_settled)
            continue;
        err = message_report_apply(tx, clock, items[i].report, arena, &has_moved);
        err = err == ERR_NOT_FOUND ? ERR_OK : err; /* its message was removed meanwhile */
    }
    return err;
}

static enum err
receipts_in(struct db_tx *tx, struct interpreter *interpreter, struct sms_receipt_item *items, size_t count,
            struct arena *arena)
{
    struct message_report_item *reports = arena_array(arena, count, sizeof(*reports));
    size_t report_count = 0;
    enum err err = reports == NULL ? ERR_NO_MEMORY : sms_receipts_apply(tx, items, count, arena);

    for (size_t i = 0; err == ERR_OK && i < count; i++)
        if (items[i].has_report)
            reports[report_count++] = (struct message_report_item){ .report = &items[i].report };
    return err == ERR_OK ? reports_in(tx, interpreter, reports, report_count, arena) : err;
}

static enum err
written_in(struct db_tx *tx, struct sms_work *work)
{
    const struct sms_event *event = &work->event;
    struct id channel;
    enum err err =
        work->has_peer ? sms_channel_by_sender(tx, event->sender, event->number, &channel) : ERR_NOT_FOUND;

    if (err == ERR_NOT_FOUND) { /* it stays stored, and is counted where somebody sees it */
        work->is_unrouted = true;
        return sms_connector_unrouted(tx, work->connector.id,
                                      work->has_peer ? SMS_UNROUTED_RECIPIENT : SMS_UNROUTED_SENDER);
    }
    if (err != ERR_OK)
        return err;
    if (event->part_count > 1) {
        struct sms_fragment_set set = { .connector = work->connector.id,
                                        .channel = channel,
                                        .reference = event->reference,
                                        .part_count = event->part_count };
        memcpy(set.peer_index, work->peer_index, sizeof(set.peer_index));
        return sms_fragment_keep(tx, &set, event->part, work->body->id, event->at);
    }
    work->written.received.channel = channel;
    return receive(tx, work);
}

/* Works that are applied together. */
struct sms_batch {
    struct interpreter *interpreter;
    struct sms_work **works; /* by tenant */
    size_t count;
};

static struct sms_receipt
receipt_of(const struct sms_work *work)
{
    const struct sms_event *event = &work->event;
    struct sms_receipt receipt = { .connector = work->connector.id,
                                   .provider_id = event->provider_id,
                                   .state = event->state,
                                   .done = event->done,
                                   .error_code = event->error_code,
                                   .at = event->at,
                                   .has_peer = work->has_peer };

    memcpy(receipt.peer_index, work->peer_index, sizeof(receipt.peer_index));
    return receipt;
}

/* Of one tenant: first the claims, then the receipts, then what was written, in its order. */
static enum err
tenant_in(struct db_tx *tx, struct interpreter *interpreter, struct sms_work **works, size_t count,
          bool is_alone)
{
    struct arena *arena = interpreter->body_arena;
    const struct provider_event **events = arena_array(arena, count, sizeof(const struct provider_event *));
    struct sms_receipt_item *items = arena_array(arena, count, sizeof(*items));
    bool *held = arena_array(arena, count, sizeof(*held));
    size_t item_count = 0;

    if (events == NULL || items == NULL || held == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        events[i] = works[i]->body;
    enum err err =
        is_alone ? provider_event_done(tx, events[0]) : provider_events_done(tx, events, count, arena, held);
    if (is_alone) {
        held[0] = err == ERR_OK;
        err = err == ERR_STATE_CONFLICT ? ERR_OK : err;
    }
    for (size_t i = 0; i < count; i++) {
        works[i]->is_lost = !held[i]; /* another gateway has taken it over */
        works[i]->is_unrouted = false;
        if (held[i] && works[i]->event.kind == SMS_EVENT_RECEIPT)
            items[item_count++] =
                (struct sms_receipt_item){ .receipt = receipt_of(works[i]),
                                           .has_india_codes = works[i]->connector.has_india_codes };
    }
    if (err == ERR_OK)
        err = receipts_in(tx, interpreter, items, item_count, arena);
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        if (held[i] && works[i]->event.kind == SMS_EVENT_MESSAGE)
            err = written_in(tx, works[i]);
    return err;
}

static enum err
batch_in(struct db_tx *tx, void *ctx)
{
    const struct sms_batch *batch = ctx;
    enum err err = ERR_OK;

    for (size_t from = 0, to; err == ERR_OK && from < batch->count; from = to) {
        struct id tenant = batch->works[from]->tenant;
        for (to = from + 1; to < batch->count && id_eq(batch->works[to]->tenant, tenant);)
            to++;
        err = db_tx_turn_to(tx, tenant);
        if (err == ERR_OK)
            err = tenant_in(tx, batch->interpreter, batch->works + from, to - from, batch->count == 1);
    }
    return err;
}

struct connector_read {
    struct arena *arena;
    struct sms_connector *connector;
};

static enum err
connector_in(struct db_tx *tx, void *ctx)
{
    const struct connector_read *read = ctx;

    return sms_connector_get(tx, read->connector->id, read->arena, read->connector);
}

/* ERR_NOT_FOUND: it was deleted. */
static enum err
connector_load(struct sms_work *work)
{
    struct connector_read read = { work->arena, &work->connector };

    return db_run(work->interpreter->db, work->tenant, connector_in, &read);
}

/* Each connector once. */
static void
connectors_load(struct sms_work *works, size_t count)
{
    for (size_t i = 0, before; i < count; i++) {
        if (works[i].err != ERR_OK)
            continue;
        for (before = 0; before < i; before++)
            if (id_eq(works[before].body->connector, works[i].body->connector) &&
                (works[before].err == ERR_OK || works[before].err == ERR_PROVIDER_BODY))
                break;
        if (before < i && works[before].has_connector) {
            works[i].connector = works[before].connector;
            works[i].has_connector = true;
            continue;
        }
        works[i].err = connector_load(&works[i]);
        works[i].has_connector = works[i].err == ERR_OK;
        if (works[i].err == ERR_NOT_FOUND)
            works[i].err = ERR_PROVIDER_BODY; /* its connector is gone: nobody can read it */
    }
}

/* From the stored bodies to what is applied, outside of any transaction. */
static enum err
works_prepare(struct interpreter *interpreter, struct sms_work *works, size_t count)
{
    struct arena *arena = interpreter->body_arena;
    struct vault_ask *asks = arena_array(arena, count, sizeof(*asks));
    size_t *of = arena_array(arena, count, sizeof(*of)), asked = 0;

    if (asks == NULL || of == NULL)
        return ERR_NO_MEMORY;
    connectors_load(works, count);
    for (size_t i = 0; i < count; i++)
        if (works[i].err == ERR_OK) {
            asks[asked] = provider_event_ask(works[i].body);
            of[asked++] = i;
        }
    vault_ask_many(&interpreter->vault, asks, asked, arena);
    for (size_t i = 0; i < asked; i++) {
        struct sms_work *work = &works[of[i]];
        work->err = asks[i].err == ERR_OK ? sms_event_read(asks[i].plain, &work->connector,
                                                           id_time(work->body->id), arena, &work->event)
                                          : asks[i].err;
        work->has_peer =
            work->err == ERR_OK && work->event.kind != SMS_EVENT_NOTHING && is_number(work->event.peer);
    }
    asked = 0;
    for (size_t i = 0; i < count; i++)
        if (works[i].has_peer) {
            asks[asked] = message_peer_ask(works[i].tenant, works[i].event.peer);
            of[asked++] = i;
        }
    vault_ask_many(&interpreter->vault, asks, asked, arena);
    for (size_t i = 0; i < asked; i++) {
        struct sms_work *work = &works[of[i]];
        work->err = asks[i].err;
        memcpy(work->peer_index, asks[i].mac, sizeof(work->peer_index));
        if (work->err == ERR_OK && work->event.kind == SMS_EVENT_MESSAGE && work->event.part_count == 1)
            work->err = written_make(work, work->event.peer, work->event.text, work->event.is_binary,
                                     work->body->id, work->event.at);
    }
    return ERR_OK;
}

static void
work_done(const struct sms_work *work)
{
    if (work->is_lost)
        return;
    metric_add(METRIC_PROVIDER_EVENTS_INTERPRETED, 1);
    metric_add(METRIC_SMS_UNROUTED, work->is_unrouted);
    log_event(LOG_DEBUG, "provider_event.interpreted", LOG_ID("event", ID_PROVIDER_EVENT, work->body->id),
              LOG_NUM("ignored", work->event.kind == SMS_EVENT_NOTHING),
              LOG_NUM("unrouted", work->is_unrouted));
}

/* Together; each by itself when one of them cannot be applied, which then keeps its error. */
static enum err
batch_apply(const struct sms_batch *batch)
{
    enum err err = batch->count == 0 ? ERR_OK
                                     : db_run(batch->interpreter->db, batch->works[0]->tenant, batch_in,
                                              (void *)(uintptr_t)batch);

    if (err == ERR_DB_UNAVAILABLE) /* claimed bodies come back when their lease ends */
        return err;
    if (err != ERR_OK && batch->count == 1) {
        batch->works[0]->err = err;
        return ERR_OK;
    }
    for (size_t i = 0; err == ERR_OK && i < batch->count; i++)
        work_done(batch->works[i]);
    if (err == ERR_OK)
        return ERR_OK;
    err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < batch->count; i++)
        err = batch_apply(&(struct sms_batch){ batch->interpreter, &batch->works[i], 1 });
    return err;
}

static int
work_order(const void *a, const void *b)
{
    const struct sms_work *left = *(struct sms_work *const *)a, *right = *(struct sms_work *const *)b;
    int order = memcmp(left->tenant.bytes, right->tenant.bytes, ID_BYTES);

    return order != 0 ? order : left < right ? -1 : left > right;
}

enum err
sms_bodies_interpret(struct interpreter *interpreter, const struct provider_event *const *bodies,
                     size_t count,
                     enum err (*postpone)(struct interpreter *, const struct provider_event *, enum err))
{
    struct sms_work *works = arena_array(interpreter->body_arena, count, sizeof(*works));
    struct sms_batch batch = { interpreter,
                               arena_array(interpreter->body_arena, count, sizeof(struct sms_work *)), 0 };
    enum err err = works == NULL || batch.works == NULL ? ERR_NO_MEMORY : ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < count; i++)
        works[i] =
            (struct sms_work){ .interpreter = interpreter,
                               .body = bodies[i],
                               .arena = interpreter->body_arena,
                               .tenant = bodies[i]->tenant,
                               .connector = { .id = bodies[i]->connector },
                               /* claimed so often, and never settled: it ended those who read it */
                               .err = bodies[i]->attempt > PROVIDER_EVENT_CLAIMS_MAX ? ERR_PROVIDER_BODY
                                                                                     : ERR_OK };
    if (err == ERR_OK)
        err = works_prepare(interpreter, works, count);
    /* What cannot be read leaves its batch first: the others are all that is left of it. */
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        if (works[i].err == ERR_OK)
            batch.works[batch.count++] = &works[i];
        else
            err = works[i].err == ERR_DB_UNAVAILABLE ? works[i].err
                                                     : postpone(interpreter, bodies[i], works[i].err);
    }
    if (err == ERR_OK && batch.count > 0) {
        qsort(batch.works, batch.count, sizeof(struct sms_work *), work_order);
        err = batch_apply(&batch);
    }
    for (size_t i = 0; err == ERR_OK && i < batch.count; i++)
        if (batch.works[i]->err != ERR_OK)
            err = postpone(interpreter, batch.works[i]->body, batch.works[i]->err);
    arena_reset(interpreter->body_arena);
    return err;
}

static enum err
parked_in(struct db_tx *tx, void *ctx)
{
    struct sms_work *work = ctx;
    struct sms_receipt *receipts = NULL;
    struct sms_receipt_item *items = NULL;
    size_t count = 0;
    enum err err = sms_receipts_take(tx, work->arena, &receipts, &count);

    if (err == ERR_OK && (items = arena_array(work->arena, count, sizeof(*items))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        items[i].receipt = receipts[i];
        err = sms_connector_get(tx, receipts[i].connector, work->arena, &work->connector);
        items[i].has_india_codes = err == ERR_OK && work->connector.has_india_codes;
        err = err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    if (err == ERR_OK)
        err = receipts_in(tx, work->interpreter, items, count, work->arena);
    work->has_more = count == SMS_PARK_SWEEP_MAX;
    return err == ERR_OK ? sms_receipts_done(tx, items, count, work->arena) : err;
}

static enum err
doubts_in(struct db_tx *tx, void *ctx)
{
    struct sms_work *work = ctx;
    struct message_report *reports = NULL;
    struct message_report_item *items = NULL;
    size_t count = 0;
    enum err err =
        sms_doubts_end(tx, clock_wall(work->interpreter->config.clock), work->arena, &reports, &count);

    if (err == ERR_OK && (items = arena_array(work->arena, count, sizeof(*items))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        items[i].report = &reports[i];
    return err == ERR_OK ? reports_in(tx, work->interpreter, items, count, work->arena) : err;
}

static enum err
fragments_in(struct db_tx *tx, void *ctx)
{
    struct sms_work *work = ctx;

    return sms_fragments_read(tx, &work->set, work->arena, &work->fragments, &work->fragment_count);
}

struct fragment_read {
    struct arena *arena;
    struct provider_event *event;
};

static enum err
fragment_body_in(struct db_tx *tx, void *ctx)
{
    struct fragment_read *read = ctx;

    return provider_event_body_read(tx, read->arena, read->event);
}

/* The texts of the parts, one behind the other; "..." where some did not come. */
static enum err
fragments_join(struct sms_work *work, struct buf *out, struct slice *peer_out)
{
    unsigned next = 1;
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < work->fragment_count; i++) {
        const struct sms_fragment *fragment = &work->fragments[i];
        struct provider_event event = { .id = fragment->event, .tenant = work->tenant };
        struct fragment_read read = { work->arena, &event };
        struct slice opened;
        err = db_run(work->interpreter->db, work->tenant, fragment_body_in, &read);
        if (err == ERR_OK)
            err = provider_event_open(&work->interpreter->vault, &event, work->arena, &opened);
        if (err == ERR_OK)
            err = sms_event_read(opened, &work->connector, fragment->at, work->arena, &work->event);
        if (err != ERR_OK)
            break;
        if (fragment->part != next)
            buf_add_text(out, "...");
        next = fragment->part + 1;
        buf_add(out, work->event.text);
        *peer_out = work->event.peer;
    }
    if (err == ERR_OK && next != work->set.part_count + 1)
        buf_add_text(out, "...");
    return err == ERR_OK ? buf_done(out) : err;
}

static enum err
joined_in(struct db_tx *tx, void *ctx)
{
    struct sms_work *work = ctx;
    enum err err = sms_fragments_done(tx, &work->set, work->fragment_count);

    return err == ERR_OK ? receive(tx, work) : err;
}

static enum err
set_join(struct sms_work *work)
{
    struct slice peer = SLICE_EMPTY;
    struct buf text;

    work->connector.id = work->set.connector;
    buf_init(&text, JOINED_BYTES_MAX);
    enum err err = connector_load(work);
    if (err == ERR_NOT_FOUND) { /* read without its rules: the usual ones */
        sms_connector_init(&work->connector);
        err = ERR_OK;
    }
    if (err == ERR_OK)
        err = db_run(work->interpreter->db, work->tenant, fragments_in, work);
    if (err == ERR_OK && work->fragment_count > 0)
        err = fragments_join(work, &text, &peer);
    if (err == ERR_OK && work->fragment_count > 0)
        err = written_make(work, peer, buf_slice(&text), false, work->fragments[0].event,
                           work->fragments[0].at);
    work->written.received.channel = work->set.channel;
    if (err == ERR_OK && work->fragment_count > 0)
        err = db_run(work->interpreter->db, work->tenant, joined_in, work);
    buf_release_wiped(&text);
    return err == ERR_STATE_CONFLICT ? ERR_OK : err; /* what has come meanwhile is joined by the next look */
}

/* In a transaction of each. */
static enum err
tenants_turn(struct interpreter *interpreter, const struct id *tenants, size_t count,
             enum err (*turn)(struct db_tx *tx, void *ctx), struct sms_work *work, bool *has_more)
{
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        *work = (struct sms_work){ .interpreter = interpreter,
                                   .arena = interpreter->body_arena,
                                   .tenant = tenants[i] };
        err = db_run(interpreter->db, tenants[i], turn, work);
        *has_more |= err == ERR_OK && work->has_more;
        arena_reset(interpreter->body_arena);
    }
    return err;
}

enum err
sms_waiting_interpret(struct interpreter *interpreter, bool *has_more)
{
    struct sms_fragment_set *sets = NULL;
    struct id *tenants = NULL;
    size_t set_count = 0, tenant_count = 0;
    struct sms_work *work = arena_alloc(interpreter->claim_arena, sizeof(*work));
    enum err err = work == NULL
                       ? ERR_NO_MEMORY
                       : sms_receipts_due(interpreter->db, interpreter->claim_arena, &tenants, &tenant_count);

    if (err == ERR_OK)
        err = tenants_turn(interpreter, tenants, tenant_count, parked_in, work, has_more);
    if (err == ERR_OK)
        err = sms_doubts_due(interpreter->db, interpreter->claim_arena, &tenants, &tenant_count);
    if (err == ERR_OK)
        err = tenants_turn(interpreter, tenants, tenant_count, doubts_in, work, has_more);
    if (err == ERR_OK)
        err = sms_fragments_due(interpreter->db, interpreter->claim_arena, &sets, &set_count);
    for (size_t i = 0; err == ERR_OK && i < set_count; i++) {
        *work = (struct sms_work){ .interpreter = interpreter,
                                   .arena = interpreter->body_arena,
                                   .tenant = sets[i].tenant,
                                   .set = sets[i] };
        err = set_join(work);
        if (err != ERR_OK && err != ERR_DB_UNAVAILABLE) { /* it is tried again at the next look */
            log_event(LOG_WARN, "sms.parts_unread", LOG_NUM("parts", (int64_t)work->fragment_count),
                      LOG_ERR(err));
            err = ERR_OK;
        }
        arena_reset(interpreter->body_arena);
    }
    return err;
}
