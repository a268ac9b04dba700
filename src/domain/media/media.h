/*
 * Media: what a tenant uploads to send, and what its customers send. A row says what it is; the bytes lie in
 * sealed chunks of MEDIA_CHUNK_BYTES, and are never held as a whole.
 *
 * Each chunk is sealed for its own place: tenant, media, and as the place's generation its number, the last
 * chunk's with MEDIA_CHUNK_LAST set. So a chunk does not open in another's place, of this media or of any
 * other; and because whoever reads asks for the last one as the last, neither a shortened nor a lengthened
 * file opens to its end. This is the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizar 2015), which
 * binds the end instead of the length: the length of what is still coming in is not known when its first
 * chunk is sealed.
 */
#ifndef DOMAIN_MEDIA_MEDIA_H
#define DOMAIN_MEDIA_MEDIA_H
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "crypto/hash.h"
#include "domain/media/media_type.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

#define MEDIA_CHUNK_BYTES         (256u * 1024u)
#define MEDIA_CHUNK_LAST          (1u << 31)
#define MEDIA_CHUNK_ARENA_BYTES   (4u * MEDIA_CHUNK_BYTES) /* one chunk, sealed and opened */
#define MEDIA_FILE_NAME_BYTES_MAX 255u

enum media_direction { MEDIA_OUT, MEDIA_IN };

enum media_state {
    MEDIA_STORING,  /* an upload is on its way */
    MEDIA_READY,    /* it can be read and sent */
    MEDIA_FETCHING, /* the provider has the bytes still */
    MEDIA_FAILED,   /* it could not be fetched: error_code */
    MEDIA_STATES
};
const char *media_state_word(enum media_state state);

struct media {
    struct id id;
    enum media_direction direction;
    enum media_state state;
    struct slice mime_type;
    const struct media_type *type; /* NULL: of no type that can be sent (customers send anything) */
    uint64_t bytes;                /* until it is ready: what is reserved for it */
    uint32_t chunk_count;
    bool has_sha256, has_file_name;
    unsigned char sha256[HASH_BYTES];
    struct vault_sealed file_name;
    struct id channel, message; /* of incoming media; else zero */
    struct slice provider_id;   /* likewise; not the API's to show */
    struct slice error_code, error_title;
    struct wall_time created_at, expires_at;
};

struct media_new {
    struct id id; /* made by the caller: it is bound into the seals */
    enum media_direction direction;
    struct slice mime_type;
    uint64_t bytes;       /* reserved: as declared, or the most that the type allows */
    uint64_t storage_max; /* of the tenant's media together */
    int64_t days;         /* until it expires */
    bool has_file_name;
    struct vault_sealed file_name;
    /* Of incoming media, which begins as `fetching`. */
    struct id channel, message;
    struct slice provider_id;
    bool has_sha256; /* the provider said it */
    unsigned char sha256[HASH_BYTES];
};

struct vault_place media_file_name_place(struct id tenant, struct id media);
struct vault_place media_chunk_place(struct id tenant, struct id media, uint32_t number, bool is_last);

/* ERR_MEDIA_STORAGE: the tenant's other media leave too little room. Two uploads at once cannot both take the
 * last. */
MUST_CHECK enum err media_begin(struct db_tx *tx, const struct clock *clock, const struct media_new *with);
/* ERR_NOT_FOUND. */
MUST_CHECK enum err media_get(struct db_tx *tx, struct id media, struct arena *arena, struct media *out);
/*
 * As media_get, of what is ready and has not expired; and it does not expire before `until`, so that who is
 * about to hand it on still finds it. ERR_NOT_FOUND.
 */
MUST_CHECK enum err media_keep(struct db_tx *tx, const struct clock *clock, struct id media,
                               struct wall_time until, struct arena *arena, struct media *out);
/* With everything that belongs to it. ERR_NOT_FOUND. */
MUST_CHECK enum err media_delete(struct db_tx *tx, struct id media);
/* An upload that did not come to its end leaves nothing. ERR_OK also when there is nothing. */
MUST_CHECK enum err media_abandon(struct db_tx *tx, struct id media);
/* It cannot be fetched: code and title are literals. ERR_NOT_FOUND when it is not being fetched. */
MUST_CHECK enum err media_fail(struct db_tx *tx, struct id media, const char *code, const char *title);
/* Other room than was reserved, once the size is known. ERR_MEDIA_STORAGE, ERR_NOT_FOUND. */
MUST_CHECK enum err media_reserve(struct db_tx *tx, struct id media, uint64_t bytes, uint64_t storage_max);

/* What a writer has written. */
struct media_written {
    uint64_t bytes;
    uint32_t chunk_count;
    unsigned char sha256[HASH_BYTES];
    struct id writer;
};
/* Makes it ready. ERR_STATE_CONFLICT: it was deleted, or another writer has taken over. */
MUST_CHECK enum err media_finish(struct db_tx *tx, struct id media, const struct media_written *written);

/*
 * Writes content from its beginning: what another writer has left is removed, and that one's next chunk is
 * refused. Each chunk is a transaction of its own on `db`, since the vault is asked between them.
 */
struct media_writer;
struct media_writer_config {
    struct db *db;             /* borrowed, as all here; of the calling thread */
    const struct vault *vault; /* with a key source of the same thread */
    const struct clock *clock;
    struct id tenant, media;
    uint64_t bytes_max; /* more is ERR_MEDIA_SIZE */
};
/* ERR_STATE_CONFLICT: the media takes no content any more. */
MUST_CHECK enum err media_writer_new(const struct media_writer_config *config, struct media_writer **out);
/* ERR_MEDIA_SIZE; ERR_STATE_CONFLICT: another writer took over, or it was deleted. After an error only free.
 */
MUST_CHECK enum err media_writer_put(struct media_writer *writer, struct slice bytes);
/* Writes the last chunk. ERR_MEDIA_EMPTY: nothing was put. */
MUST_CHECK enum err media_writer_end(struct media_writer *writer, struct media_written *out);
/* Wipes. Accepts NULL. What was written stays until media_finish or media_abandon. */
void media_writer_free(struct media_writer *writer);

/*
 * One chunk, opened into the arena (of MEDIA_CHUNK_ARENA_BYTES; reset it between two). ERR_NOT_FOUND: it was
 * deleted meanwhile. ERR_SEAL_CORRUPT: damaged, moved, or not of the length that media->bytes says.
 */
MUST_CHECK enum err media_chunk_open(struct db *db, const struct vault *vault, struct id tenant,
                                     const struct media *media, uint32_t number, struct arena *arena,
                                     struct slice *plain_out);

#endif
