/*
 * People at the door: the session's cookie, the page that a change came from, and what is given to a browser.
 * A browser sends its cookie with whatever a foreign page makes it ask, so a change needs Origin to be ours
 * and X-CSRF-Token to be the session's; a request with an Authorization is a key's, whatever cookies it has.
 */
#ifndef PROGRAM_GATEWAY_PERSON_GATE_H
#define PROGRAM_GATEWAY_PERSON_GATE_H
#include "domain/identity/session.h"
#include "program/gateway/gateway.h"

#define PERSON_COOKIE  "__Host-harkara"
#define BROWSER_COOKIE "__Host-harkara-browser"

/* Whether the request is a person's: it has a session's cookie, or the route is for nobody else. */
bool person_gate_applies(const struct http_request *request, const struct http_route *route);
/* As the router's hook. Then gateway_person tells more of who asks. */
enum err person_gate_authenticate(struct http_request *request, const struct http_route *route);

struct gateway_person {
    struct principal principal; /* first: request->principal points to it */
    struct session session;
    struct slice token;
};
/* Of a request on a route for people alone. */
const struct gateway_person *gateway_person(const struct http_request *request);

/* For changes before anybody is signed in: they too come from our own pages alone. ERR_ORIGIN. */
MUST_CHECK enum err person_gate_check_origin(const struct http_request *request);

/* What binds a ceremony to one browser. The first one makes it when there is none, and sets the cookie; the
 * other one only reads: ERR_CEREMONY when there is none. In the arena. */
MUST_CHECK enum err person_gate_browser(struct http_request *request, struct http_response *response,
                                        struct slice *out);
MUST_CHECK enum err person_gate_browser_again(const struct http_request *request, struct slice *out);

/* The presented session, if it is one that lives: for sign-in, which ends it. ERR_SESSION. */
MUST_CHECK enum err person_gate_present(struct http_request *request, struct session *out);

/*
 * Of a session that is a half, when a factor was just set up: in that one's transaction, turned to
 * tenant_platform, it becomes whole, with another token (owned; person_gate_renew). Of a whole one nothing
 * happens, and *token_out stays as it is.
 */
MUST_CHECK enum err person_gate_complete(struct db_tx *tx, const struct http_request *request,
                                         enum session_factor factor, struct secret **token_out);
/* Sets the cookie to another token of the session; NULL: it has none. */
MUST_CHECK enum err person_gate_renew(struct http_request *request, struct http_response *response,
                                      const struct secret *token);

void person_gate_clear(struct http_response *response);
/* Sets the cookie and answers with the session: 200, or 201 for somebody new. `token` is borrowed. */
MUST_CHECK enum err person_gate_reply(struct http_request *request, struct http_response *response,
                                      int status, const struct session *session, struct slice token,
                                      bool is_new_token);

/* Works in Harkara's own workspace, in which people are. As gateway_read and gateway_write. */
MUST_CHECK enum err platform_read(struct http_request *request, enum err (*work)(struct db_tx *tx, void *ctx),
                                  void *ctx);
MUST_CHECK enum err platform_write(struct http_request *request,
                                   enum err (*work)(struct db_tx *tx, void *ctx), void *ctx);

#endif
