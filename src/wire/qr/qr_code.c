#include "wire/qr/qr_code.h"
#include "core/secret.h"
#include <errno.h>
#include <qrencode.h>

/* The runs of dark modules of one row. */
static void
add_row(const unsigned char *row, unsigned width, unsigned y, struct buf *out)
{
    for (unsigned x = 0; x < width; x++) {
        unsigned start = x;
        while (x < width && (row[x] & 1) != 0)
            x++;
        if (x > start)
            buf_add_format(out, "M%u %uh%uv1h-%uz", start + QR_QUIET_MODULES, y + QR_QUIET_MODULES, x - start,
                           x - start);
    }
}

enum err
qr_path(struct slice text, struct buf *path_out, unsigned *side_out)
{
    if (text.len == 0 || text.len > QR_TEXT_BYTES_MAX)
        return ERR_LIMIT;
    /* As octets, whatever they are; the smallest version that holds them with 15 % to spare for dirt. */
    QRcode *code = QRcode_encodeData((int)text.len, (const unsigned char *)text.ptr, 0, QR_ECLEVEL_M);
    if (code == NULL)
        return errno == ERANGE ? ERR_LIMIT : ERR_NO_MEMORY;
    unsigned width = (unsigned)code->width;
    for (unsigned y = 0; y < width; y++)
        add_row(code->data + (size_t)y * width, width, y, path_out);
    *side_out = width + 2 * QR_QUIET_MODULES;
    secret_wipe(code->data, (size_t)width * width);
    QRcode_free(code);
    return buf_done(path_out);
}
