#include "domain/media/media_type.h"

#define KB ((size_t)1024)
#define MB (KB * 1024)

#define STICKER_STATIC_BYTES_MAX (100 * KB)
#define STICKER_PIXELS           512u
/* Of the box that says what lies in the others (ISO/IEC 14496-12, 4.3): major brand and version, and more
 * brands. */
#define FTYP_BYTES_MIN 16u
#define FTYP_BYTES_MAX 1024u

enum look { JPEG, PNG, AAC, AMR, MPEG, MP4, OGG, GPP, PLAIN, PDF, OLE, ZIP, WEBP };

static const struct media_type types[] = {
    { "image/jpeg", MEDIA_IMAGE, JPEG, 5 * MB },
    { "image/png", MEDIA_IMAGE, PNG, 5 * MB },
    { "audio/aac", MEDIA_AUDIO, AAC, 16 * MB },
    { "audio/amr", MEDIA_AUDIO, AMR, 16 * MB },
    { "audio/mpeg", MEDIA_AUDIO, MPEG, 16 * MB },
    { "audio/mp4", MEDIA_AUDIO, MP4, 16 * MB },
    { "audio/ogg", MEDIA_AUDIO, OGG, 16 * MB },
    { "video/mp4", MEDIA_VIDEO, MP4, 16 * MB },
    { "video/3gpp", MEDIA_VIDEO, GPP, 16 * MB },
    { "text/plain", MEDIA_DOCUMENT, PLAIN, MEDIA_BYTES_MAX },
    { "application/pdf", MEDIA_DOCUMENT, PDF, MEDIA_BYTES_MAX },
    { "application/msword", MEDIA_DOCUMENT, OLE, MEDIA_BYTES_MAX },
    { "application/vnd.ms-excel", MEDIA_DOCUMENT, OLE, MEDIA_BYTES_MAX },
    { "application/vnd.ms-powerpoint", MEDIA_DOCUMENT, OLE, MEDIA_BYTES_MAX },
    { "application/vnd.openxmlformats-officedocument.wordprocessingml.document", MEDIA_DOCUMENT, ZIP,
      MEDIA_BYTES_MAX },
    { "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", MEDIA_DOCUMENT, ZIP,
      MEDIA_BYTES_MAX },
    { "application/vnd.openxmlformats-officedocument.presentationml.presentation", MEDIA_DOCUMENT, ZIP,
      MEDIA_BYTES_MAX },
    { "image/webp", MEDIA_STICKER, WEBP, 500 * KB },
};

static const char *const kind_words[MEDIA_KINDS] = {
    [MEDIA_IMAGE] = "image",       [MEDIA_AUDIO] = "audio",     [MEDIA_VIDEO] = "video",
    [MEDIA_DOCUMENT] = "document", [MEDIA_STICKER] = "sticker",
};

const char *
media_kind_word(enum media_kind kind)
{
    return kind_words[kind];
}

enum err
media_kind_parse(struct slice word, enum media_kind *out)
{
    for (unsigned i = 0; i < MEDIA_KINDS; i++)
        if (slice_eq(word, slice_text(kind_words[i]))) {
            *out = (enum media_kind)i;
            return ERR_OK;
        }
    return ERR_NOT_FOUND;
}

const struct media_type *
media_type_find(struct slice content_type)
{
    struct slice mime = slice_trim(slice_take_until(&content_type, ';'));

    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (slice_eq_nocase(mime, slice_text(types[i].mime)))
            return &types[i];
    return NULL;
}

const struct media_type *
media_type_at(size_t index)
{
    return index < COUNT_OF(types) ? &types[index] : NULL;
}

static unsigned
byte_at(struct slice head, size_t at)
{
    return at < head.len ? (unsigned char)head.ptr[at] : 0;
}

static bool
has_at(struct slice head, size_t at, struct slice bytes)
{
    return at <= head.len && slice_starts_with(slice_drop(head, at), bytes);
}

/* Signature, then the IHDR chunk: width and height, then bit depth and colour type. */
static enum err
png_check(struct slice head)
{
    if (!has_at(head, 0, SLICE("\x89PNG\r\n\x1a\n")) || !has_at(head, 12, SLICE("IHDR")) || head.len < 26)
        return ERR_MEDIA_MISMATCH;
    unsigned colours = byte_at(head, 25);
    return byte_at(head, 24) == 8 && (colours == 2 || colours == 6) ? ERR_OK : ERR_MEDIA_FORMAT;
}

/* The first page's first packet is OpusHead: eight letters, version, channels. */
static enum err
ogg_check(struct slice head)
{
    size_t packet = 27 + (size_t)byte_at(head, 26);

    if (!has_at(head, 0, SLICE("OggS")))
        return ERR_MEDIA_MISMATCH;
    return has_at(head, packet, SLICE("OpusHead")) && byte_at(head, packet + 9) == 1 ? ERR_OK
                                                                                     : ERR_MEDIA_FORMAT;
}

/* What else lies in the same boxes: QuickTime and still pictures. */
static enum err
mp4_check(struct slice head, bool is_3gpp)
{
    static const struct slice others[] = {
        { "qt  ", 4 }, { "heic", 4 }, { "heix", 4 }, { "mif1", 4 }, { "avif", 4 }
    };

    unsigned bytes =
        byte_at(head, 0) << 24 | byte_at(head, 1) << 16 | byte_at(head, 2) << 8 | byte_at(head, 3);

    if (!has_at(head, 4, SLICE("ftyp")) || head.len < 12 || bytes < FTYP_BYTES_MIN || bytes > FTYP_BYTES_MAX)
        return ERR_MEDIA_MISMATCH;
    if (is_3gpp)
        return has_at(head, 8, SLICE("3g")) ? ERR_OK : ERR_MEDIA_MISMATCH;
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (has_at(head, 8, others[i]))
            return ERR_MEDIA_MISMATCH;
    return ERR_OK;
}

/* Three layouts of one canvas (RFC 9649): extended with flags, lossy, lossless. Little-endian. */
static enum err
webp_check(struct slice head, bool *is_animated_out)
{
    unsigned width, height;

    *is_animated_out = false;
    if (!has_at(head, 0, SLICE("RIFF")) || !has_at(head, 8, SLICE("WEBP")) || head.len < 30)
        return ERR_MEDIA_MISMATCH;
    if (has_at(head, 12, SLICE("VP8X"))) {
        *is_animated_out = (byte_at(head, 20) & 0x02) != 0;
        width = 1 + (byte_at(head, 24) | byte_at(head, 25) << 8 | byte_at(head, 26) << 16);
        height = 1 + (byte_at(head, 27) | byte_at(head, 28) << 8 | byte_at(head, 29) << 16);
    } else if (has_at(head, 12, SLICE("VP8 ")) && has_at(head, 23, SLICE("\x9d\x01\x2a"))) {
        width = (byte_at(head, 26) | byte_at(head, 27) << 8) & 0x3fff;
        height = (byte_at(head, 28) | byte_at(head, 29) << 8) & 0x3fff;
    } else if (has_at(head, 12, SLICE("VP8L")) && byte_at(head, 20) == 0x2f) {
        unsigned bits =
            byte_at(head, 21) | byte_at(head, 22) << 8 | byte_at(head, 23) << 16 | byte_at(head, 24) << 24;
        width = 1 + (bits & 0x3fff);
        height = 1 + (bits >> 14 & 0x3fff);
    } else {
        return ERR_MEDIA_MISMATCH;
    }
    return width == STICKER_PIXELS && height == STICKER_PIXELS ? ERR_OK : ERR_MEDIA_FORMAT;
}

/* Text has no signature: it is what holds no control characters but those of text. */
static bool
is_plain(struct slice head)
{
    for (size_t i = 0; i < head.len; i++) {
        unsigned char c = (unsigned char)head.ptr[i];
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f') || c == 0x7f)
            return false;
    }
    return true;
}

static bool
is_mpeg_audio(struct slice head)
{
    /* 11 bits of sync, a version that exists (not 01), layer III (01) */
    return has_at(head, 0, SLICE("ID3")) || (byte_at(head, 0) == 0xff && (byte_at(head, 1) & 0xe6) == 0xe2 &&
                                             (byte_at(head, 1) & 0x18) != 0x08);
}

static bool
is_aac(struct slice head)
{
    /* ADTS: 12 bits of sync, layer 0 */
    return has_at(head, 0, SLICE("ADIF")) || (byte_at(head, 0) == 0xff && (byte_at(head, 1) & 0xf6) == 0xf0);
}

static enum err
claim(bool holds)
{
    return holds ? ERR_OK : ERR_MEDIA_MISMATCH;
}

enum err
media_type_check(const struct media_type *type, struct slice head, size_t *bytes_max_out)
{
    bool is_animated = false;
    enum err err = ERR_MEDIA_MISMATCH;

    head = slice_first(head, MEDIA_HEAD_BYTES);
    *bytes_max_out = type->bytes_max;
    if (head.len == 0)
        return ERR_MEDIA_EMPTY;
    switch ((enum look)type->look) {
    case JPEG:
        return claim(has_at(head, 0, SLICE("\xff\xd8\xff")));
    case PNG:
        return png_check(head);
    case AAC:
        return claim(is_aac(head));
    case AMR:
        return claim(has_at(head, 0, SLICE("#!AMR\n")));
    case MPEG:
        return claim(is_mpeg_audio(head));
    case MP4:
        return mp4_check(head, false);
    case GPP:
        return mp4_check(head, true);
    case OGG:
        return ogg_check(head);
    case PLAIN:
        return claim(is_plain(head));
    case PDF:
        return claim(has_at(head, 0, SLICE("%PDF-")));
    case OLE:
        return claim(has_at(head, 0, SLICE("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")));
    case ZIP:
        return claim(has_at(head, 0, SLICE("PK\x03\x04")));
    case WEBP:
        err = webp_check(head, &is_animated);
        if (!is_animated)
            *bytes_max_out = STICKER_STATIC_BYTES_MAX;
        break;
    }
    return err;
}
