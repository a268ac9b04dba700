/*
 * The dashboard: its files by their names, and its page for every other path that a browser asks for outside
 * the API, since the page itself finds what a path means. The page is made for each answer with a nonce of
 * its own; whatever is not in the policy does not run.
 */
#include "crypto/encode.h"
#include "crypto/random.h"
#include "program/gateway/dashboard.h"
#include "program/gateway/gateway.h"
#include "wire/http/field.h"

#define NONCE_BYTES 18u
#define PLACEHOLDER "__HARKARA_NONCE__" /* as web/vite.config.ts has it */
#define PAGE_MAX    65536u
#define PAGE_POLICY                                                                                          \
    "default-src 'none'; script-src 'self' 'nonce-%.*s'; style-src 'self' 'nonce-%.*s'; img-src 'self' "     \
    "data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; " \
    "frame-ancestors 'none'"

/* Copies the page with the nonce at each of its places. */
static void
page_print(struct buf *out, struct slice page, struct slice nonce)
{
    const struct slice place = SLICE(PLACEHOLDER);

    while (page.len != 0) {
        size_t at = slice_find(page, place.ptr[0]);
        buf_add(out, slice_first(page, at));
        page = slice_drop(page, at);
        if (slice_starts_with(page, place)) {
            buf_add(out, nonce);
            page = slice_drop(page, place.len);
        } else if (page.len != 0) {
            buf_add(out, slice_first(page, 1));
            page = slice_drop(page, 1);
        }
    }
}

static enum err
page_reply(struct http_request *request, struct http_response *response, const struct dashboard_file *page)
{
    unsigned char random[NONCE_BYTES];
    struct buf nonce, text;
    enum err err = random_fill(random, sizeof(random));

    buf_init(&nonce, 2 * NONCE_BYTES);
    buf_init(&text, PAGE_MAX);
    if (err != ERR_OK)
        goto done;
    encode_base64url(&nonce, slice_of(random, sizeof(random)));
    err = buf_done(&nonce);
    if (err != ERR_OK)
        goto done;
    struct slice word = buf_slice(&nonce);
    page_print(&text, page->bytes[DASHBOARD_PLAIN], word);
    err = buf_done(&text);
    if (err != ERR_OK)
        goto done;
    err = ERR_NO_MEMORY;
    struct slice policy = arena_format(request->arena, PAGE_POLICY, SLICE_FMT(word), SLICE_FMT(word));
    response->body = arena_copy(request->arena, buf_slice(&text));
    if (policy.ptr == NULL || response->body.ptr == NULL)
        goto done;
    response->status = 200;
    response->content_type = page->type;
    http_response_add(response, "Content-Security-Policy", policy);
    http_response_add(response, "X-Frame-Options", SLICE("DENY"));
    http_response_add(response, "Referrer-Policy", SLICE("same-origin"));
    http_response_add(response, "Cross-Origin-Opener-Policy", SLICE("same-origin"));
    http_response_add(response, "Permissions-Policy",
                      SLICE("camera=(), geolocation=(), microphone=(), payment=(), usb=(), "
                            "publickey-credentials-create=(self), publickey-credentials-get=(self)"));
    err = ERR_OK;
done:
    buf_release(&text);
    buf_release(&nonce);
    return err;
}

static void
file_reply(struct http_request *request, struct http_response *response, const struct dashboard_file *file)
{
    static const struct slice names[DASHBOARD_CODINGS] = {
        [DASHBOARD_BROTLI] = { "br", 2 }, [DASHBOARD_GZIP] = { "gzip", 4 }
    };
    enum dashboard_coding coding = dashboard_coding_choose(file, http_header(request, "Accept-Encoding"));

    response->status = 200;
    response->content_type = file->type;
    response->body = file->bytes[coding]; /* lives as long as the process */
    if (coding != DASHBOARD_PLAIN)
        http_response_add(response, "Content-Encoding", names[coding]);
    http_response_add(response, "Vary", SLICE("Accept-Encoding"));
    http_response_add(response, "Cross-Origin-Resource-Policy", SLICE("same-origin"));
    http_response_add(response, "Cache-Control",
                      file->is_immutable ? SLICE("public, max-age=31536000, immutable")
                                         : SLICE("public, max-age=3600"));
}

enum err
dashboard_answer(struct http_request *request, struct http_response *response)
{
    const struct dashboard *dashboard = gateway_worker_of(request)->gateway->dashboard;
    const struct dashboard_file *file = dashboard_find(dashboard, request->path);
    const struct dashboard_file *page = dashboard_find(dashboard, SLICE("/"));

    if (file != NULL && file != page) {
        request->route = "/assets";
        file_reply(request, response, file);
        return ERR_OK;
    }
    /* A path of the API that is not there is a problem document, whoever asks. */
    bool is_api = slice_eq(request->path, SLICE("/v1")) || slice_starts_with(request->path, SLICE("/v1/")) ||
                  slice_starts_with(request->path, SLICE("/assets/"));
    if (page == NULL || is_api ||
        (file == NULL && !field_accepts_type(http_header(request, "Accept"), SLICE("text/html"))))
        return ERR_HTTP_ROUTE;
    request->route = "/";
    return page_reply(request, response, page);
}
