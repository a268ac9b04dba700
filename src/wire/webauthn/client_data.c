#include "wire/webauthn/client_data.h"
#include "wire/json/json.h"

enum err
client_data_read(struct slice json, struct client_data *out)
{
    *out = (struct client_data){ .tree = NULL };
    if (json.len > CLIENT_DATA_BYTES_MAX)
        return ERR_ENCODING;
    enum err err = json_parse(json, &out->tree);
    if (err != ERR_OK)
        return err == ERR_NO_MEMORY ? err : ERR_ENCODING;
    out->type = json_text_of(out->tree, "type");
    out->challenge = json_text_of(out->tree, "challenge");
    out->origin = json_text_of(out->tree, "origin");
    const json_t *cross = json_member(out->tree, "crossOrigin");
    out->is_cross_origin = json_is_true(cross) || json_member(out->tree, "topOrigin") != NULL;
    if (out->type.ptr == NULL || out->challenge.ptr == NULL || out->origin.ptr == NULL ||
        (cross != NULL && !json_is_boolean(cross))) {
        client_data_release(out);
        return ERR_ENCODING;
    }
    return ERR_OK;
}

void
client_data_release(struct client_data *data)
{
    json_decref(data->tree);
    *data = (struct client_data){ .tree = NULL };
}
