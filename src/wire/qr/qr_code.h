/* A QR code (ISO/IEC 18004, made by libqrencode) as the data of an SVG path. */
#ifndef WIRE_QR_QR_CODE_H
#define WIRE_QR_QR_CODE_H
#include "core/buf.h"
#include "core/err.h"
#include "core/slice.h"

#define QR_QUIET_MODULES  4u /* free on every side, or cameras do not find it */
#define QR_TEXT_BYTES_MAX 1024u

/*
 * Appends the dark modules as rectangles of whole rows, "M4 4h7v1h-7z...", for
 * <svg viewBox="0 0 side side"><path d="..." shape-rendering="crispEdges"/></svg>; *side_out counts the free
 * modules around it. ERR_LIMIT: a longer text. ERR_NO_MEMORY. What the path says may be a secret: the buffer
 * is the caller's to wipe, and the library works in ordinary memory.
 */
MUST_CHECK enum err qr_path(struct slice text, struct buf *path_out, unsigned *side_out);

#endif
