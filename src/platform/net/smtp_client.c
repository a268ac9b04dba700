#include "platform/net/smtp_client.h"
#include "platform/net/curl_library_internal.h"
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#define URL_BYTES_MAX 600u

const char *
smtp_failure_word(enum smtp_failure failure)
{
    static const char *const words[] = {
        [SMTP_FAILURE_NONE] = "none",       [SMTP_FAILURE_DNS] = "dns",
        [SMTP_FAILURE_CONNECT] = "connect", [SMTP_FAILURE_TLS] = "tls",
        [SMTP_FAILURE_LOGIN] = "login",     [SMTP_FAILURE_REPLY] = "reply",
        [SMTP_FAILURE_TIMEOUT] = "timeout", [SMTP_FAILURE_BROKEN] = "broken",
        [SMTP_FAILURE_STOPPED] = "stopped",
    };

    return words[failure];
}

struct upload {
    struct slice rest;
};

static size_t
on_read(char *to, size_t unit, size_t count, void *ctx)
{
    struct upload *upload = ctx;
    size_t n = unit * count < upload->rest.len ? unit * count : upload->rest.len;

    memcpy(to, upload->rest.ptr, n);
    upload->rest = slice_drop(upload->rest, n);
    return n;
}

/* Whatever a relay says is not printed; libcurl would otherwise write it to standard output. */
static size_t
on_said(char *bytes UNUSED, size_t unit, size_t count, void *ctx UNUSED)
{
    return unit * count;
}

static int
on_progress(void *ctx, curl_off_t a UNUSED, curl_off_t b UNUSED, curl_off_t c UNUSED, curl_off_t d UNUSED)
{
    const atomic_bool *is_stopping = ctx;

    return is_stopping != NULL && atomic_load(is_stopping);
}

/* "<address>" with a NUL: it becomes part of a command line. */
static bool
path_print(struct slice address, char out[static SMTP_ADDRESS_BYTES_MAX + 3])
{
    if (address.len == 0 || address.len > SMTP_ADDRESS_BYTES_MAX)
        return false;
    for (size_t i = 0; i < address.len; i++) {
        unsigned char c = (unsigned char)address.ptr[i];
        if (c <= ' ' || c == 0x7f || c == '<' || c == '>')
            return false;
    }
    snprintf(out, SMTP_ADDRESS_BYTES_MAX + 3, "<%.*s>", SLICE_FMT(address));
    return true;
}

static enum smtp_failure
failure_of(CURLcode code, int reply)
{
    switch ((int)code) {
    case CURLE_OK:
        return SMTP_FAILURE_NONE;
    case CURLE_COULDNT_RESOLVE_HOST:
        return SMTP_FAILURE_DNS;
    case CURLE_COULDNT_CONNECT:
        return SMTP_FAILURE_CONNECT;
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
        return SMTP_FAILURE_TLS;
    case CURLE_LOGIN_DENIED:
        return SMTP_FAILURE_LOGIN;
    case CURLE_OPERATION_TIMEDOUT:
        return SMTP_FAILURE_TIMEOUT;
    case CURLE_ABORTED_BY_CALLBACK:
        return SMTP_FAILURE_STOPPED;
    case CURLE_SEND_ERROR:
    case CURLE_WEIRD_SERVER_REPLY:
        return reply >= 400 ? SMTP_FAILURE_REPLY : SMTP_FAILURE_BROKEN;
    }
    return SMTP_FAILURE_BROKEN;
}

/* That a relay wants us to sign in, or differently, is no word about the mail (RFC 4954, 6). */
static bool
is_about_us(int code)
{
    return code == 530 || code == 534 || code == 535 || code == 538 || code == 554;
}

static CURLcode
perform(CURL *easy, const struct smtp_relay *relay, const char *from, struct curl_slist *to,
        struct upload *upload)
{
    char url[URL_BYTES_MAX];
    CURLcode code = CURLE_OK;

    if (snprintf(url, sizeof(url), "%s/%s", relay->url, relay->hello) >= (int)sizeof(url))
        return CURLE_URL_MALFORMAT;
#define SET(option, value)                                                                                   \
    if (code == CURLE_OK)                                                                                    \
    code = curl_easy_setopt(easy, option, value)
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_USE_SSL, relay->is_plain ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_CAINFO, relay->ca_file);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)relay->connect_timeout_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)relay->timeout_ms);
    if (relay->user != NULL) {
        SET(CURLOPT_USERNAME, relay->user);
        SET(CURLOPT_PASSWORD, relay->password == NULL ? "" : relay->password);
    }
    SET(CURLOPT_MAIL_FROM, from);
    SET(CURLOPT_MAIL_RCPT, to);
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_READFUNCTION, on_read);
    SET(CURLOPT_READDATA, upload);
    SET(CURLOPT_WRITEFUNCTION, on_said);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, (void *)(uintptr_t)relay->is_stopping);
    SET(CURLOPT_NOPROGRESS, 0L);
#undef SET
    return code == CURLE_OK ? curl_easy_perform(easy) : code;
}

enum err
smtp_send(const struct smtp_relay *relay, struct slice from, struct slice to, struct slice mail,
          struct smtp_result *out)
{
    char from_path[SMTP_ADDRESS_BYTES_MAX + 3], to_path[SMTP_ADDRESS_BYTES_MAX + 3];
    struct upload upload = { .rest = mail };
    struct curl_slist *recipients = NULL;
    CURL *easy = NULL;
    long reply = 0;
    enum err err = path_print(from, from_path) && path_print(to, to_path) ? ERR_OK : ERR_CONTRACT;

    *out = (struct smtp_result){ .outcome = SMTP_LATER };
    if (err == ERR_OK)
        err = curl_library_begin();
    if (err != ERR_OK)
        return err;
    err = ERR_NO_MEMORY;
    easy = curl_easy_init();
    recipients = curl_slist_append(NULL, to_path);
    if (easy == NULL || recipients == NULL)
        goto done;
    CURLcode code = perform(easy, relay, from_path, recipients, &upload);
    if (curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &reply) != CURLE_OK)
        reply = 0;
    *out = (struct smtp_result){ .outcome = code == CURLE_OK ? SMTP_SENT : SMTP_LATER,
                                 .failure = failure_of(code, (int)reply),
                                 .code = (int)reply };
    if (out->failure == SMTP_FAILURE_REPLY && reply >= 500 && !is_about_us((int)reply))
        out->outcome = SMTP_REFUSED;
    err = ERR_OK;
done:
    curl_easy_cleanup(easy);
    curl_slist_free_all(recipients);
    return err;
}
