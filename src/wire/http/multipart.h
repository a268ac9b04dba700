/*
 * multipart/form-data (RFC 7578 on RFC 2046, 5.1.1), taken as it comes: the parser holds the fields of one
 * part and at most a delimiter's worth of bytes, however long the body is.
 */
#ifndef WIRE_HTTP_MULTIPART_H
#define WIRE_HTTP_MULTIPART_H
#include "core/err.h"
#include "core/slice.h"

#define MULTIPART_BOUNDARY_MAX   70u /* RFC 2046 */
#define MULTIPART_HEAD_BYTES_MAX 4096u
#define MULTIPART_PARTS_MAX      32u

enum multipart_event {
    MULTIPART_MORE, /* the input is used up */
    MULTIPART_PART, /* a part begins: its names are in the struct */
    MULTIPART_DATA, /* some bytes of it */
    MULTIPART_END,  /* the last delimiter; what follows does not count */
};

struct multipart {
    /* Of the part that is being read, valid until the next begins. NULL ptr: not given. */
    struct slice name, file_name, content_type;
    /* the parser's own */
    char delimiter[4 + MULTIPART_BOUNDARY_MAX]; /* CR LF - - boundary */
    size_t delimiter_len, matched, owed;
    int state;
    unsigned part_count;
    char head[MULTIPART_HEAD_BYTES_MAX];
    size_t head_len;
};

/* From the Content-Type of the request. ERR_HTTP_MEDIA_TYPE: another type; ERR_HTTP_HEADER: no boundary of
 * ours. */
MUST_CHECK enum err multipart_init(struct multipart *parser, struct slice content_type);
/*
 * Takes from *input up to the next event. *data_out is set with MULTIPART_DATA: it points into *input, or
 * into the parser (bytes that looked like a delimiter and were none), and is good until the next call.
 * ERR_HTTP_SYNTAX, ERR_LIMIT: the fields of a part or the parts are too many; nothing more can be taken.
 */
MUST_CHECK enum err multipart_next(struct multipart *parser, struct slice *input,
                                   enum multipart_event *event_out, struct slice *data_out);

/*
 * A parameter of a field value, such as filename of Content-Disposition: quoted (with \" and \\ undone in
 * place, in `room`) or bare. NULL ptr: it is not there, or is not well formed. RFC 2231's filename* is not
 * read.
 */
struct slice multipart_parameter(struct slice value, const char *name, char *room, size_t room_bytes);

#endif
