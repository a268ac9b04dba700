/*
 * A growing byte buffer with a limit named at the start. Appends never fail on
 * the spot: the first one that would pass the limit (or finds no memory) marks
 * the buffer as failed, later ones do nothing, and buf_done() reports it once.
 */
#ifndef CORE_BUF_H
#define CORE_BUF_H
#include "core/err.h"
#include "core/slice.h"

struct buf {
    char *ptr; /* owned */
    size_t len, cap, bytes_max;
    enum err err; /* ERR_OK until an append failed */
};

void buf_init(struct buf *buf, size_t bytes_max);
/* Frees the bytes; the buffer is as after buf_init with the same limit. */
void buf_release(struct buf *buf);
/* As buf_release, wiping the bytes first: for buffers that held message text or secrets. */
void buf_release_wiped(struct buf *buf);
/* Empties the buffer, forgets a failure, and keeps the memory. */
void buf_clear(struct buf *buf);

void buf_add(struct buf *buf, struct slice bytes);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_byte(struct buf *buf, char byte);
/* A code point as UTF-8; one that is none (a surrogate, above U+10FFFF) as U+FFFD. */
void buf_add_utf8(struct buf *buf, uint32_t code_point);
void buf_add_u64(struct buf *buf, uint64_t number);
void buf_add_i64(struct buf *buf, int64_t number);
void buf_add_u16be(struct buf *buf, uint16_t number);
void buf_add_u32be(struct buf *buf, uint32_t number);
void buf_add_u64be(struct buf *buf, uint64_t number);
/* For text whose parts come from us; outside bytes go through buf_add with their own escaping. */
void buf_add_format(struct buf *buf, const char *format, ...) FORMAT_LIKE(2, 3);
/* Makes room for n more bytes and returns where they go; NULL once the buffer failed. Does not change len. */
char *buf_reserve(struct buf *buf, size_t n);

/* ERR_OK, ERR_LIMIT or ERR_NO_MEMORY. */
MUST_CHECK enum err buf_done(const struct buf *buf);
/* Borrowed until the next change of the buffer. */
struct slice buf_slice(const struct buf *buf);

#endif
