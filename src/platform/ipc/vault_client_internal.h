/* What the files of the vault's client share: one exchange of any number of requests with the vault. */
#ifndef PLATFORM_IPC_VAULT_CLIENT_INTERNAL_H
#define PLATFORM_IPC_VAULT_CLIENT_INTERNAL_H
#include "platform/ipc/vault_client.h"

/*
 * What is asked, in order, and who takes the answers, which come in the same order. All of it is called under
 * the client's mutex, so that answers can be used before the frame that holds them is wiped.
 */
struct vault_exchange {
    /* The next request that was not sent on this link; NULL: there is none. Borrowed until the next call. */
    struct vault_request *(*next)(void *ctx);
    /*
     * An answer to the oldest request without one; or, with a NULL answer, why there is none. ERR_FRAME: it
     * is no answer to that: the link is dropped.
     */
    enum err (*settle)(void *ctx, enum err err, const struct vault_answer *answer);
    /* The link was lost: from the oldest request without an answer on, all are asked again. */
    void (*rewind)(void *ctx);
    void *ctx;
};

/*
 * Until all have an answer, or the client's time is over: ERR_VAULT_UNAVAILABLE; then those without one were
 * not settled.
 */
MUST_CHECK enum err vault_client_exchange(struct vault_client *client, const struct vault_exchange *exchange);
/* What a call does with a good answer, before the frame that holds it is wiped. Under the client's mutex. */
typedef enum err (*vault_answer_use)(void *ctx, const struct vault_answer *answer);
/*
 * An exchange of one request, and of what it takes to load the keys that the vault lacks for it; a key that
 * it still lacks after that is the end of it: ERR_VAULT_KEY_MISSING. `use` may be NULL.
 */
MUST_CHECK enum err vault_call(const struct vault *vault, struct vault_request *request, vault_answer_use use,
                               void *use_ctx);
/* Hands the vault the key that it said it lacks. Asks the database, so not from within an exchange. */
MUST_CHECK enum err vault_client_load_key(const struct vault *vault, const struct vault_missing_key *missing);

bool vault_is_same_key(const struct vault_missing_key *a, const struct vault_missing_key *b);
struct vault_frame_place vault_frame_place_of(const struct vault_place *place);
/* Nothing that the vault sealed is longer: so it is not asked. */
bool vault_is_cipher_too_long(const struct vault_sealed *sealed);
/* The values of a seal: out of the items into a request, and from its answer back. */
MUST_CHECK enum err vault_seal_fill(struct vault_request *request, const struct vault_seal_item *items,
                                    size_t count);
MUST_CHECK enum err vault_seal_take(const struct vault_answer *answer, struct vault_seal_item *items,
                                    size_t count, struct arena *arena);

#endif
