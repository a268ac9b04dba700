#include "core/buf.h"
#include "core/unit.h"
#include "crypto/encode.h"
#include "crypto/public_key.h"

/* Published signatures: RFC 7515, A.2 (RS256) and A.3 (ES256), RFC 8037, A.4 (Ed25519). */
static const struct {
    enum public_key_algorithm algorithm;
    const char *first, *second, *data, *signature; /* x and y, or modulus and exponent: base64url */
} rows[] = {
    { PUBLIC_KEY_RS256,
      "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-"
      "yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-"
      "KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
      "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
      "AQAB",
      "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb2"
      "90Ijp0cnVlfQ",
      "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
      "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZ"
      "RmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLI"
      "hWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw" },
    { PUBLIC_KEY_ES256, "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
      "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
      "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb2"
      "90Ijp0cnVlfQ",
      "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q" },
    { PUBLIC_KEY_EDDSA, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "",
      "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
      "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg" },
};

struct row {
    unsigned char first[300], second[40], signature[300];
    struct public_key key;
    struct slice sig;
};

static void
row_read(size_t i, struct row *row)
{
    size_t first = 0, second = 0, signature = 0;

    assert_ok(decode_base64url(slice_text(rows[i].first), row->first, &first));
    assert_ok(decode_base64url(slice_text(rows[i].second), row->second, &second));
    assert_ok(decode_base64url(slice_text(rows[i].signature), row->signature, &signature));
    row->key = (struct public_key){ .algorithm = rows[i].algorithm };
    if (rows[i].algorithm == PUBLIC_KEY_RS256) {
        row->key.modulus = slice_of(row->first, first);
        row->key.exponent = slice_of(row->second, second);
    } else {
        row->key.x = slice_of(row->first, first);
        row->key.y = slice_of(row->second, second);
    }
    row->sig = slice_of(row->signature, signature);
}

static void
published_signatures_hold_and_changed_ones_do_not(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice data = slice_text(rows[i].data);
        struct row row;
        row_read(i, &row);
        assert_ok(public_key_check(&row.key));
        assert_ok(public_key_verify(&row.key, SIGNATURE_FORM_RAW, data, row.sig));
        for (size_t bit = 0; bit < row.sig.len * 8; bit += 7) {
            row.signature[bit / 8] ^= (unsigned char)(1u << bit % 8);
            assert_int_equal(public_key_verify(&row.key, SIGNATURE_FORM_RAW, data, row.sig), ERR_SIGNATURE);
            row.signature[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
        data.len--;
        assert_int_equal(public_key_verify(&row.key, SIGNATURE_FORM_RAW, data, row.sig), ERR_SIGNATURE);
        data.len++;
        for (size_t len = 0; len < row.sig.len; len += 21)
            assert_int_equal(public_key_verify(&row.key, SIGNATURE_FORM_RAW, data, slice_first(row.sig, len)),
                             ERR_SIGNATURE);
    }
}

static void
the_two_forms_of_es256_are_told_apart(void **state UNUSED)
{
    struct row row;

    row_read(1, &row);
    assert_int_equal(public_key_verify(&row.key, SIGNATURE_FORM_DER, slice_text(rows[1].data), row.sig),
                     ERR_SIGNATURE);
}

/* What the library itself would take: small and even moduli, an exponent of 1. */
static void
numbers_that_are_no_rsa_key_are_refused(void **state UNUSED)
{
    struct row row;

    row_read(0, &row);
    struct public_key good = row.key, key;
#define REFUSED(change)                                                                                      \
    key = good;                                                                                              \
    change;                                                                                                  \
    assert_int_equal(public_key_check(&key), ERR_SIGNATURE)
    REFUSED(key.modulus.len--);
    REFUSED(key.modulus = slice_drop(key.modulus, 1));
    REFUSED(key.modulus = SLICE_EMPTY);
    REFUSED(key.exponent = SLICE_EMPTY);
    REFUSED(key.exponent = SLICE("\x01"));
    REFUSED(key.exponent = SLICE("\x04"));
    REFUSED(key.exponent = SLICE("\0\x03"));
    REFUSED(key.exponent = SLICE("\x01\0\0\0\x01"));
    row.first[255] &= 0xfe;
    REFUSED((void)key);
    row.first[255] |= 1;
    row.first[0] &= 0x7f; /* 2047 bits */
    REFUSED((void)key);
    row.first[0] |= 0x80;
    assert_ok(public_key_check(&good));
}

static void
a_point_beside_the_curve_is_no_key(void **state UNUSED)
{
    struct row row;

    row_read(1, &row);
    row.second[3] ^= 1;
    assert_int_equal(public_key_check(&row.key), ERR_SIGNATURE);
    row.second[3] ^= 1;
    row.key.y.len--;
    assert_int_equal(public_key_check(&row.key), ERR_SIGNATURE);
}

UNIT_MAIN(cmocka_unit_test(published_signatures_hold_and_changed_ones_do_not),
          cmocka_unit_test(the_two_forms_of_es256_are_told_apart),
          cmocka_unit_test(numbers_that_are_no_rsa_key_are_refused),
          cmocka_unit_test(a_point_beside_the_curve_is_no_key))
