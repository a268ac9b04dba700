#include "wire/http/multipart.h"
#include "wire/http/field.h"

enum state {
    PREAMBLE,  /* before the first delimiter: dropped */
    DELIMITED, /* behind a delimiter: CR LF or -- */
    HEAD,
    BODY,
    ENDED,
};

static bool
is_boundary(struct slice text)
{
    static const char extra[] = "'()+_,-./:=? ";

    if (text.len == 0 || text.len > MULTIPART_BOUNDARY_MAX || text.ptr[text.len - 1] == ' ')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) &&
            memchr(extra, c, sizeof(extra) - 1) == NULL)
            return false;
    }
    return true;
}

/* Takes a quoted string off the front, without its escapes; NULL ptr when it does not end or there is no
 * room. */
static struct slice
quoted_take(struct slice *rest, char *room, size_t room_bytes)
{
    size_t len = 0;

    for (size_t i = 1; i < rest->len; i++) {
        char c = rest->ptr[i];
        if (c == '"') {
            *rest = slice_drop(*rest, i + 1);
            return slice_of(room, len);
        }
        if (c == '\\' && i + 1 < rest->len && (rest->ptr[i + 1] == '"' || rest->ptr[i + 1] == '\\'))
            c = rest->ptr[++i];
        if (len == room_bytes)
            break;
        room[len++] = c;
    }
    return SLICE_EMPTY;
}

struct slice
multipart_parameter(struct slice value, const char *name, char *room, size_t room_bytes)
{
    (void)slice_take_until(&value, ';');
    while (value.len != 0) {
        size_t equals = slice_find(value, '=');
        struct slice key = slice_trim(slice_first(value, equals));
        struct slice found;
        if (equals == value.len)
            break;
        value = slice_drop(value, equals + 1);
        if (value.len != 0 && value.ptr[0] == '"') {
            found = quoted_take(&value, room, room_bytes);
            if (found.ptr == NULL)
                break;
            (void)slice_take_until(&value, ';');
        } else {
            found = slice_trim(slice_take_until(&value, ';'));
        }
        if (slice_eq_nocase(key, slice_text(name)))
            return found;
    }
    return SLICE_EMPTY;
}

enum err
multipart_init(struct multipart *parser, struct slice content_type)
{
    struct slice rest = content_type;
    char room[MULTIPART_BOUNDARY_MAX];

    memset(parser, 0, sizeof(*parser));
    if (!slice_eq_nocase(slice_trim(slice_take_until(&rest, ';')), SLICE("multipart/form-data")))
        return ERR_HTTP_MEDIA_TYPE;
    struct slice boundary = multipart_parameter(content_type, "boundary", room, sizeof(room));
    if (!is_boundary(boundary))
        return ERR_HTTP_HEADER;
    memcpy(parser->delimiter, "\r\n--", 4);
    memcpy(parser->delimiter + 4, boundary.ptr, boundary.len);
    parser->delimiter_len = 4 + boundary.len;
    parser->matched = 2; /* the first delimiter may stand at the very beginning */
    parser->state = PREAMBLE;
    return ERR_OK;
}

/* The fields of a part, up to the empty line. Names are read in place: quoted_take only shortens. */
static enum err
head_read(struct multipart *parser)
{
    struct slice rest = slice_of(parser->head, parser->head_len);

    parser->name = parser->file_name = parser->content_type = SLICE_EMPTY;
    while (rest.len != 0) {
        struct slice line = slice_take_until(&rest, '\n');
        if (line.len == 0 || line.ptr[line.len - 1] != '\r')
            return ERR_HTTP_SYNTAX;
        line.len--;
        if (line.len == 0)
            break;
        struct slice value = line, name = slice_take_until(&value, ':');
        value = slice_trim(value);
        if (!field_is_name(name) || !field_is_value(value))
            return ERR_HTTP_SYNTAX;
        if (slice_eq_nocase(name, SLICE("Content-Type")))
            parser->content_type = value;
        if (!slice_eq_nocase(name, SLICE("Content-Disposition")))
            continue;
        char *room = parser->head + (line.ptr - parser->head);
        static const char *const names[] = { "name", "filename" };
        struct slice found[COUNT_OF(names)];
        char other[MULTIPART_HEAD_BYTES_MAX];
        /* Both are read before either is written over the line they stand in. */
        found[0] = multipart_parameter(value, names[0], other, sizeof(other));
        size_t used = found[0].ptr == other ? found[0].len : 0;
        found[1] = multipart_parameter(value, names[1], other + used, sizeof(other) - used);
        size_t len[2] = { found[0].len, found[1].len };
        bool has[2] = { found[0].ptr != NULL, found[1].ptr != NULL };
        char copy[MULTIPART_HEAD_BYTES_MAX];
        if (len[0] + len[1] > line.len)
            return ERR_HTTP_SYNTAX;
        if (len[0] != 0)
            memcpy(copy, found[0].ptr, len[0]);
        if (len[1] != 0)
            memcpy(copy + len[0], found[1].ptr, len[1]);
        memcpy(room, copy, len[0] + len[1]);
        if (has[0])
            parser->name = slice_of(room, len[0]);
        if (has[1])
            parser->file_name = slice_of(room + len[0], len[1]);
    }
    return parser->name.ptr == NULL ? ERR_HTTP_SYNTAX : ERR_OK;
}

/* Behind a delimiter and inside of a head: byte by byte. True when a part begins. */
static enum err
line_take(struct multipart *parser, char byte, bool *begins_out)
{
    if (parser->head_len == sizeof(parser->head))
        return ERR_LIMIT;
    parser->head[parser->head_len++] = byte;
    struct slice so_far = slice_of(parser->head, parser->head_len);
    if (parser->state == DELIMITED) {
        if (slice_eq(so_far, SLICE("--"))) {
            parser->state = ENDED;
        } else if (slice_ends_with(so_far, SLICE("\r\n"))) {
            if (slice_trim(slice_first(so_far, so_far.len - 2)).len != 0) /* padding is allowed */
                return ERR_HTTP_SYNTAX;
            if (++parser->part_count > MULTIPART_PARTS_MAX)
                return ERR_LIMIT;
            parser->state = HEAD;
            parser->head_len = 0;
        }
        return ERR_OK;
    }
    if (!slice_ends_with(so_far, SLICE("\r\n\r\n")) && !slice_eq(so_far, SLICE("\r\n")))
        return ERR_OK;
    *begins_out = true;
    parser->state = BODY;
    parser->matched = 2; /* an empty part: its delimiter shares the line end of the head */
    return head_read(parser);
}

/* How far the input goes on without a delimiter beginning in it. */
static size_t
plain_len(struct slice input)
{
    return slice_find(input, '\r');
}

/* Inside of a part or before the first. What was held back and is no delimiter after all is data first. */
static bool
body_take(struct multipart *parser, struct slice *input, struct slice *data_out)
{
    *data_out = SLICE_EMPTY;
    while (input->len != 0) {
        if (parser->matched == 0) {
            size_t len = plain_len(*input);
            if (len != 0) {
                *data_out = slice_first(*input, len);
                *input = slice_drop(*input, len);
                return true;
            }
        }
        if (input->ptr[0] == parser->delimiter[parser->matched]) {
            *input = slice_drop(*input, 1);
            if (++parser->matched == parser->delimiter_len) {
                parser->state = DELIMITED;
                parser->head_len = parser->matched = parser->owed = 0;
                return false;
            }
            continue;
        }
        /* A delimiter begins with the only CR in it: nothing of what was matched can begin another. */
        size_t from = parser->owed;
        *data_out = slice_of(parser->delimiter + from, parser->matched - from);
        parser->matched = parser->owed = 0;
        if (data_out->len != 0)
            return true;
    }
    return false;
}

enum err
multipart_next(struct multipart *parser, struct slice *input, enum multipart_event *event_out,
               struct slice *data_out)
{
    *event_out = MULTIPART_MORE;
    *data_out = SLICE_EMPTY;
    while (input->len != 0 && parser->state != ENDED) {
        if (parser->state == PREAMBLE || parser->state == BODY) {
            bool is_body = parser->state == BODY;
            if (body_take(parser, input, data_out) && is_body) {
                *event_out = MULTIPART_DATA;
                return ERR_OK;
            }
            *data_out = SLICE_EMPTY; /* of the preamble */
            continue;
        }
        bool begins = false;
        enum err err = line_take(parser, input->ptr[0], &begins);
        *input = slice_drop(*input, 1);
        if (err != ERR_OK)
            return err;
        if (begins) {
            parser->owed = 2; /* matched in advance; not the part's if no delimiter follows */
            *event_out = MULTIPART_PART;
            return ERR_OK;
        }
    }
    if (parser->state == ENDED) {
        *input = slice_drop(*input, input->len);
        *event_out = MULTIPART_END;
    }
    return ERR_OK;
}
