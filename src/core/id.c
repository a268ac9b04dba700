#include "core/id.h"
#include "core/num.h"
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sys/random.h>

#define MS_MAX      ((INT64_C(1) << 48) - 1)
#define COUNTER_MAX 0xFFFu

/*
 * Random octets that this thread has drawn and not used yet: one system call for many ids. What was used is
 * cleared. A forked child draws anew: it must not make the ids that its parent makes.
 */
#define POOL_IDS 16u
struct pool {
    uint64_t drawn[POOL_IDS][2];
    unsigned left;
    unsigned forks; /* when it was filled */
};
static _Thread_local struct pool pool;
static _Atomic unsigned forks; /* of which this process is the child */
static pthread_once_t forks_once = PTHREAD_ONCE_INIT;

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* Crockford: no i, l, o, u */
/* What each is worth, and one more: 0 is no digit. */
static const unsigned char digit_values[UCHAR_MAX + 1] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['g'] = 17, ['h'] = 18, ['j'] = 19, ['k'] = 20, ['m'] = 21, ['n'] = 22, ['p'] = 23, ['q'] = 24,
    ['r'] = 25, ['s'] = 26, ['t'] = 27, ['v'] = 28, ['w'] = 29, ['x'] = 30, ['y'] = 31, ['z'] = 32,
};

static pthread_mutex_t last_mutex = PTHREAD_MUTEX_INITIALIZER;
static int64_t last_ms;       /* under last_mutex */
static unsigned last_counter; /* under last_mutex: the 12 bits behind the version */

static struct id
id_make(int64_t ms, unsigned counter, uint64_t low)
{
    struct id id;

    num_u64be_put(id.bytes, (uint64_t)ms << 16 | 0x7000u | counter);
    num_u64be_put(id.bytes + 8, (low & (UINT64_MAX >> 2)) | UINT64_C(1) << 63);
    return id;
}

static void
fork_count(void)
{
    forks++;
}

static void
forks_watch(void)
{
    if (pthread_atfork(NULL, NULL, fork_count) != 0)
        bug("the children of a process cannot be told");
}

static void
random_draw(uint64_t out[static 2])
{
    if (pool.left == 0 || pool.forks != forks) {
        ssize_t got;
        (void)pthread_once(&forks_once, forks_watch);
        do /* up to 256 octets come whole; a signal may only break the wait for the generator's first seed */
            got = getrandom(pool.drawn, sizeof(pool.drawn), 0);
        while (got < 0 && errno == EINTR);
        if (got != (ssize_t)sizeof(pool.drawn))
            bug("the system gives no random octets");
        pool.left = POOL_IDS;
        pool.forks = forks;
    }
    pool.left--;
    memcpy(out, pool.drawn[pool.left], sizeof(pool.drawn[0]));
    explicit_bzero(pool.drawn[pool.left], sizeof(pool.drawn[0]));
}

/*
 * RFC 9562, 6.2, method 1: the 12 bits behind the version count within a millisecond from a random start in
 * the lower half; the 62 bits below are fresh for each id, so ids stay unguessable, and unique in a forked
 * child too. When the count is used up, or the clock stepped back, the time of the last id is carried on.
 */
struct id
id_new(const struct clock *clock)
{
    uint64_t drawn[2];
    int64_t ms = clock_wall(clock).us / 1000;

    random_draw(drawn);
    ms = ms < 0 ? 0 : ms > MS_MAX ? MS_MAX : ms;
    pthread_mutex_lock(&last_mutex);
    if (ms > last_ms) {
        last_ms = ms;
        last_counter = (unsigned)(drawn[0] & (COUNTER_MAX >> 1));
    } else if (last_counter < COUNTER_MAX) {
        last_counter++;
    } else {
        last_ms++;
        last_counter = (unsigned)(drawn[0] & (COUNTER_MAX >> 1));
    }
    struct id id = id_make(last_ms, last_counter, drawn[1]);
    pthread_mutex_unlock(&last_mutex);
    return id;
}

struct id
id_at(struct wall_time t)
{
    int64_t ms = t.us < 0 ? 0 : t.us / 1000;

    return id_make(ms > MS_MAX ? MS_MAX : ms, 0, 0);
}

struct wall_time
id_time(struct id id)
{
    return (struct wall_time){ (int64_t)(num_u64be_get(id.bytes) >> 16) * 1000 };
}

struct slice
id_prefix(enum id_kind kind)
{
    switch (kind) {
    case ID_TENANT:
        return SLICE("ten_");
    case ID_KEY:
        return SLICE("key_");
    case ID_CHANNEL:
        return SLICE("chn_");
    case ID_MESSAGE:
        return SLICE("msg_");
    case ID_EVENT:
        return SLICE("evt_");
    case ID_ENDPOINT:
        return SLICE("whe_");
    case ID_DELIVERY:
        return SLICE("whd_");
    case ID_PROVIDER_EVENT:
        return SLICE("pev_");
    case ID_REQUEST:
        return SLICE("req_");
    case ID_INSTANCE:
        return SLICE("ins_");
    case ID_OPERATION:
        return SLICE("opr_");
    case ID_REPLAY:
        return SLICE("whr_");
    case ID_MEDIA:
        return SLICE("med_");
    case ID_TEMPLATE:
        return SLICE("tpl_");
    case ID_PERSON:
        return SLICE("usr_");
    case ID_SESSION:
        return SLICE("ses_");
    case ID_CEREMONY:
        return SLICE("cer_");
    case ID_ENROLMENT:
        return SLICE("enr_");
    case ID_PASSKEY:
        return SLICE("pky_");
    case ID_ISSUER:
        return SLICE("idp_");
    case ID_IDENTITY:
        return SLICE("idn_");
    case ID_ROLE:
        return SLICE("rol_");
    case ID_MEMBERSHIP:
        return SLICE("mbr_");
    case ID_TEAM:
        return SLICE("tem_");
    case ID_INVITATION:
        return SLICE("inv_");
    case ID_REVIEW:
        return SLICE("rev_");
    case ID_AUDIT:
        return SLICE("aud_");
    case ID_MAIL:
        return SLICE("mai_");
    case ID_CONSENT:
        return SLICE("csn_");
    case ID_NOTICE:
        return SLICE("cno_");
    case ID_SUPPRESSION:
        return SLICE("sup_");
    case ID_DLT_ENTITY:
        return SLICE("dle_");
    case ID_DLT_CHAIN:
        return SLICE("dlc_");
    case ID_DLT_HEADER:
        return SLICE("dlh_");
    case ID_DLT_TEMPLATE:
        return SLICE("dlt_");
    case ID_DLT_LINK:
        return SLICE("dll_");
    case ID_DLT_IMPORT:
        return SLICE("dli_");
    case ID_SMS_CONNECTOR:
        return SLICE("smc_");
    case ID_SMS_ROUTE:
        return SLICE("smr_");
    }
    bug("an id kind that does not exist");
}

/* 128 bits in 26 digits of 5: written from the end, so that the first digit carries the 3 that are left. */
struct slice
id_print(enum id_kind kind, struct id id, char out[static ID_TEXT_BYTES])
{
    struct slice prefix = id_prefix(kind);
    uint64_t high = num_u64be_get(id.bytes), low = num_u64be_get(id.bytes + 8);

    memcpy(out, prefix.ptr, prefix.len);
    for (size_t at = ID_TEXT_BYTES - 1; at-- > prefix.len;) {
        out[at] = digits[low & 31];
        low = low >> 5 | high << 59;
        high >>= 5;
    }
    out[ID_TEXT_BYTES - 1] = '\0';
    return slice_of(out, ID_TEXT_BYTES - 1);
}

enum err
id_parse(enum id_kind kind, struct slice text, struct id *out)
{
    struct slice prefix = id_prefix(kind);
    uint64_t high = 0, low = 0;

    if (text.len != ID_TEXT_BYTES - 1 || !slice_starts_with(text, prefix))
        return ERR_ID_SYNTAX;
    if (text.ptr[prefix.len] > '7')
        return ERR_ID_SYNTAX; /* 130 bits are written, 128 exist */
    for (size_t i = prefix.len; i < text.len; i++) {
        unsigned char value = digit_values[(unsigned char)text.ptr[i]];
        if (value == 0)
            return ERR_ID_SYNTAX;
        high = high << 5 | low >> 59;
        low = low << 5 | (value - 1u);
    }
    num_u64be_put(out->bytes, high);
    num_u64be_put(out->bytes + 8, low);
    return ERR_OK;
}

static bool
uuid_dash_at(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

struct slice
id_uuid_print(struct id id, char out[static ID_UUID_BYTES])
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0, nibble = 0; i < ID_UUID_BYTES - 1; i++) {
        if (uuid_dash_at(i)) {
            out[i] = '-';
            continue;
        }
        unsigned byte = id.bytes[nibble / 2];
        out[i] = hex[nibble % 2 == 0 ? byte >> 4 : byte & 15];
        nibble++;
    }
    out[ID_UUID_BYTES - 1] = '\0';
    return slice_of(out, ID_UUID_BYTES - 1);
}

enum err
id_uuid_parse(struct slice text, struct id *out)
{
    struct id id = { { 0 } };

    if (text.len != ID_UUID_BYTES - 1)
        return ERR_ID_SYNTAX;
    for (size_t i = 0, nibble = 0; i < text.len; i++) {
        if (uuid_dash_at(i)) {
            if (text.ptr[i] != '-')
                return ERR_ID_SYNTAX;
            continue;
        }
        int value = num_hex_digit(text.ptr[i]);
        if (value < 0)
            return ERR_ID_SYNTAX;
        id.bytes[nibble / 2] = (uint8_t)(id.bytes[nibble / 2] << 4 | value);
        nibble++;
    }
    *out = id;
    return ERR_OK;
}
