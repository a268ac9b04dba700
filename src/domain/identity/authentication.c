#include "domain/identity/authentication.h"
#include "crypto/hash.h"
#include <pthread.h>
#include <stdlib.h>

#define REFRESH_MS 400 /* before AUTHENTICATION_CACHE_MS, so that one asks the database for all */
#define SENT_MS    50  /* whoever was sent to the database has it done by then; else another is sent */

/* Direct-mapped by the id's random tail: a clash only costs a look-up. */
struct entry {
    struct api_principal principal;
    struct mono_time loaded_at, noted_at, sent_at;
    bool is_filled;
};

struct authentication {
    const struct clock *clock;
    pthread_mutex_t lock;
    struct entry *entries; /* under lock */
};

enum err
authentication_new(const struct clock *clock, struct authentication **out)
{
    struct authentication *authentication = calloc(1, sizeof(*authentication));

    if (authentication == NULL)
        return ERR_NO_MEMORY;
    authentication->entries = calloc(AUTHENTICATION_CACHE_ENTRIES, sizeof(*authentication->entries));
    if (authentication->entries == NULL) {
        free(authentication);
        return ERR_NO_MEMORY;
    }
    authentication->clock = clock;
    pthread_mutex_init(&authentication->lock, NULL);
    *out = authentication;
    return ERR_OK;
}

void
authentication_free(struct authentication *authentication)
{
    if (authentication == NULL)
        return;
    secret_wipe(authentication->entries, AUTHENTICATION_CACHE_ENTRIES * sizeof(*authentication->entries));
    free(authentication->entries);
    pthread_mutex_destroy(&authentication->lock);
    free(authentication);
}

static struct entry *
entry_for(struct authentication *authentication, struct id key)
{
    size_t slot = ((size_t)key.bytes[14] << 8 | key.bytes[15]) % AUTHENTICATION_CACHE_ENTRIES;

    return &authentication->entries[slot];
}

static bool
is_due(struct mono_time now, struct mono_time last, int64_t ms)
{
    return now.us - last.us >= ms * 1000;
}

/* ERR_NOTHING: nothing that is fresh enough. */
static enum err
cache_get(struct authentication *authentication, struct id key, struct api_principal *out)
{
    struct mono_time now = clock_mono(authentication->clock);
    enum err err = ERR_NOTHING;

    pthread_mutex_lock(&authentication->lock);
    struct entry *entry = entry_for(authentication, key);
    if (entry->is_filled && id_eq(entry->principal.key, key) && !is_due(now, entry->loaded_at, REFRESH_MS)) {
        *out = entry->principal;
        err = ERR_OK;
    }
    pthread_mutex_unlock(&authentication->lock);
    return err;
}

/*
 * For whoever must not wait. ERR_WOULD_WAIT also when the database is to be asked soon, or the key's use is
 * to be written: then one caller is sent to do it, while the others go on with what is remembered.
 */
static enum err
cache_get_at_once(struct authentication *authentication, struct id key, struct api_principal *out)
{
    struct mono_time now = clock_mono(authentication->clock);
    enum err err = ERR_WOULD_WAIT;

    pthread_mutex_lock(&authentication->lock);
    struct entry *entry = entry_for(authentication, key);
    if (entry->is_filled && id_eq(entry->principal.key, key) &&
        !is_due(now, entry->loaded_at, AUTHENTICATION_CACHE_MS)) {
        bool wants =
            is_due(now, entry->loaded_at, REFRESH_MS) || is_due(now, entry->noted_at, AUTHENTICATION_NOTE_MS);
        if (!wants || !is_due(now, entry->sent_at, SENT_MS)) {
            *out = entry->principal;
            err = ERR_OK;
        } else {
            entry->sent_at = now;
        }
    }
    pthread_mutex_unlock(&authentication->lock);
    return err;
}

static void
cache_put(struct authentication *authentication, const struct api_principal *principal)
{
    pthread_mutex_lock(&authentication->lock);
    struct entry *entry = entry_for(authentication, principal->key);
    const struct mono_time never = { INT64_MIN / 2 };
    struct mono_time noted_at = never;
    if (entry->is_filled && id_eq(entry->principal.key, principal->key))
        noted_at = entry->noted_at;
    *entry = (struct entry){ .principal = *principal,
                             .loaded_at = clock_mono(authentication->clock),
                             .noted_at = noted_at,
                             .sent_at = never,
                             .is_filled = true };
    pthread_mutex_unlock(&authentication->lock);
}

/* Whether this thread shall write the key's use now: one of them, every AUTHENTICATION_NOTE_MS. */
static bool
note_is_due(struct authentication *authentication, struct id key)
{
    struct mono_time now = clock_mono(authentication->clock);
    bool is_ours = false;

    pthread_mutex_lock(&authentication->lock);
    struct entry *entry = entry_for(authentication, key);
    if (entry->is_filled && id_eq(entry->principal.key, key) &&
        is_due(now, entry->noted_at, AUTHENTICATION_NOTE_MS)) {
        entry->noted_at = now;
        is_ours = true;
    }
    pthread_mutex_unlock(&authentication->lock);
    return is_ours;
}

static bool
address_is_allowed(const struct api_principal *principal, struct slice from)
{
    struct sockaddr_storage address;

    if (principal->range_count == 0)
        return true;
    if (address_parse(from, &address) != ERR_OK)
        return false;
    for (size_t i = 0; i < principal->range_count; i++)
        if (address_range_holds(&principal->ranges[i], (const struct sockaddr *)&address))
            return true;
    return false;
}

/* Is this the key's secret, or the one before it while that is good? Both are worked out whatever matches. */
static enum err
secret_check(const struct api_principal *principal, const unsigned char *secret, struct wall_time now)
{
    struct slice presented = slice_of(secret, API_KEY_SECRET_BYTES);
    unsigned char hash[HASH_BYTES], before[HASH_BYTES];
    enum err err = hash_sha256_pieces(
        (const struct slice[]){ slice_of(principal->salt, API_KEY_SALT_BYTES), presented }, 2, hash);

    if (err == ERR_OK)
        err = hash_sha256_pieces(
            (const struct slice[]){ slice_of(principal->previous_salt, API_KEY_SALT_BYTES), presented }, 2,
            before);
    if (err != ERR_OK)
        return err;
    bool is_it = secret_eq(slice_of(hash, sizeof(hash)), slice_of(principal->hash, sizeof(principal->hash)));
    bool was_it = secret_eq(slice_of(before, sizeof(before)),
                            slice_of(principal->previous_hash, sizeof(principal->previous_hash)));
    bool is_before_good = principal->has_previous && now.us < principal->previous_until.us;
    return is_it || (was_it && is_before_good) ? ERR_OK : ERR_KEY_INVALID;
}

enum err
authentication_judge(const struct api_principal *principal, struct wall_time now, struct slice from,
                     enum api_scope scope)
{
    if (principal->is_revoked)
        return ERR_KEY_REVOKED;
    if (principal->has_expiry && principal->expires_at.us <= now.us)
        return ERR_KEY_EXPIRED;
    if (principal->tenant_state != TENANT_ACTIVE)
        return ERR_TENANT_SUSPENDED;
    if (!address_is_allowed(principal, from))
        return ERR_KEY_ADDRESS;
    if (scope == API_SCOPE_COUNT ? principal->scopes == 0 : (principal->scopes & (UINT64_C(1) << scope)) == 0)
        return ERR_SCOPE;
    return ERR_OK;
}

/* The order matters: nothing is told of a key before its secret has matched. */
static enum err
principal_check(const struct api_principal *principal, enum api_key_mode mode, const unsigned char *secret,
                struct wall_time now, struct slice from, enum api_scope scope)
{
    enum err err = secret_check(principal, secret, now);

    if (err != ERR_OK || mode != principal->mode)
        return err != ERR_OK ? err : ERR_KEY_INVALID;
    return authentication_judge(principal, now, from, scope);
}

enum err
authentication_check(struct authentication *authentication, struct db *db, struct slice presented,
                     struct slice from, enum api_scope scope, struct api_principal *out)
{
    unsigned char secret[API_KEY_SECRET_BYTES];
    enum api_key_mode mode;
    struct id key;
    enum err err = api_key_parse(presented, &key, &mode, secret);

    if (err != ERR_OK)
        return err;
    err = db == NULL ? cache_get_at_once(authentication, key, out) : cache_get(authentication, key, out);
    if (err == ERR_NOTHING) {
        err = api_principal_load(db, key, out);
        if (err == ERR_OK)
            cache_put(authentication, out);
    }
    struct wall_time now = clock_wall(authentication->clock);
    if (err == ERR_OK || err == ERR_KEY_INVALID) {
        /* For an unknown id `out` is empty: the same hash is made, and cannot match. */
        enum err checked = principal_check(out, mode, secret, now, from, scope);
        err = err == ERR_OK ? checked : err;
    }
    secret_wipe(secret, sizeof(secret));
    if (err == ERR_OK && db != NULL && note_is_due(authentication, key)) {
        err = api_key_note_use(db, out->tenant, key, now, from);
        if (err_class(err) == ERR_CLASS_UNAVAILABLE)
            err = ERR_OK; /* the request itself will tell; a use unrecorded harms nobody */
    }
    return err;
}
