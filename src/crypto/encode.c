#include "crypto/encode.h"
#include "core/num.h"

static const char alphabet_plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void
encode_hex(struct buf *out, struct slice bytes)
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.len; i++) {
        unsigned byte = (unsigned char)bytes.ptr[i];
        char two[2] = { hex[byte >> 4], hex[byte & 15] };
        buf_add(out, slice_of(two, sizeof(two)));
    }
}

enum err
decode_hex(struct slice text, unsigned char *out, size_t len)
{
    if (text.len % 2 != 0 || text.len / 2 != len)
        return ERR_ENCODING;
    for (size_t i = 0; i < len; i++) {
        int high = num_hex_digit(text.ptr[2 * i]), low = num_hex_digit(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return ERR_ENCODING;
        out[i] = (unsigned char)(high * 16 + low);
    }
    return ERR_OK;
}

void
encode_base32(struct buf *out, struct slice bytes)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    unsigned bits = 0, count = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        bits = (bits << 8 | (unsigned char)bytes.ptr[i]) & 0xfff; /* at most 4 bits are left from before */
        for (count += 8; count >= 5; count -= 5)
            buf_add_byte(out, alphabet[bits >> (count - 5) & 31]);
    }
    if (count > 0)
        buf_add_byte(out, alphabet[bits << (5 - count) & 31]);
}

static void
encode_sextets(struct buf *out, struct slice bytes, const char *alphabet, bool is_padded)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t have = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t group = 0;
        for (size_t j = 0; j < 3; j++)
            group = group << 8 | (j < have ? (unsigned char)bytes.ptr[i + j] : 0u);
        char four[4] = { alphabet[group >> 18], alphabet[group >> 12 & 63], alphabet[group >> 6 & 63],
                         alphabet[group & 63] };
        for (size_t j = have + 1; j < 4; j++)
            four[j] = '=';
        buf_add(out, slice_of(four, is_padded ? 4 : have + 1));
    }
}

void
encode_base64(struct buf *out, struct slice bytes)
{
    encode_sextets(out, bytes, alphabet_plain, true);
}

void
encode_base64url(struct buf *out, struct slice bytes)
{
    encode_sextets(out, bytes, alphabet_url, false);
}

static int
sextet_value(char c, const char *alphabet)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == alphabet[62])
        return 62;
    return c == alphabet[63] ? 63 : -1;
}

static enum err
decode_sextets(struct slice text, const char *alphabet, unsigned char *out, size_t *len_out)
{
    uint32_t group = 0;
    size_t len = 0;

    if (text.len % 4 == 0 && slice_ends_with(text, SLICE("=")))
        text.len -= slice_ends_with(text, SLICE("==")) ? 2 : 1;
    if (text.len % 4 == 1)
        return ERR_ENCODING;
    for (size_t i = 0; i < text.len; i++) {
        int value = sextet_value(text.ptr[i], alphabet);
        if (value < 0)
            return ERR_ENCODING;
        group = group << 6 | (uint32_t)value;
        if (i % 4 == 0)
            continue;
        /* After the 2nd, 3rd and 4th sextet of a group an octet is whole; 4, 2 and 0 bits are left. */
        unsigned spare = 6 - 2 * (unsigned)(i % 4);
        out[len++] = (unsigned char)(group >> spare & 0xFF);
        group &= (1u << spare) - 1;
    }
    if (group != 0 && text.len % 4 != 0)
        return ERR_ENCODING; /* spare bits that say something: a second spelling of the same octets */
    *len_out = len;
    return ERR_OK;
}

enum err
decode_base64(struct slice text, unsigned char *out, size_t *len_out)
{
    return decode_sextets(text, alphabet_plain, out, len_out);
}

enum err
decode_base64url(struct slice text, unsigned char *out, size_t *len_out)
{
    return decode_sextets(text, alphabet_url, out, len_out);
}
