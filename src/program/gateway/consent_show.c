#include "program/gateway/consent_show.h"
#include "domain/message/message.h"
#include "program/gateway/gateway.h"
#include "program/gateway/reach.h"

static json_t *
id_or_null(enum id_kind kind, struct id id)
{
    return id_is_zero(id) ? json_null() : show_id(kind, id);
}

static json_t *
actor_show(struct slice kind, struct id id)
{
    bool is_key = slice_eq(kind, SLICE("key"));

    return json_pack("{s:o, s:o}", "kind", show_text(kind), "id",
                     id_or_null(is_key ? ID_KEY : ID_PERSON, id));
}

json_t *
consent_show(const struct consent *consent, struct slice address)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o}", "id",
        show_id(ID_CONSENT, consent->id), "address", show_text_or_null(address), "channel",
        show_text(consent->channel_kind), "purpose", show_text(consent->purpose), "state",
        consent_state_word(consent->state), "source", consent_source_word(consent->source), "method",
        show_text_or_null(consent->method), "language", show_text_or_null(consent->language), "notice_id",
        id_or_null(ID_NOTICE, consent->notice), "message_id", id_or_null(ID_MESSAGE, consent->message),
        "channel_id", id_or_null(ID_CHANNEL, consent->channel), "has_evidence", consent->has_evidence,
        "recorded_by", actor_show(consent->actor, consent->actor_id), "at", show_time(consent->at),
        "recorded_at", show_time(consent->recorded_at));
}

json_t *
suppression_show(const struct suppression *row, struct slice address)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:s, s:b, s:o, s:o, s:o}", "id", show_id(ID_SUPPRESSION, row->id),
                     "address", show_text_or_null(address), "channel", show_text(row->channel_kind), "scope",
                     show_text(row->scope), "reason", suppression_reason_word(row->reason), "is_own",
                     suppression_is_own(row->reason), "consent_id", id_or_null(ID_CONSENT, row->entry),
                     "added_by", actor_show(row->actor, row->actor_id), "at", show_time(row->at));
}

enum consent_actor
consent_asker(const struct http_request *request)
{
    return reach_asker(request).is_person ? CONSENT_BY_PERSON : CONSENT_BY_KEY;
}

enum err
consent_seal(struct http_request *request, struct consent_sealing *sealings, size_t count,
             struct arena *arena)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    struct vault_ask *asks = arena_array(arena, 3 * count, sizeof(*asks));
    struct vault_seal_item *items = arena_array(arena, 2 * count, sizeof(*items));
    size_t n = 0;

    if (asks == NULL || items == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        struct vault_seal_item *item = &items[2 * i];
        item[0] = (struct vault_seal_item){ .place = consent_peer_place(request->tenant, sealings[i].row),
                                            .plain = sealings[i].address };
        item[1] = (struct vault_seal_item){ .place = consent_evidence_place(request->tenant, sealings[i].row),
                                            .plain = sealings[i].evidence };
        asks[n++] = message_peer_ask(request->tenant, sealings[i].address);
        asks[n++] = vault_ask_seal(VAULT_CONTENT, &item[0], 1);
        if (sealings[i].evidence.ptr != NULL)
            asks[n++] = vault_ask_seal(VAULT_CONTENT, &item[1], 1);
    }
    vault_ask_many(&worker->vault, asks, n, arena);
    enum err err = vault_asks_err(asks, n);
    for (size_t i = 0, at = 0; err == ERR_OK && i < count; i++) {
        memcpy(sealings[i].peer_index, asks[at].mac, VAULT_INDEX_BYTES);
        sealings[i].peer = items[2 * i].sealed;
        sealings[i].sealed_evidence = items[2 * i + 1].sealed;
        at += sealings[i].evidence.ptr != NULL ? 3 : 2;
    }
    return err;
}
