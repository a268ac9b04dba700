/* What the tables say of a batch that is to be accepted. */
#include "domain/message/message_accept_internal.h"

/* What the statements say of a class and of a row, a character each. */
enum {
    VERDICT_TAKEN = 'a',
    VERDICT_CHANNEL_UNKNOWN = 'u',
    VERDICT_CHANNEL_PAUSED = 'p',
    VERDICT_WINDOW = 'w', /* of a class: its rows are looked up; of a row: it is over */
};
enum { CLASS_VERDICT, CLASS_SUPPRESSES, CLASS_CONSENTS, CLASS_HEAD };
enum { ROW_VERDICT, ROW_PERSON, ROW_CHARACTERS };
/* What is to be looked up of a class's rows: message_accept_rows knows them by number. */
enum { LOOK_WINDOW = 1, LOOK_SUPPRESSION = 2, LOOK_CONSENT = 4 };

/*
 * A line for each class: a verdict; whether anybody of the workspace is suppressed or has said something
 * about consent, in this statement's snapshot, so that a suppression that was committed before counts; and
 * what the gate judges from: its channel's kind, its state, its workspace's, what billing says
 * (workspace_credit), each a character, '-' for none; then the workspace's settings. `flags` are enum
 * accept_class_flag's.
 *
 * With the commit whoever sends through these lanes is told, unless he looks anyway (message_lane.h); also of
 * what is held, when he may not look before its time.
 */
static const struct db_stmt message_classes_stmt = {
    "message_accept_classes",
    "SELECT string_agg(concat(c.verdict, c.suppresses, c.consents, coalesce(left(c.kind, 1), '-'),"
    " coalesce(left(c.state, 1), '-'), coalesce(left(c.workspace, 1), '-'), c.credit, c.settings), E'\n'),"
    " count(c.told) FROM (SELECT CASE WHEN c.state = 'active' THEN"
    " CASE WHEN a.flags & 1 <> 0 AND w.window_check = 'enforce' THEN 'w' ELSE 'a' END"
    " WHEN c.state <> 'deleted' THEN 'p' ELSE 'u' END AS verdict,"
    " c.kind, c.state, o.state AS workspace, workspace_credit(a.tenant_id, a.id) AS credit,"
    " " POLICY_SETTINGS_TEXT " AS settings,"
    " EXISTS (SELECT FROM suppression p WHERE p.tenant_id = a.tenant_id) AS suppresses,"
    " EXISTS (SELECT FROM consent_state p WHERE p.tenant_id = a.tenant_id) AS consents,"
    " CASE WHEN c.state = 'active' AND a.flags & 2 <> 0 AND l.is_resting AND l.is_open THEN"
    " pg_notify('harkara_dispatch', l.channel_id || coalesce(' ' || l.dispatcher, ''))::text END AS told"
    " FROM unnest($2::uuid[], $3::uuid[], $4::bigint[]) WITH ORDINALITY AS a (tenant_id, id, flags, n)"
    " LEFT JOIN tenant o ON o.tenant_id = a.tenant_id"
    " LEFT JOIN channel c ON c.tenant_id = a.tenant_id AND c.id = a.id"
    " LEFT JOIN whatsapp_channel w ON w.tenant_id = a.tenant_id AND w.channel_id = a.id"
    " LEFT JOIN dispatch_lane l ON l.tenant_id = a.tenant_id AND l.channel_id = a.id"
    " LEFT JOIN policy_settings s ON s.tenant_id = a.tenant_id ORDER BY a.n) c"
};

/*
 * Of rows whose class has anything to look up: whether the window is over, and what is known of the person.
 *
 * Under row-level security an index is used with plain columns of the other side only, not with what is
 * worked out of them: so that is done in a subquery first, and OFFSET 0 keeps it one. Else each row reads all
 * windows of its tenant.
 */
static const struct db_stmt message_rows_stmt = {
    "message_accept_rows",
    "WITH standing AS MATERIALIZED (SELECT array_agg(c.kind ORDER BY a.n) AS kinds FROM unnest($2::uuid[], $3::uuid[])"
    " WITH ORDINALITY AS a (tenant_id, id, n) LEFT JOIN channel c ON c.tenant_id = a.tenant_id AND c.id = a.id)"
    " SELECT string_agg(CASE WHEN i.look & 1 <> 0 AND (SELECT window_is_past(w.window_until, w.free_until)"
    " FROM channel_window w WHERE w.tenant_id = i.tenant_id AND w.channel_id = i.channel_id AND w.peer_index = i.peer_index)"
    " THEN 'w' ELSE 'a' END || ((CASE WHEN i.look & 2 <> 0 THEN " POLICY_SUPPRESSION_FACT(
        "i") " ELSE 0 END) +"
             " (CASE WHEN i.look & 4 <> 0 THEN " POLICY_CONSENT_FACT(
                 "i") " ELSE 0 END))::text, '' ORDER BY i.n)"
                      " FROM (SELECT i.*, ($2::uuid[])[i.class] AS tenant_id, ($3::uuid[])[i.class] AS channel_id,"
                      " ($4::bigint[])[i.class] AS look, ($5::text[])[i.class] AS purpose,"
                      " (SELECT kinds FROM standing)[i.class] AS channel_kind"
                      " FROM unnest($6::bigint[], $7::bytea[]) WITH ORDINALITY AS i (class, peer_index, n) OFFSET 0) i"
};

static enum err
class_read(struct slice line, struct accept_class *out)
{
    if (line.len < CLASS_HEAD)
        return ERR_DB_DATA;
    *out = (struct accept_class){ .minds_window = line.ptr[CLASS_VERDICT] == VERDICT_WINDOW,
                                  .has_suppressions = line.ptr[CLASS_SUPPRESSES] == 't',
                                  .has_consents = line.ptr[CLASS_CONSENTS] == 't',
                                  .facts = slice_drop(line, CLASS_HEAD) };
    switch (line.ptr[CLASS_VERDICT]) {
    case VERDICT_TAKEN:
    case VERDICT_WINDOW:
        return ERR_OK;
    case VERDICT_CHANNEL_UNKNOWN:
        out->err = ERR_CHANNEL_UNKNOWN;
        return ERR_OK;
    case VERDICT_CHANNEL_PAUSED:
        out->err = ERR_CHANNEL_NOT_READY;
        return ERR_OK;
    default:
        return ERR_DB_DATA;
    }
}

static enum err
classes_read(struct db_tx *tx, const struct accept_columns *c, struct arena *arena, struct accept_class **out)
{
    struct accept_class *classes = arena_array(arena, c->class_count, sizeof(*classes));
    struct db_rows *rows = NULL;
    struct slice lines = SLICE_EMPTY;

    *out = classes;
    if (classes == NULL)
        return ERR_NO_MEMORY;
    enum err err = db_query(tx, &message_classes_stmt,
                            DB_ARGS(ACCEPT_CHANNELS(c), DB_I64_ARRAY(c->class_flags, c->class_count)), &rows);
    if (err == ERR_OK) {
        lines = arena_copy(arena, db_text(rows, 0, 0));
        err = lines.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    db_rows_free(rows);
    for (size_t class = 0; err == ERR_OK && class < c->class_count; class ++) {
        const char *end = lines.len == 0 ? NULL : memchr(lines.ptr, '\n', lines.len);
        size_t len = end == NULL ? lines.len : (size_t)(end - lines.ptr);
        err = class_read(slice_first(lines, len), &classes[class]);
        lines = slice_drop(lines, end == NULL ? len : len + 1);
    }
    return err;
}

static int64_t
look_of(const struct accept_class *class)
{
    return (class->minds_window ? LOOK_WINDOW : 0) | (class->has_suppressions ? LOOK_SUPPRESSION : 0) |
           (class->has_consents ? LOOK_CONSENT : 0);
}

/* The rows that are looked up. */
struct looks {
    size_t count, *at;    /* the row of each */
    int64_t *class_looks; /* by class */
    int64_t *classes;
    struct slice *peers;
};

static enum err
looks_fill(struct looks *looks, const struct accept_columns *c, const struct accept_class *classes,
           const struct message_new *messages, struct arena *arena)
{
    *looks = (struct looks){ .at = arena_array(arena, c->judge_count, sizeof(*looks->at)),
                             .class_looks = arena_array(arena, c->class_count, sizeof(*looks->class_looks)),
                             .classes = arena_array(arena, c->judge_count, sizeof(*looks->classes)),
                             .peers = arena_array(arena, c->judge_count, sizeof(*looks->peers)) };
    if (looks->at == NULL || looks->class_looks == NULL || looks->classes == NULL || looks->peers == NULL)
        return ERR_NO_MEMORY;
    for (size_t class = 0; class < c->class_count; class ++)
        looks->class_looks[class] = look_of(&classes[class]);
    for (size_t row = 0; row < c->judge_count; row++) {
        if (looks->class_looks[c->classes[row] - 1] == 0)
            continue;
        size_t message = row < c->count ? row : c->furthers[row - c->count].message;
        looks->at[looks->count] = row;
        looks->classes[looks->count] = c->classes[row];
        looks->peers[looks->count++] = slice_of(messages[message].sealed.peer_index, VAULT_INDEX_BYTES);
    }
    return ERR_OK;
}

static enum err
rows_look_up(struct db_tx *tx, const struct accept_columns *c, const struct looks *looks,
             struct message_accepted *accepted, char *persons)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &message_rows_stmt,
                            DB_ARGS(ACCEPT_CHANNELS(c), DB_I64_ARRAY(looks->class_looks, c->class_count),
                                    DB_TEXT_ARRAY(c->class_purposes, c->class_count),
                                    DB_I64_ARRAY(looks->classes, looks->count),
                                    DB_BYTES_ARRAY(looks->peers, looks->count)),
                            &rows);

    if (err == ERR_OK &&
        (db_rows_count(rows) != 1 || db_text(rows, 0, 0).len != looks->count * ROW_CHARACTERS))
        bug("a batch was looked up with another number of rows");
    for (size_t i = 0; err == ERR_OK && i < looks->count; i++) {
        const char *of = db_text(rows, 0, 0).ptr + i * ROW_CHARACTERS;
        size_t row = looks->at[i];
        persons[row] = of[ROW_PERSON];
        if (row < c->count && accepted[row].err == ERR_OK && of[ROW_VERDICT] == VERDICT_WINDOW)
            accepted[row].err = ERR_WINDOW_CLOSED;
    }
    db_rows_free(rows);
    return err;
}

enum err
accept_facts_read(struct db_tx *tx, const struct accept_columns *c, const struct message_new *messages,
                  struct message_accepted *accepted, struct arena *arena, struct accept_facts *out)
{
    struct looks looks;
    char *persons = arena_alloc(arena, c->judge_count);
    enum err err = persons == NULL ? ERR_NO_MEMORY : classes_read(tx, c, arena, &out->classes);

    if (err == ERR_OK)
        err = looks_fill(&looks, c, out->classes, messages, arena);
    if (err != ERR_OK)
        return err;
    memset(persons, '0', c->judge_count);
    out->persons = persons;
    for (size_t i = 0; i < c->count; i++)
        accepted[i] =
            (struct message_accepted){ .id = messages[i].id, .err = out->classes[c->classes[i] - 1].err };
    return looks.count == 0 ? ERR_OK : rows_look_up(tx, c, &looks, accepted, persons);
}
