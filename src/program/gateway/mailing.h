/*
 * Mails that a request's act causes. They are made before its transaction, since the vault is asked, and put
 * into the queue within it: so there is no mail of what did not happen. Without a relay nothing is made and
 * nothing is put.
 */
#ifndef PROGRAM_GATEWAY_MAILING_H
#define PROGRAM_GATEWAY_MAILING_H
#include "core/secret.h"
#include "domain/identity/person.h"
#include "domain/notice/notice.h"
#include "program/gateway/gateway.h"

bool mailing_is_on(const struct http_request *request);

/* Made or not; {0} is none. */
struct mailing {
    bool is_there;
    struct notice_sealed sealed;
};

/* A link to an address that nobody has shown yet. So that nobody is flooded by those who type it in, each
 * address's mails are counted: ERR_THROTTLED, and the problem says for how long. `link` is
 * "https://...#token". */
MUST_CHECK enum err mailing_link(struct http_request *request, const struct notice *notice,
                                 struct mailing *out);
/* News for a person, as far as an address of theirs is verified. `detail` is as of struct notice. */
MUST_CHECK enum err mailing_news(struct http_request *request, const struct person *person,
                                 enum notice_kind kind, struct slice detail, struct slice workspace,
                                 struct mailing *out);
/* The news of a sign-in from here, if the person was never seen here. */
MUST_CHECK enum err mailing_sign_in(struct http_request *request, struct id person, struct mailing *out);

/* The news of the end of a membership of this workspace, which is still there. */
MUST_CHECK enum err mailing_removal(struct http_request *request, struct id membership, struct mailing *out);
/* An invitation's link, from whoever asks; as of mailing_link. */
MUST_CHECK enum err mailing_invitation(struct http_request *request, struct id invitation, struct slice email,
                                       struct slice link, struct mailing *out);

/* At the end of a transaction: turns it to tenant_platform. */
MUST_CHECK enum err mailing_put(struct db_tx *tx, const struct mailing *mailing);
/* What was to say a link that is worth nothing any more; the same. */
MUST_CHECK enum err mailing_withdraw(struct db_tx *tx, const struct http_request *request, struct id about);

/* The origin's page with the token behind the '#'. In the arena; ptr NULL without memory. */
struct slice mailing_page(struct http_request *request, const char *page, const struct secret *token);
/* What the person reads. */
enum notice_language mailing_language(const struct person *person);

#endif
