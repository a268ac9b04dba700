#include "domain/identity/person.h"
#include "domain/tenant/sealed_column.h"

#define EMAIL_LABEL "person.email"

/* RFC 5321, 4.1.2, and RFC 6531: dots between atoms. Quoted local parts and address literals are left out: no
 * mailbox of a person needs them, and what else they may hold would be another's header or a second address.
 */
static bool
is_dotted(struct slice text, const char *marks)
{
    bool was_dot = true; /* none in front, at the end, or twice */

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        c >= 0x80 || (c != '\0' && strchr(marks, c) != NULL);
        if (c == '.' ? was_dot : !is_plain)
            return false;
        was_dot = c == '.';
    }
    return !was_dot;
}

enum err
person_email_read(struct slice text, struct arena *arena, struct slice *out)
{
    text = slice_trim(text);
    size_t at = slice_find(text, '@');
    struct slice domain = slice_drop(text, at < text.len ? at + 1 : text.len);

    if (at > 64 || text.len > PERSON_EMAIL_MAX || !slice_is_utf8(text) || /* RFC 5321, 4.5.3.1.1 */
        !is_dotted(slice_first(text, at), "!#$%&'*+/=?^_`{|}~-") || !is_dotted(domain, "-"))
        return ERR_CONTRACT;
    char *lower = arena_alloc(arena, text.len);
    if (lower == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < text.len; i++)
        lower[i] = text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' ? (char)(text.ptr[i] - 'A' + 'a') : text.ptr[i];
    *out = slice_of(lower, text.len);
    return ERR_OK;
}

static struct vault_place
place_of(const char *column, struct id person, uint32_t generation)
{
    return (struct vault_place){ .tenant = tenant_platform,
                                 .table = "person",
                                 .column = column,
                                 .row = person,
                                 .generation = generation };
}

enum err
person_seal(const struct vault *vault, const struct person *person, struct arena *arena,
            struct person_sealed *out)
{
    struct vault_seal_item items[2] = {
        { .place = place_of("name", person->id, person->generation), .plain = person->name },
        { .place = place_of("email", person->id, person->generation),
          .plain = person->email,
          .index_label = EMAIL_LABEL },
    };
    bool has_email = person->email.len != 0;
    enum err err = vault_seal_many(vault, VAULT_CONTENT, items, has_email ? 2 : 1, arena);

    if (err != ERR_OK)
        return err;
    *out = (struct person_sealed){ .id = person->id,
                                   .generation = person->generation,
                                   .name = items[0].sealed,
                                   .email = items[1].sealed,
                                   .has_email = has_email,
                                   .is_email_verified = person->is_email_verified,
                                   .reads_hindi = person->reads_hindi };
    memcpy(out->email_index, items[1].index, sizeof(out->email_index));
    return ERR_OK;
}

static const struct db_stmt person_insert_stmt = {
    "person_insert",
    "INSERT INTO person (tenant_id, id, created_at, key_version, generation, name_ct, name_iv, name_tag, email_ct,"
    " email_iv, email_tag, email_index, email_verified_at, language)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, CASE WHEN $13 THEN $3 END, $14)"
};
/* That somebody has this address was so before, or it was shown just now. */
static const struct db_stmt person_update_stmt = {
    "person_update",
    "UPDATE person SET key_version = $4, generation = $5, name_ct = $6, name_iv = $7, name_tag = $8, email_ct = $9,"
    " email_iv = $10, email_tag = $11, email_index = $12, email_verified_at = CASE WHEN NOT $13 THEN NULL"
    " WHEN email_index = $12 THEN coalesce(email_verified_at, $3) ELSE $3 END, language = $14"
    " WHERE tenant_id = $1 AND id = $2 AND generation = $5 - 1"
};

static enum err
person_write(struct db_tx *tx, const struct db_stmt *stmt, const struct clock *clock,
             const struct person_sealed *with)
{
    const struct slice none = SLICE_EMPTY;
    bool has = with->has_email;

    return db_exec_one(
        tx, stmt,
        DB_ARGS(DB_ID(with->id), DB_TIME(clock_wall(clock)), DB_I64(with->name.key_version),
                DB_I64(with->generation), SEALED_ARGS(&with->name), DB_BYTES(has ? with->email.cipher : none),
                DB_BYTES(has ? slice_of(with->email.iv, VAULT_IV_BYTES) : none),
                DB_BYTES(has ? slice_of(with->email.tag, VAULT_TAG_BYTES) : none),
                DB_BYTES(has ? slice_of(with->email_index, sizeof(with->email_index)) : none),
                DB_BOOL(has && with->is_email_verified), DB_TEXT_Z(with->reads_hindi ? "hi" : "en")));
}

enum err
person_insert(struct db_tx *tx, const struct clock *clock, const struct person_sealed *with)
{
    return person_write(tx, &person_insert_stmt, clock, with);
}

enum err
person_update(struct db_tx *tx, const struct clock *clock, const struct person_sealed *with)
{
    enum err err = person_write(tx, &person_update_stmt, clock, with);

    return err == ERR_NOT_FOUND ? ERR_DB_CONFLICT : err;
}

/* Rows as they lie there, to be opened when the transaction is over. */
struct sealed_row {
    struct person person;
    struct vault_sealed name, email;
    bool has_email;
};

struct people {
    const struct id *ids;
    size_t id_count;
    struct arena *arena;
    struct sealed_row *rows;
    size_t count;
};

static const struct db_stmt person_read_stmt = {
    "person_read",
    "SELECT id, key_version, generation, created_at, state = 'left', email_verified_at IS NOT NULL, name_ct, name_iv,"
    " name_tag, email_ct, email_iv, email_tag, language = 'hi' FROM person WHERE tenant_id = $1 AND id = ANY($2) LIMIT 2000"
};
_Static_assert(PERSON_READ_MAX == 2000, "the statement's limit");

static enum err
person_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct sealed_row *out)
{
    uint32_t version = (uint32_t)db_i64(rows, row, 1);

    out->person = (struct person){ .id = db_id(rows, row, 0),
                                   .generation = (uint32_t)db_i64(rows, row, 2),
                                   .created_at = db_time(rows, row, 3),
                                   .has_left = db_bool(rows, row, 4),
                                   .is_email_verified = db_bool(rows, row, 5),
                                   .reads_hindi = db_bool(rows, row, 12) };
    out->has_email = !db_is_null(rows, row, 9);
    enum err err = sealed_column_read(rows, row, 6, version, arena, &out->name);
    if (err == ERR_OK && out->has_email)
        err = sealed_column_read(rows, row, 9, version, arena, &out->email);
    return err;
}

static enum err
people_in(struct db_tx *tx, void *ctx)
{
    struct people *people = ctx;
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &person_read_stmt, DB_ARGS(DB_ID_ARRAY(people->ids, people->id_count)), &rows);

    people->count = err == ERR_OK ? db_rows_count(rows) : 0;
    people->rows = arena_array(people->arena, people->count, sizeof(*people->rows));
    if (err == ERR_OK && people->rows == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < people->count; i++)
        err = person_from_row(rows, i, people->arena, &people->rows[i]);
    db_rows_free(rows);
    return err;
}

enum err
person_read(struct db *db, const struct vault *vault, const struct id *ids, size_t count, struct arena *arena,
            struct person **out, size_t *count_out)
{
    struct people people = { .ids = ids, .id_count = count, .arena = arena };

    *out = NULL;
    *count_out = 0;
    if (count == 0)
        return ERR_OK;
    enum err err = db_run(db, tenant_platform, people_in, &people);
    struct person *persons = err == ERR_OK ? arena_array(arena, people.count, sizeof(*persons)) : NULL;
    if (err == ERR_OK && persons == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < people.count; i++) {
        const struct sealed_row *row = &people.rows[i];
        struct vault_place name = place_of("name", row->person.id, row->person.generation);
        struct vault_place email = place_of("email", row->person.id, row->person.generation);
        persons[i] = row->person;
        err = vault_open_content(vault, &name, &row->name, arena, &persons[i].name);
        if (err == ERR_OK && row->has_email)
            err = vault_open_content(vault, &email, &row->email, arena, &persons[i].email);
    }
    if (err == ERR_OK) {
        *out = persons;
        *count_out = people.count;
    }
    return err;
}

enum err
person_get(struct db *db, const struct vault *vault, struct id id, struct arena *arena, struct person *out)
{
    struct person *persons = NULL;
    size_t count = 0;
    enum err err = person_read(db, vault, &id, 1, arena, &persons, &count);

    if (err == ERR_OK && count == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        *out = persons[0];
    return err;
}

static const struct db_stmt person_find_stmt = {
    "person_find", "SELECT id FROM person WHERE tenant_id = $1 AND email_index = $2 AND state = 'active'"
                   " AND email_verified_at IS NOT NULL"
};

struct find {
    unsigned char index[VAULT_INDEX_BYTES];
    struct id id;
};

static enum err
find_in(struct db_tx *tx, void *ctx)
{
    struct find *find = ctx;
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &person_find_stmt, DB_ARGS(DB_BYTES(slice_of(find->index, sizeof(find->index)))), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        find->id = db_id(rows, 0, 0);
    db_rows_free(rows);
    return err;
}

enum err
person_find(struct db *db, const struct vault *vault, struct slice email, struct id *out)
{
    struct find find = { .id = { { 0 } } };
    enum err err = vault_index(vault, tenant_platform, EMAIL_LABEL, email, find.index);

    if (err == ERR_OK)
        err = db_run(db, tenant_platform, find_in, &find);
    if (err == ERR_OK)
        *out = find.id;
    return err;
}
