/* How frames are read and written: what requests, answers and boot frames share. */
#ifndef WIRE_VAULT_VAULT_FRAME_INTERNAL_H
#define WIRE_VAULT_VAULT_FRAME_INTERNAL_H
#include "wire/vault/vault_frame.h"

#define VAULT_RESULT_COUNT ((unsigned)VAULT_RESULT_FAILED + 1u)

/* After the first thing that does not fit, `is_broken` stays and every further read gives zeros. */
struct vault_input {
    struct slice rest;
    bool is_broken;
};
struct slice vault_take(struct vault_input *in, size_t len);
void vault_take_octets(struct vault_input *in, unsigned char *to, size_t len);
uint8_t vault_take_u8(struct vault_input *in);
uint16_t vault_take_u16(struct vault_input *in);
uint32_t vault_take_u32(struct vault_input *in);
uint64_t vault_take_u64(struct vault_input *in);
bool vault_take_bool(struct vault_input *in);
uint32_t vault_take_version(struct vault_input *in);
struct slice vault_take_bytes(struct vault_input *in);
struct slice vault_take_name(struct vault_input *in);
struct slice vault_take_optional_name(struct vault_input *in);
enum vault_purpose vault_take_purpose(struct vault_input *in);
enum vault_op vault_take_op(struct vault_input *in);
enum vault_result vault_take_result(struct vault_input *in);
enum secret_memory vault_take_memory(struct vault_input *in);
struct id vault_take_id(struct vault_input *in);
void vault_take_frame_version(struct vault_input *in);
MUST_CHECK enum err vault_input_done(const struct vault_input *in);
void vault_put_bytes(struct buf *out, struct slice bytes);
void vault_put_name(struct buf *out, struct slice name);
void vault_put_optional_name(struct buf *out, struct slice name);
void vault_put_id(struct buf *out, struct id id);
void vault_put_place(struct buf *out, const struct vault_frame_place *place);
void vault_take_place(struct vault_input *in, struct vault_frame_place *out);
void vault_put_sealed(struct buf *out, const struct vault_sealed *sealed);
void vault_take_sealed(struct vault_input *in, struct vault_sealed *out);
void vault_put_item_index(struct buf *out, const struct vault_item_index *index);
void vault_take_item_index(struct vault_input *in, struct vault_item_index *out);
void vault_put_key(struct buf *out, const struct vault_wrapped_key *key);
void vault_take_key(struct vault_input *in, struct vault_wrapped_key *out);
void vault_put_kek(struct buf *out, const struct vault_kek *kek);
void vault_take_kek(struct vault_input *in, struct vault_kek *out);

#endif
