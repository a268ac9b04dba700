#include "domain/channel/sms/sms_connector.h"
#include "domain/tenant/sealed_column.h"

#define CONNECTOR_COLUMNS                                                                                    \
    "id, name, state, state_reason, created_at, updated_at, revision, host, port, tls, tls_ca, system_id,"   \
    " system_type, address_range, service_type, password_generation, transceivers, transmitters, receivers," \
    " window_max, per_second, enquire_s, answer_s, joining, alphabet, languages, alphanumeric_ton,"          \
    " alphanumeric_npi, number_ton, number_npi, short_ton, short_npi, recipient_ton, recipient_npi,"         \
    " validity_max_s, receipt_ids, receipt_zone_minutes, error_codes, dlt_entity_tag, dlt_template_tag,"     \
    " dlt_chain_tag, dlt_ends_with_nul, coalesce(country_code, ''), unrouted_senders, unrouted_recipients, unrouted_at"
/* From the third parameter on, in the order of the columns that a change may give. */
#define CHANGED_COLUMNS                                                                                      \
    "name, host, port, tls, tls_ca, system_id, system_type, address_range, service_type, transceivers,"      \
    " transmitters, receivers, window_max, per_second, enquire_s, answer_s, joining, alphabet, languages,"   \
    " alphanumeric_ton, alphanumeric_npi, number_ton, number_npi, short_ton, short_npi, recipient_ton,"      \
    " recipient_npi, validity_max_s, receipt_ids, receipt_zone_minutes, error_codes, dlt_entity_tag,"        \
    " dlt_template_tag, dlt_chain_tag, dlt_ends_with_nul, state, country_code"
#define CHANGED_VALUES                                                                                       \
    "$3, $4, $5::int, $6, $7, $8, $9, $10, $11, $12::smallint, $13::smallint, $14::smallint, $15::smallint," \
    " $16::int, $17::smallint, $18::smallint, $19, $20, $21::int, $22::smallint, $23::smallint,"             \
    " $24::smallint, $25::smallint, $26::smallint, $27::smallint, $28::smallint, $29::smallint, $30::int,"   \
    " $31, $32::smallint, $33, $34::int, $35::int, $36::int, $37, $38, $39"
#define PAIR(n)           DB_I64((n).ton), DB_I64((n).npi)
#define NUMBER_OR_NULL(n) ((n) == 0 ? DB_NULL : DB_I64(n))
#define CHANGED_ARGS(c)                                                                                      \
    DB_TEXT((c)->name), DB_TEXT((c)->host), DB_I64((c)->port), DB_TEXT_Z((c)->has_tls ? "on" : "off"),       \
        (c)->tls_ca.len == 0 ? DB_NULL : DB_TEXT((c)->tls_ca), DB_TEXT((c)->system_id),                      \
        DB_TEXT((c)->system_type), DB_TEXT((c)->address_range), DB_TEXT((c)->service_type),                  \
        DB_I64((c)->transceivers), DB_I64((c)->transmitters), DB_I64((c)->receivers),                        \
        DB_I64((c)->window_max), DB_I64((c)->per_second), DB_I64((c)->enquire_s), DB_I64((c)->answer_s),     \
        DB_TEXT_Z(sms_joining_word((c)->joining)), DB_TEXT_Z(sms_alphabet_word((c)->alphabet)),              \
        DB_I64((c)->languages), PAIR((c)->alphanumeric), PAIR((c)->number), PAIR((c)->short_code),           \
        PAIR((c)->recipient), NUMBER_OR_NULL((c)->validity_max_s),                                           \
        DB_TEXT_Z(sms_receipt_ids_word((c)->receipt_ids)), DB_I64((c)->receipt_zone_minutes),                \
        DB_TEXT_Z((c)->has_india_codes ? "india" : "none"), NUMBER_OR_NULL((c)->dlt_entity_tag),             \
        NUMBER_OR_NULL((c)->dlt_template_tag), NUMBER_OR_NULL((c)->dlt_chain_tag),                           \
        DB_BOOL((c)->dlt_ends_with_nul), DB_TEXT_Z(sms_connector_state_word((c)->state)),                    \
        (c)->country_code.len == 0 ? DB_NULL : DB_TEXT((c)->country_code)

static const char *const state_words[] = {
    [SMS_CONNECTOR_ACTIVE] = "active", [SMS_CONNECTOR_PAUSED] = "paused", [SMS_CONNECTOR_BROKEN] = "broken"
};
static const char *const joining_words[] = { [SMS_JOIN_UDH_8] = "udh-8",
                                             [SMS_JOIN_UDH_16] = "udh-16",
                                             [SMS_JOIN_SAR] = "sar",
                                             [SMS_JOIN_PAYLOAD] = "payload" };
static const char *const alphabet_words[] = {
    [SMS_CODING_GSM7] = "gsm7", [SMS_CODING_ASCII] = "ascii", [SMS_CODING_LATIN1] = "latin1"
};
static const char *const receipt_ids_words[] = { [SMPP_ID_AS_IT_IS] = "as-answered",
                                                 /* the receipt is decimal, the answer was hexadecimal */
                                                 [SMPP_ID_DECIMAL_TO_HEX] = "decimal",
                                                 [SMPP_ID_HEX_TO_DECIMAL] = "hexadecimal" };
static const char *const language_words[GSM7_LANGUAGES] = {
    [GSM7_TURKISH] = "turkish", [GSM7_SPANISH] = "spanish",     [GSM7_PORTUGUESE] = "portuguese",
    [GSM7_BENGALI] = "bengali", [GSM7_GUJARATI] = "gujarati",   [GSM7_HINDI] = "hindi",
    [GSM7_KANNADA] = "kannada", [GSM7_MALAYALAM] = "malayalam", [GSM7_ORIYA] = "oriya",
    [GSM7_PUNJABI] = "punjabi", [GSM7_TAMIL] = "tamil",         [GSM7_TELUGU] = "telugu",
    [GSM7_URDU] = "urdu",
};

static const char *
word_of(const char *const *words, size_t count, unsigned value)
{
    if (value >= count || words[value] == NULL)
        bug("no such value of a connector");
    return words[value];
}

static enum err
word_find(const char *const *words, size_t count, struct slice word, unsigned *out)
{
    for (size_t i = 0; i < count; i++)
        if (words[i] != NULL && slice_eq(word, slice_text(words[i]))) {
            *out = (unsigned)i;
            return ERR_OK;
        }
    return ERR_CONNECTOR_INVALID;
}

const char *
sms_connector_state_word(enum sms_connector_state state)
{
    return word_of(state_words, COUNT_OF(state_words), (unsigned)state);
}

enum err
sms_connector_state_parse(struct slice word, enum sms_connector_state *out)
{
    unsigned value = 0;
    enum err err = word_find(state_words, COUNT_OF(state_words), word, &value);

    *out = (enum sms_connector_state)value;
    return err;
}

const char *
sms_joining_word(enum sms_joining joining)
{
    return word_of(joining_words, COUNT_OF(joining_words), (unsigned)joining);
}

enum err
sms_joining_parse(struct slice word, enum sms_joining *out)
{
    unsigned value = 0;
    enum err err = word_find(joining_words, COUNT_OF(joining_words), word, &value);

    *out = (enum sms_joining)value;
    return err;
}

const char *
sms_alphabet_word(enum sms_coding alphabet)
{
    return word_of(alphabet_words, COUNT_OF(alphabet_words), (unsigned)alphabet);
}

enum err
sms_alphabet_parse(struct slice word, enum sms_coding *out)
{
    unsigned value = 0;
    enum err err = word_find(alphabet_words, COUNT_OF(alphabet_words), word, &value);

    *out = (enum sms_coding)value;
    return err;
}

const char *
sms_receipt_ids_word(enum smpp_id_change change)
{
    return word_of(receipt_ids_words, COUNT_OF(receipt_ids_words), (unsigned)change);
}

enum err
sms_receipt_ids_parse(struct slice word, enum smpp_id_change *out)
{
    unsigned value = 0;
    enum err err = word_find(receipt_ids_words, COUNT_OF(receipt_ids_words), word, &value);

    *out = (enum smpp_id_change)value;
    return err;
}

const char *
sms_language_word(enum gsm7_language language)
{
    return (unsigned)language < GSM7_LANGUAGES ? language_words[language] : NULL;
}

enum err
sms_language_parse(struct slice word, enum gsm7_language *out)
{
    unsigned value = 0;
    enum err err = word_find(language_words, GSM7_LANGUAGES, word, &value);

    *out = (enum gsm7_language)value;
    return err;
}

void
sms_connector_init(struct sms_connector *connector)
{
    *connector = (struct sms_connector){
        .port = 2775,
        .system_type = SLICE(""), /* none, as the standard writes it; no NULL */
        .address_range = SLICE(""),
        .service_type = SLICE(""),
        .transceivers = 1,
        .window_max = 10,
        .per_second = 10,
        .enquire_s = 30,
        .answer_s = 60,
        .alphanumeric = { .ton = 5 },
        .number = { .ton = 1, .npi = 1 },
        .short_code = { .ton = 3 },
        .recipient = { .ton = 1, .npi = 1 },
        .has_india_codes = true,
    };
}

/* A host's name or address; which it is, is for the resolver. */
static bool
is_host(struct slice host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
              c == '-' || c == ':' || c == '_'))
            return false;
    }
    return host.len > 0 && host.len <= 253;
}

static bool
is_plain(struct slice text, size_t max)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7E)
            return false;
    return text.len <= max;
}

enum err
sms_connector_check(const struct sms_connector *c, const char **pointer_out, const char **detail_out)
{
    const struct {
        bool is_wrong;
        const char *pointer, *detail;
    } rules[] = {
        { !is_host(c->host), "/host", "must be a host's name or address" },
        { c->system_id.len == 0 || !is_plain(c->system_id, SMPP_SYSTEM_ID_BYTES - 1), "/system_id",
          "must be 1 to 15 ASCII characters" },
        { !is_plain(c->system_type, SMPP_SYSTEM_TYPE_BYTES - 1), "/system_type",
          "must be at most 12 ASCII characters" },
        { !is_plain(c->address_range, SMPP_RANGE_BYTES - 1), "/address_range",
          "must be at most 40 ASCII characters" },
        { !is_plain(c->service_type, SMPP_SERVICE_BYTES - 1), "/service_type",
          "must be at most 5 ASCII characters" },
        { c->transceivers + c->transmitters == 0, "/binds", "must have one that sends" },
        { c->transceivers > SMS_BINDS_MAX || c->transmitters > SMS_BINDS_MAX || c->receivers > SMS_BINDS_MAX,
          "/binds", "must be at most 16 of each kind" },
        { c->tls_ca.len > 0 && !c->has_tls, "/tls_ca", "is of no use without tls" },
    };

    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (rules[i].is_wrong) {
            *pointer_out = rules[i].pointer;
            *detail_out = rules[i].detail;
            return ERR_CONNECTOR_INVALID;
        }
    return ERR_OK;
}

struct vault_place
sms_connector_password_place(struct id tenant, struct id connector, uint32_t generation)
{
    return (struct vault_place){ .tenant = tenant,
                                 .table = "sms_connector",
                                 .column = "password",
                                 .row = connector,
                                 .generation = generation };
}

static const struct db_stmt connector_count_stmt = {
    "sms_connector_count", "SELECT count(*) FROM sms_connector WHERE tenant_id = $1"
};
static const struct db_stmt connector_insert_stmt = {
    "sms_connector_insert", "INSERT INTO sms_connector (tenant_id, id, " CHANGED_COLUMNS
                            ", password_ct, password_iv, password_tag, password_key_version)"
                            " VALUES ($1, $2, " CHANGED_VALUES ", $40, $41, $42, $43::int)"
};
/* smsc follows what changes here. */
static const struct db_stmt connector_tell_stmt = {
    "sms_connector_tell", "SELECT pg_notify('harkara_sms_connector', $1::uuid::text)"
};

static enum err
connectors_tell(struct db_tx *tx)
{
    return db_exec(tx, &connector_tell_stmt, DB_NO_ARGS, NULL);
}

enum err
sms_connector_create(struct db_tx *tx, const struct sms_connector *connector,
                     const struct vault_sealed *password)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &connector_count_stmt, DB_NO_ARGS, &rows);

    if (err == ERR_OK && db_i64(rows, 0, 0) >= (int64_t)SMS_CONNECTORS_MAX)
        err = ERR_TOO_MANY;
    db_rows_free(rows);
    if (err == ERR_OK)
        err = db_exec_one(tx, &connector_insert_stmt,
                          DB_ARGS(DB_ID(connector->id), CHANGED_ARGS(connector), SEALED_ARGS(password),
                                  DB_I64(password->key_version)));
    return err == ERR_OK ? connectors_tell(tx) : err;
}

static struct sms_numbering
numbering_from(const struct db_rows *rows, size_t row, int column)
{
    return (struct sms_numbering){ .ton = (uint8_t)db_i64(rows, row, column),
                                   .npi = (uint8_t)db_i64(rows, row, column + 1) };
}

/* 0 where there is none. */
static uint16_t
tag_from(const struct db_rows *rows, size_t row, int column)
{
    return db_is_null(rows, row, column) ? 0 : (uint16_t)db_i64(rows, row, column);
}

static enum err
connector_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct sms_connector *out)
{
    const struct {
        int column;
        struct slice *into;
    } texts[] = { { 1, &out->name },           { 3, &out->state_reason },  { 7, &out->host },
                  { 10, &out->tls_ca },        { 11, &out->system_id },    { 12, &out->system_type },
                  { 13, &out->address_range }, { 14, &out->service_type }, { 42, &out->country_code } };

    *out = (struct sms_connector){
        .id = db_id(rows, row, 0),
        .created_at = db_time(rows, row, 4),
        .updated_at = db_time(rows, row, 5),
        .revision = (uint32_t)db_i64(rows, row, 6),
        .port = (uint16_t)db_i64(rows, row, 8),
        .has_tls = slice_eq(db_text(rows, row, 9), SLICE("on")),
        .password_generation = (uint32_t)db_i64(rows, row, 15),
        .transceivers = (unsigned)db_i64(rows, row, 16),
        .transmitters = (unsigned)db_i64(rows, row, 17),
        .receivers = (unsigned)db_i64(rows, row, 18),
        .window_max = (unsigned)db_i64(rows, row, 19),
        .per_second = (unsigned)db_i64(rows, row, 20),
        .enquire_s = (unsigned)db_i64(rows, row, 21),
        .answer_s = (unsigned)db_i64(rows, row, 22),
        .languages = (unsigned)db_i64(rows, row, 25),
        .alphanumeric = numbering_from(rows, row, 26),
        .number = numbering_from(rows, row, 28),
        .short_code = numbering_from(rows, row, 30),
        .recipient = numbering_from(rows, row, 32),
        .validity_max_s = db_is_null(rows, row, 34) ? 0 : (unsigned)db_i64(rows, row, 34),
        .receipt_zone_minutes = (int)db_i64(rows, row, 36),
        .has_india_codes = slice_eq(db_text(rows, row, 37), SLICE("india")),
        .dlt_entity_tag = tag_from(rows, row, 38),
        .dlt_template_tag = tag_from(rows, row, 39),
        .dlt_chain_tag = tag_from(rows, row, 40),
        .dlt_ends_with_nul = db_bool(rows, row, 41),
        .unrouted_senders = db_i64(rows, row, 43),
        .unrouted_recipients = db_i64(rows, row, 44),
    };
    if (!db_is_null(rows, row, 45))
        out->unrouted_at = db_time(rows, row, 45);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        *texts[i].into = arena_copy(arena, db_text(rows, row, texts[i].column));
        if (texts[i].into->ptr == NULL)
            return ERR_NO_MEMORY;
    }
    enum err err = sms_connector_state_parse(db_text(rows, row, 2), &out->state);
    if (err == ERR_OK)
        err = sms_joining_parse(db_text(rows, row, 23), &out->joining);
    if (err == ERR_OK)
        err = sms_alphabet_parse(db_text(rows, row, 24), &out->alphabet);
    return err == ERR_OK ? sms_receipt_ids_parse(db_text(rows, row, 35), &out->receipt_ids) : err;
}

static const struct db_stmt connector_get_stmt = { "sms_connector_get",
                                                   "SELECT " CONNECTOR_COLUMNS
                                                   " FROM sms_connector WHERE tenant_id = $1 AND id = $2" };

enum err
sms_connector_get(struct db_tx *tx, struct id id, struct arena *arena, struct sms_connector *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &connector_get_stmt, DB_ARGS(DB_ID(id)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : connector_from_row(rows, 0, arena, out);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt connectors_list_stmt = {
    "sms_connectors_list",
    "SELECT " CONNECTOR_COLUMNS " FROM sms_connector WHERE tenant_id = $1 ORDER BY id LIMIT 50"
};

enum err
sms_connectors_list(struct db_tx *tx, struct arena *arena, struct sms_connector **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    struct sms_connector *connectors = NULL;
    enum err err = db_query(tx, &connectors_list_stmt, DB_NO_ARGS, &rows);

    if (err == ERR_OK && (connectors = arena_array(arena, db_rows_count(rows), sizeof(*connectors))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++)
        err = connector_from_row(rows, i, arena, &connectors[i]);
    *out = connectors;
    *count_out = err == ERR_OK ? db_rows_count(rows) : 0;
    db_rows_free(rows);
    return err;
}

/* Whoever changes a broken one mends it: it is tried again. */
static const struct db_stmt connector_update_stmt = {
    "sms_connector_update",
    "UPDATE sms_connector SET (" CHANGED_COLUMNS ") = (" CHANGED_VALUES
    "), state_reason = CASE WHEN $38 = state THEN state_reason END, updated_at = $40, revision = revision + 1"
    " WHERE tenant_id = $1 AND id = $2 AND revision = $41"
};
static const struct db_stmt connector_password_stmt = {
    "sms_connector_password",
    "UPDATE sms_connector SET password_ct = $3, password_iv = $4, password_tag = $5, password_key_version = $6::int,"
    " password_generation = $7 WHERE tenant_id = $1 AND id = $2 AND password_generation = $7 - 1"
};

enum err
sms_connector_update(struct db_tx *tx, const struct clock *clock, const struct sms_connector *connector,
                     const struct vault_sealed *password)
{
    enum err err = db_exec_one(tx, &connector_update_stmt,
                               DB_ARGS(DB_ID(connector->id), CHANGED_ARGS(connector),
                                       DB_TIME(clock_wall(clock)), DB_I64(connector->revision)));

    if (err == ERR_OK && password != NULL)
        err = db_exec_one(tx, &connector_password_stmt,
                          DB_ARGS(DB_ID(connector->id), SEALED_ARGS(password), DB_I64(password->key_version),
                                  DB_I64((int64_t)connector->password_generation + 1)));
    if (err == ERR_OK)
        err = connectors_tell(tx);
    return err == ERR_NOT_FOUND ? ERR_HTTP_PRECONDITION : err;
}

static const struct db_stmt connector_unrouted_stmt = {
    "sms_connector_unrouted",
    "UPDATE sms_connector SET unrouted_senders = unrouted_senders + $3, unrouted_recipients = unrouted_recipients + 1 - $3,"
    " unrouted_at = now() WHERE tenant_id = $1 AND id = $2"
};

enum err
sms_connector_unrouted(struct db_tx *tx, struct id id, enum sms_unrouted why)
{
    return db_exec(tx, &connector_unrouted_stmt, DB_ARGS(DB_ID(id), DB_I64(why == SMS_UNROUTED_SENDER)),
                   NULL);
}

static const struct db_stmt connector_delete_stmt = {
    "sms_connector_delete",
    "DELETE FROM sms_connector WHERE tenant_id = $1 AND id = $2 AND ($3 = 0 OR revision = $3)"
};

enum err
sms_connector_delete(struct db_tx *tx, struct id id, uint32_t revision)
{
    enum err err = db_exec_one(tx, &connector_delete_stmt, DB_ARGS(DB_ID(id), DB_I64(revision)));

    if (err == ERR_OK)
        err = connectors_tell(tx);
    return err == ERR_NOT_FOUND ? ERR_HTTP_PRECONDITION : err;
}

static const struct db_stmt links_list_stmt = {
    "sms_links_list",
    "SELECT connector_id, number, kind, state, detail, since, next_try_at, told_at, per_second,"
    " in_flight FROM sms_link WHERE tenant_id = $1 ORDER BY connector_id, number LIMIT 2400"
};

enum err
sms_links_list(struct db_tx *tx, struct arena *arena, struct sms_link **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    struct sms_link *links = NULL;
    enum err err = db_query(tx, &links_list_stmt, DB_NO_ARGS, &rows);

    if (err == ERR_OK && (links = arena_array(arena, db_rows_count(rows), sizeof(*links))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++) {
        links[i] = (struct sms_link){ .connector = db_id(rows, i, 0),
                                      .number = (unsigned)db_i64(rows, i, 1),
                                      .kind = arena_copy(arena, db_text(rows, i, 2)),
                                      .state = arena_copy(arena, db_text(rows, i, 3)),
                                      .detail = arena_copy(arena, db_text(rows, i, 4)),
                                      .since = db_time(rows, i, 5),
                                      .told_at = db_time(rows, i, 7),
                                      .in_flight = db_i64(rows, i, 9) };
        if (!db_is_null(rows, i, 6))
            links[i].next_try_at = db_time(rows, i, 6);
        if (!db_is_null(rows, i, 8))
            links[i].per_second = db_i64(rows, i, 8);
        if (links[i].kind.ptr == NULL || links[i].state.ptr == NULL || links[i].detail.ptr == NULL)
            err = ERR_NO_MEMORY;
    }
    *out = links;
    *count_out = err == ERR_OK ? db_rows_count(rows) : 0;
    db_rows_free(rows);
    return err;
}
