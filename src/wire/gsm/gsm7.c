#include "wire/gsm/gsm7.h"
#include "core/attribute.h"
#include "wire/gsm/gsm7_table.h"
#include <pthread.h>
#include <stdlib.h>

#define TABLES     (2u * GSM7_LANGUAGES)
#define ASCII_ONES 128u
#define NOWHERE    0xFFu
#define REPLACED   0xFFFDu

struct cell {
    uint16_t code_point;
    unsigned char septet;
};

/* Both ways of each table; made once. */
static struct both_ways {
    struct gsm7_table table;
    unsigned char of_ascii[ASCII_ONES];
    struct cell others[128]; /* above ASCII, sorted */
    size_t other_count;
} tables[TABLES];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static int
cell_order(const void *a, const void *b)
{
    const struct cell *left = a, *right = b;

    return left->code_point < right->code_point ? -1 : left->code_point > right->code_point;
}

static void
turn_around(struct both_ways *way)
{
    memset(way->of_ascii, NOWHERE, sizeof(way->of_ascii));
    for (unsigned septet = 128; septet-- > 0;) { /* of two cells with one character the first is written */
        uint16_t code_point = way->table.code_points[septet];
        if (code_point == 0 || septet == GSM7_ESCAPE)
            continue;
        if (code_point < ASCII_ONES)
            way->of_ascii[code_point] = (unsigned char)septet;
        else
            way->others[way->other_count++] = (struct cell){ code_point, (unsigned char)septet };
    }
    qsort(way->others, way->other_count, sizeof(way->others[0]), cell_order);
}

static void
tables_make(void)
{
    for (unsigned i = 0; i < GSM7_LANGUAGES; i++) {
        gsm7_locking_table((enum gsm7_language)i, &tables[i].table);
        gsm7_single_table((enum gsm7_language)i, &tables[GSM7_LANGUAGES + i].table);
    }
    for (unsigned i = 0; i < TABLES; i++)
        turn_around(&tables[i]);
}

static const struct both_ways *
table_of(enum gsm7_language language, bool is_single)
{
    (void)pthread_once(&tables_once, tables_make);
    return &tables[(is_single ? GSM7_LANGUAGES : 0) + (unsigned)language];
}

bool
gsm7_language_read(unsigned identifier, enum gsm7_language *out)
{
    if (identifier >= GSM7_LANGUAGES)
        return false;
    *out = (enum gsm7_language)identifier;
    return true;
}

bool
gsm7_has_locking_table(enum gsm7_language language)
{
    return language != GSM7_SPANISH;
}

static unsigned
septet_of(const struct both_ways *way, uint32_t code_point)
{
    if (code_point < ASCII_ONES)
        return way->of_ascii[code_point];
    if (code_point > UINT16_MAX)
        return NOWHERE;
    const struct cell wanted = { .code_point = (uint16_t)code_point };
    const struct cell *found =
        bsearch(&wanted, way->others, way->other_count, sizeof(way->others[0]), cell_order);
    return found == NULL ? NOWHERE : found->septet;
}

size_t
gsm7_from_code_point(struct gsm7_alphabet alphabet, uint32_t code_point, unsigned char out[static 2])
{
    unsigned septet = septet_of(table_of(alphabet.locking, false), code_point);

    if (septet != NOWHERE) {
        out[0] = (unsigned char)septet;
        return 1;
    }
    septet = septet_of(table_of(alphabet.single, true), code_point);
    out[0] = GSM7_ESCAPE;
    out[1] = (unsigned char)septet;
    return septet == NOWHERE ? 0 : 2;
}

uint32_t
gsm7_take(struct gsm7_alphabet alphabet, struct slice *septets)
{
    const struct gsm7_table *locking = &table_of(alphabet.locking, false)->table;
    const struct gsm7_table *single = &table_of(alphabet.single, true)->table;
    unsigned char septet = (unsigned char)septets->ptr[0];
    uint32_t code_point = 0;

    *septets = slice_drop(*septets, 1);
    if (septet == GSM7_ESCAPE) {
        if (septets->len == 0)
            return ' ';
        septet = (unsigned char)septets->ptr[0];
        *septets = slice_drop(*septets, 1);
        if (septet == GSM7_ESCAPE)
            return ' ';
        code_point = septet < 128 ? single->code_points[septet] : 0;
    }
    if (code_point == 0)
        code_point = septet < 128 ? locking->code_points[septet] : 0;
    return code_point == 0 ? REPLACED : code_point;
}

void
gsm7_pack(struct slice septets, unsigned fill_bits, struct buf *out)
{
    uint32_t bits = 0;
    unsigned held = fill_bits;

    for (size_t i = 0; i < septets.len; i++) {
        bits |= ((uint32_t)(unsigned char)septets.ptr[i] & 0x7F) << held;
        for (held += 7; held >= 8; held -= 8, bits >>= 8)
            buf_add_byte(out, (char)(bits & 0xFF));
    }
    if (held > 0 && septets.len > 0)
        buf_add_byte(out, (char)bits);
}

enum err
gsm7_unpack(struct slice octets, size_t septet_count, unsigned fill_bits, struct buf *out)
{
    if (septet_count == 0)
        return buf_done(out);
    /* Compared by division: a count from outside may be anything. */
    if (octets.len * 8 < fill_bits || septet_count > (octets.len * 8 - fill_bits) / 7)
        return ERR_ENCODING;
    for (size_t i = 0; i < septet_count; i++) {
        size_t bit = fill_bits + 7 * i, octet = bit / 8;
        unsigned pair = (unsigned char)octets.ptr[octet];
        if (octet + 1 < octets.len)
            pair |= (unsigned)(unsigned char)octets.ptr[octet + 1] << 8;
        buf_add_byte(out, (char)(pair >> (bit % 8) & 0x7F));
    }
    return buf_done(out);
}
