#include "domain/channel/whatsapp/whatsapp_media.h"
#include "wire/json/json.h"

#define DEPTH_MAX 12u /* of a card's header inside of a template inside of a content */

static const char *const kinds[] = { "image", "video", "audio", "document", "sticker" };

struct walk {
    struct whatsapp_media_ref *refs;
    size_t count;
    enum err err;
};

static const char *
kind_of(const char *member)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (slice_eq(slice_text(member), slice_text(kinds[i])))
            return kinds[i];
    return NULL;
}

static void
ref_add(struct walk *walk, json_t *object, const char *kind)
{
    struct slice id = json_text_of(object, "id");

    if (!slice_starts_with(id, id_prefix(ID_MEDIA)))
        return;
    if (walk->count == WHATSAPP_MEDIA_REFS_MAX) {
        walk->err = ERR_LIMIT;
        return;
    }
    struct whatsapp_media_ref *ref = &walk->refs[walk->count++];
    *ref = (struct whatsapp_media_ref){ .object = object, .kind = kind };
    if (id_parse(ID_MEDIA, id, &ref->media) != ERR_OK)
        ref->media = (struct id){ { 0 } };
}

static void
value_walk(struct walk *walk, json_t *value, unsigned depth)
{
    const char *member;
    json_t *inner;
    size_t i;

    if (depth > DEPTH_MAX)
        return;
    json_array_foreach(value, i, inner) value_walk(walk, inner, depth + 1);
    json_object_foreach(value, member, inner)
    {
        const char *kind = kind_of(member);
        if (kind != NULL && json_is_object(inner))
            ref_add(walk, inner, kind);
        else
            value_walk(walk, inner, depth + 1);
    }
}

enum err
whatsapp_media_refs(json_t *content, struct whatsapp_media_ref *out, size_t *count_out)
{
    struct walk walk = { .refs = out };

    value_walk(&walk, content, 0);
    *count_out = walk.count;
    return walk.err;
}

bool
whatsapp_media_url_is_theirs(struct slice url, struct slice graph_url)
{
    const struct slice https = SLICE("https://");
    struct slice rest = slice_drop(url, https.len);
    struct slice host = slice_first(rest, slice_find(rest, '/'));

    /* The same scheme, host and port: where the operator has pointed us, a simulator too. */
    if (slice_starts_with(url, graph_url) && url.len > graph_url.len && url.ptr[graph_url.len] == '/')
        return true;
    if (!slice_starts_with(url, https) || slice_find(host, '@') != host.len ||
        slice_find(host, ':') != host.len)
        return false;
    return slice_eq_nocase(host, SLICE("lookaside.fbsbx.com")) ||
           (host.len > 10 && slice_eq_nocase(slice_drop(host, host.len - 10), SLICE(".fbcdn.net")));
}
