#include "program/gateway/people.h"
#include "wire/json/json.h"

enum err
people_authority(struct db_tx *tx, const struct http_request *request, struct authority *out)
{
    const struct principal *principal = request->principal;

    return membership_authority(tx, principal->scopes,
                                principal->kind == PRINCIPAL_PERSON ? &principal->actor : NULL,
                                principal->actor, out);
}

enum err
people_role_read(struct http_request *request, struct slice text, const char *pointer, struct role_ref *out)
{
    *out = (struct role_ref){ .is_custom = false };
    if (role_word_parse(text, &out->word) == ERR_OK)
        return ERR_OK;
    out->is_custom = true;
    if (id_parse(ID_ROLE, text, &out->id) == ERR_OK)
        return ERR_OK;
    problem_add(&request->problem, request->arena, slice_text(pointer),
                SLICE("is not a role of this workspace"));
    return ERR_ROLE_UNKNOWN;
}

enum err
people_ids_read(struct http_request *request, const char *member, enum id_kind kind, enum err unknown,
                struct id **out, size_t *count_out)
{
    const json_t *list = json_member(request_json(request), member);
    size_t size = json_array_size(list), count = 0;
    struct id *ids = arena_array(request->arena, size, sizeof(*ids));

    if (ids == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < size; i++) {
        const json_t *item = json_array_get(list, i);
        struct id id;
        if (id_parse(kind, slice_of(json_string_value(item), json_string_length(item)), &id) != ERR_OK)
            return unknown;
        bool is_there = false;
        for (size_t k = 0; k < count; k++)
            is_there = is_there || id_eq(ids[k], id);
        if (!is_there)
            ids[count++] = id;
    }
    *out = ids;
    *count_out = count;
    return ERR_OK;
}

enum err
people_reach_read(struct http_request *request, struct slice scope, bool has_channels,
                  enum membership_reach *out)
{
    enum err err = membership_reach_parse(scope, out);

    if (err != ERR_OK)
        return err;
    if (has_channels == (*out == MEMBERSHIP_CHANNELS))
        return ERR_OK;
    problem_add(&request->problem, request->arena, SLICE("/channels"),
                has_channels ? SLICE("is not possible with this scope") : SLICE("is needed with this scope"));
    return ERR_CONTRACT;
}

enum err
people_problem(struct http_request *request, enum err err)
{
    if (err == ERR_ROLE_UNKNOWN)
        problem_add(&request->problem, request->arena, SLICE("/role"),
                    SLICE("is not a role of this workspace"));
    else if (err == ERR_CHANNEL_UNKNOWN)
        problem_add(&request->problem, request->arena, SLICE("/channels"),
                    SLICE("names a channel that is not of this workspace"));
    else if (err == ERR_TEAM_UNKNOWN)
        problem_add(&request->problem, request->arena, SLICE("/teams"),
                    SLICE("names a team that is not of this workspace"));
    return err;
}

enum err
people_read(struct http_request *request, const struct id *ids, size_t count, struct person **out,
            size_t *count_out)
{
    const struct gateway_worker *worker = gateway_worker_of(request);

    *out = NULL;
    *count_out = 0;
    return count == 0 ? ERR_OK
                      : person_read(worker->db, &worker->vault, ids, count, request->arena, out, count_out);
}

const struct person *
people_find(const struct person *people, size_t count, struct id person)
{
    for (size_t i = 0; i < count; i++)
        if (id_eq(people[i].id, person))
            return &people[i];
    return NULL;
}

json_t *
people_show_role(const struct role_ref *role)
{
    return role->is_custom ? show_id(ID_ROLE, role->id) : json_string(role_word_text(role->word));
}

json_t *
people_show_ids(enum id_kind kind, const struct id *ids, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        show_append(&list, show_id(kind, ids[i]));
    return list;
}

json_t *
people_show_permissions(uint64_t permissions)
{
    struct slice words[API_SCOPE_COUNT];
    size_t count = api_scopes_words(permissions, words);
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        show_append(&list, show_text(words[i]));
    return list;
}

json_t *
people_show_time(struct wall_time t)
{
    return t.us == 0 ? json_null() : show_time(t);
}

json_t *
people_show_actor(struct slice kind, struct id id)
{
    if (kind.len == 0)
        return json_null();
    bool is_person = slice_eq(kind, SLICE("person"));
    return json_pack("{s:o, s:o}", "kind", show_text(kind), "id",
                     id_is_zero(id) ? json_null() : show_id(is_person ? ID_PERSON : ID_KEY, id));
}
