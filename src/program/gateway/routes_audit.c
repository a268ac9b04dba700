/* /v1/audit: who did what; each entry with the proof that it stands in the log, and the whole log to take
 * away. */
#include "core/log.h"
#include "core/num.h"
#include "crypto/encode.h"
#include "domain/audit/audit_export.h"
#include "platform/ipc/vault_client.h"
#include "platform/net/http_stream.h"
#include "program/gateway/act.h"
#include "program/gateway/gateway.h"
#include "program/gateway/reach.h"
#include "wire/json/json.h"

#define EXPORT_ARENA_BYTES                                                                                   \
    (8u * 1024u * 1024u) /* a page of the longest entries, with their private parts                          \
                          */

struct work {
    struct http_request *request;
    struct audit_filter filter;
    size_t limit;
    struct id id;
    struct audit_entry *entries;
    struct audit_part *parts;
    size_t count, part_count;
    struct slice line;
    bool has_checkpoint;
    struct audit_checkpoint checkpoint, *checkpoints;
    struct merkle_proof proof;
    struct audit_key *keys;
    size_t key_count;
    struct audit_act act;
};

static json_t *
show_hex(struct slice bytes)
{
    struct buf hex;

    buf_init(&hex, 2 * bytes.len + 1);
    encode_hex(&hex, bytes);
    json_t *shown = buf_done(&hex) == ERR_OK ? show_text(buf_slice(&hex)) : NULL;
    buf_release(&hex);
    return shown;
}

static json_t *
show_actor(const struct audit_entry *entry, json_t *address)
{
    bool is_person = slice_eq(entry->actor_kind, slice_text(audit_actor_kind_word(AUDIT_ACTOR_PERSON)));
    json_t *id = audit_actor_prefix(entry->actor_kind).len == 0 || id_is_zero(entry->actor)
                     ? json_null()
                     : show_id(is_person ? ID_PERSON : ID_KEY, entry->actor);

    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "kind", show_text(entry->actor_kind), "id", id, "name",
                     show_text_or_null(entry->actor_name), "session_id",
                     id_is_zero(entry->session) ? json_null() : show_id(ID_SESSION, entry->session),
                     "address", address);
}

/*
 * Where an act came from is shown to whoever reads the log; what is personal about others, to those who may
 * see identities.
 */
static json_t *
entry_show(const struct work *work, const struct audit_entry *entry)
{
    json_t *detail = NULL, *address = json_null(), *private = json_array();
    char object[ID_TEXT_BYTES];

    for (size_t i = 0; i < work->part_count; i++) {
        const struct audit_part *part = &work->parts[i];
        bool is_own = id_eq(part->subject, entry->actor);
        json_t *value = NULL;
        if (!id_eq(part->entry, entry->id) || (!is_own && !reach_reveals(work->request)) ||
            json_parse(part->text, &value) != ERR_OK)
            continue;
        struct slice from = json_text_of(value, "address");
        if (is_own && from.ptr != NULL) {
            json_decref(address);
            address = show_text(from);
            json_decref(value);
        } else {
            show_append(&private, value);
        }
    }
    if (json_parse(entry->detail, &detail) != ERR_OK)
        detail = NULL;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", show_id(ID_AUDIT, entry->id),
                     "at", show_time(entry->at), "actor", show_actor(entry, address), "action",
                     show_text(entry->action), "object_id",
                     entry->object_prefix.len == 0 ? json_null()
                                                   : show_text(audit_object_print(entry, object)),
                     "outcome", show_text(entry->outcome), "detail", detail, "private", private, "place",
                     entry->is_sealed ? json_integer((json_int_t)entry->place) : json_null());
}

static enum err
time_read(struct http_request *request, const char *name, bool *has_out, struct wall_time *out)
{
    struct slice text = http_query(request, name);

    *has_out = text.ptr != NULL;
    return *has_out ? wall_parse(text, out) : ERR_OK;
}

/* The contract has held the query against their forms. */
static enum err
filter_read(struct http_request *request, struct audit_filter *out)
{
    static const enum id_kind actors[] = { ID_PERSON, ID_KEY };
    struct slice actor = http_query(request, "actor_id"), object = http_query(request, "object_id");
    enum err err = actor.ptr == NULL ? ERR_OK : ERR_QUERY;

    *out = (struct audit_filter){ .action = http_query(request, "action"),
                                  .outcome = http_query(request, "outcome") };
    for (size_t i = 0; err != ERR_OK && i < COUNT_OF(actors); i++)
        err = id_parse(actors[i], actor, &out->actor);
    if (err == ERR_OK && object.ptr != NULL) { /* whatever its kind */
        char text[ID_TEXT_BYTES];
        err = object.len == sizeof(text) - 1 ? ERR_OK : ERR_QUERY;
        if (err == ERR_OK) {
            memcpy(text, id_prefix(ID_AUDIT).ptr, id_prefix(ID_AUDIT).len);
            memcpy(text + id_prefix(ID_AUDIT).len, object.ptr + id_prefix(ID_AUDIT).len,
                   object.len - id_prefix(ID_AUDIT).len);
            err = id_parse(ID_AUDIT, slice_of(text, sizeof(text) - 1), &out->object);
        }
    }
    if (err == ERR_OK)
        err = time_read(request, "since", &out->has_since, &out->since);
    return err == ERR_OK ? time_read(request, "until", &out->has_until, &out->until) : err;
}

static enum err
parts_read(struct db_tx *tx, struct work *work)
{
    struct arena *arena = work->request->arena;
    struct id *ids = arena_array(arena, work->count, sizeof(*ids));

    if (ids == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < work->count; i++)
        ids[i] = work->entries[i].id;
    return work->count == 0 ? ERR_OK
                            : audit_parts(tx, ids, work->count, arena, &work->parts, &work->part_count);
}

static enum err
parts_open(struct work *work)
{
    return audit_parts_open(&gateway_worker_of(work->request)->vault, work->request->tenant, work->parts,
                            work->part_count, work->request->arena);
}

static enum err
list_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err =
        audit_list(tx, &work->filter, work->limit, work->request->arena, &work->entries, &work->count);

    return err == ERR_OK ? parts_read(tx, work) : err;
}

static enum err
audit_get_list(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    struct gateway_page page;
    enum err err = gateway_page_read(request, ID_AUDIT, &page);

    if (err == ERR_OK)
        err = filter_read(request, &work.filter);
    work.filter.cursor = page.cursor;
    work.limit = page.limit;
    if (err == ERR_OK)
        err = gateway_read(request, list_in, &work);
    if (err == ERR_OK)
        err = parts_open(&work);
    if (err != ERR_OK)
        return err;
    json_t *items = json_array();
    for (size_t i = 0; i < gateway_page_shown(&page, work.count); i++)
        show_append(&items, entry_show(&work, &work.entries[i]));
    return gateway_page_reply(request, response, &page, work.count, items);
}

/* Its line and, once a checkpoint holds its place, the way from there to the root. */
static enum err
proof_read(struct db_tx *tx, struct work *work)
{
    const struct audit_entry *entry = work->entries;
    struct audit_nodes nodes = { tx, work->request->arena };
    struct merkle_source source = { audit_subtree, &nodes };
    struct buf line;

    if (!entry->is_sealed)
        return ERR_OK;
    enum err err = audit_checkpoint_of(tx, entry->place, &work->checkpoint);
    if (err == ERR_NOT_FOUND)
        return ERR_OK;
    work->has_checkpoint = err == ERR_OK;
    if (err == ERR_OK)
        err = merkle_inclusion(&source, entry->place, work->checkpoint.size, &work->proof);
    buf_init(&line, AUDIT_LINE_BYTES_MAX);
    if (err == ERR_OK) {
        audit_line(work->request->tenant, entry, entry->place, &line);
        err = buf_done(&line);
    }
    if (err == ERR_OK && (work->line = arena_copy(work->request->arena, buf_slice(&line))).ptr == NULL)
        err = ERR_NO_MEMORY;
    buf_release(&line);
    return err;
}

static enum err
get_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = audit_get(tx, work->id, work->request->arena, work->entries);

    work->count = 1;
    work->has_checkpoint = false;
    if (err == ERR_OK)
        err = parts_read(tx, work);
    return err == ERR_OK ? proof_read(tx, work) : err;
}

static json_t *
show_checkpoint(const struct audit_checkpoint *checkpoint)
{
    return json_pack("{s:I, s:o, s:o, s:I, s:o}", "size", (json_int_t)checkpoint->size, "root",
                     show_hex(slice_of(checkpoint->root.bytes, MERKLE_HASH_BYTES)), "at",
                     show_time(checkpoint->at), "generation", (json_int_t)checkpoint->generation, "signature",
                     show_hex(slice_of(checkpoint->signature, VAULT_SIGNATURE_BYTES)));
}

static json_t *
show_proof(const struct work *work)
{
    json_t *path = json_array();

    if (!work->has_checkpoint) {
        json_decref(path);
        return json_null();
    }
    for (size_t i = 0; i < work->proof.count; i++)
        show_append(&path, show_hex(slice_of(work->proof.hashes[i].bytes, MERKLE_HASH_BYTES)));
    return json_pack("{s:o, s:o, s:o}", "line", show_text(work->line), "path", path, "checkpoint",
                     show_checkpoint(&work->checkpoint));
}

static enum err
audit_get_one(struct http_request *request, struct http_response *response)
{
    struct audit_entry entry;
    struct work work = { .request = request, .entries = &entry };
    enum err err = gateway_path_id(request, "entry_id", ID_AUDIT, &work.id);

    if (err == ERR_OK)
        err = gateway_read(request, get_in, &work);
    if (err == ERR_OK)
        err = parts_open(&work);
    if (err != ERR_OK)
        return err;
    json_t *shown = entry_show(&work, &entry);
    show_set(&shown, "proof", show_proof(&work));
    return http_reply_json(request, response, 200, shown);
}

static enum err
checkpoints_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err =
        audit_checkpoints(tx, 0, work->limit, work->request->arena, &work->checkpoints, &work->count);

    return err == ERR_OK ? audit_keys(tx, work->request->arena, &work->keys, &work->key_count) : err;
}

static enum err
audit_get_checkpoints(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    struct slice limit = http_query(request, "limit");
    json_t *list = json_array(), *keys = json_array();
    int number = 25;

    if (limit.ptr != NULL && num_int_parse(limit, 1, 100, &number) != ERR_OK)
        number = 25; /* the contract has refused it before */
    work.limit = (size_t)number;
    enum err err = gateway_read(request, checkpoints_in, &work);
    for (size_t i = 0; err == ERR_OK && i < work.count && i < work.limit; i++)
        show_append(&list, show_checkpoint(&work.checkpoints[i]));
    for (size_t i = 0; err == ERR_OK && i < work.key_count; i++)
        show_append(&keys, json_pack("{s:I, s:o, s:o}", "generation", (json_int_t)work.keys[i].generation,
                                     "public_key",
                                     show_hex(slice_of(work.keys[i].public_key, VAULT_PUBLIC_KEY_BYTES)),
                                     "created_at", show_time(work.keys[i].created_at)));
    if (err != ERR_OK) {
        json_decref(list);
        json_decref(keys);
        return err;
    }
    return http_reply_json(request, response, 200, json_pack("{s:o, s:o}", "data", list, "keys", keys));
}

static enum err
export_act_in(struct db_tx *tx, void *ctx)
{
    const struct work *work = ctx;

    return audit_append(tx, gateway_worker_of(work->request)->gateway->clock, &work->act);
}

static enum err
line_write(void *request, struct slice line)
{
    return http_stream_write(request, line);
}

static enum err
audit_export_all(struct http_request *request, struct http_response *response)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    bool has_private = slice_eq(http_query(request, "private"), SLICE("true"));
    struct audit_export export = { .db = worker->db,
                                   .tenant = request->tenant,
                                   .vault = has_private ? &worker->vault : NULL,
                                   .arena = arena_new(EXPORT_ARENA_BYTES),
                                   .write = line_write,
                                   .ctx = request };
    struct work work = { .request = request };
    uint64_t entries = 0;
    enum err err = export.arena == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (err == ERR_OK && has_private && !reach_reveals(request))
        err = ERR_SCOPE;
    if (err == ERR_OK)
        err = act_begin(request, AUDIT_AUDIT_EXPORTED, ID_AUDIT, (struct id){ { 0 } }, &work.act);
    work.act.detail = has_private ? SLICE("{\"private\":true}") : SLICE("{\"private\":false}");
    if (err == ERR_OK)
        err = gateway_write(request, export_act_in, &work); /* before the first byte leaves */
    if (err == ERR_OK) {
        response->status = 200;
        response->content_type = SLICE("application/x-ndjson");
        err = http_stream_answer(request, response, HTTP_STREAM_UNDECLARED);
    }
    if (err != ERR_OK) {
        arena_free(export.arena);
        return err;
    }
    err = audit_export(&export, &entries);
    if (err != ERR_OK)
        log_event(err == ERR_HTTP_BROKEN ? LOG_INFO : LOG_ERROR, "audit.export_cut",
                  LOG_NUM("entries", entries), LOG_ERR(err));
    http_stream_end(request);
    arena_free(export.arena);
    return ERR_DEFERRED;
}

const struct http_route audit_routes[] = {
    { HTTP_GET, "/v1/audit", audit_get_list, "listAudit", HTTP_ACCESS_KEY, "audit:read" },
    { HTTP_GET, "/v1/audit/checkpoints", audit_get_checkpoints, "listAuditCheckpoints", HTTP_ACCESS_KEY,
      "audit:read" },
    { HTTP_GET, "/v1/audit/export", audit_export_all, "exportAudit", HTTP_ACCESS_KEY, "audit:export",
      .is_streamed = true },
    /* Harkara's own: the request's tenant is Harkara itself. */
    { HTTP_GET, "/v1/platform/audit", audit_get_list, "listPlatformAudit", HTTP_ACCESS_SESSION,
      "platform:audit" },
    { HTTP_GET, "/v1/audit/{entry_id}", audit_get_one, "getAuditEntry", HTTP_ACCESS_KEY, "audit:read" },
    { .handler = NULL },
};
