#include "program/gateway/mailing.h"
#include "domain/identity/invitation.h"
#include "domain/identity/session_place.h"
#include "domain/identity/throttle.h"
#include "program/gateway/person_gate.h"

bool
mailing_is_on(const struct http_request *request)
{
    const struct gateway *gateway = gateway_worker_of(request)->gateway;

    return gateway->role->config.mail_relay[0] != '\0' && gateway->origin.whole.len != 0;
}

enum notice_language
mailing_language(const struct person *person)
{
    return person->reads_hindi ? NOTICE_HINDI : NOTICE_ENGLISH;
}

struct slice
mailing_page(struct http_request *request, const char *page, const struct secret *token)
{
    const char *origin = gateway_worker_of(request)->gateway->origin.text;

    return arena_format(request->arena, "%s/%s#%.*s", origin, page, SLICE_FMT(secret_slice(token)));
}

static enum err
make(struct http_request *request, const struct notice *notice, struct mailing *out)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    struct notice given = *notice;

    given.id = id_new(worker->gateway->clock);
    given.at = clock_wall(worker->gateway->clock);
    enum err err = notice_seal(&worker->vault, &given, request->arena, &out->sealed);
    out->is_there = err == ERR_OK;
    return err;
}

enum err
mailing_link(struct http_request *request, const struct notice *notice, struct mailing *out)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    int wait_s = 0;

    *out = (struct mailing){ .is_there = false };
    if (!mailing_is_on(request))
        return ERR_OK;
    enum err err = throttle_take(worker->db, worker->gateway->clock, "mail", notice->to, &wait_s);
    if (err == ERR_THROTTLED)
        request->problem.retry_after_s = (uint32_t)wait_s;
    return err == ERR_OK ? make(request, notice, out) : err;
}

/* A browser says what it likes, of any length. */
static struct slice
cut(struct slice text)
{
    text = slice_first(text, text.len < NOTICE_TEXT_BYTES_MAX ? text.len : NOTICE_TEXT_BYTES_MAX);
    return slice_find(text, '\0') == text.len ? text : SLICE_EMPTY;
}

enum err
mailing_news(struct http_request *request, const struct person *person, enum notice_kind kind,
             struct slice detail, struct slice workspace, struct mailing *out)
{
    const struct gateway *gateway = gateway_worker_of(request)->gateway;

    *out = (struct mailing){ .is_there = false };
    if (!mailing_is_on(request) || !person->is_email_verified || person->email.len == 0)
        return ERR_OK;
    struct slice link = arena_format(request->arena, "%s/security", gateway->origin.text);
    if (link.ptr == NULL)
        return ERR_NO_MEMORY;
    return make(request,
                &(struct notice){ .kind = kind,
                                  .language = mailing_language(person),
                                  .expires_at = wall_after_ms(clock_wall(gateway->clock), NOTICE_DAY_MS),
                                  .to = person->email,
                                  .name = person->name,
                                  .workspace = workspace,
                                  .link = link,
                                  .detail = cut(detail),
                                  .address = request->peer_address },
                out);
}

struct place {
    struct id person;
    struct slice address, user_agent;
    bool is_known;
};

static enum err
place_in(struct db_tx *tx, void *ctx)
{
    struct place *place = ctx;

    return session_place_is_known(tx, place->person, place->address, place->user_agent, &place->is_known);
}

enum err
mailing_sign_in(struct http_request *request, struct id person, struct mailing *out)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    struct place place = { .person = person,
                           .address = request->peer_address,
                           .user_agent = http_header(request, "User-Agent") };
    struct person who;

    *out = (struct mailing){ .is_there = false };
    if (!mailing_is_on(request))
        return ERR_OK;
    enum err err = platform_read(request, place_in, &place);
    if (err != ERR_OK || place.is_known)
        return err;
    err = person_get(worker->db, &worker->vault, person, request->arena, &who);
    return err == ERR_OK ? mailing_news(request, &who, NOTICE_SIGNED_IN, place.user_agent, SLICE_EMPTY, out)
                         : err;
}

/* Who is meant, and where. */
struct setting {
    struct id membership; /* zero: nobody is asked for */
    struct arena *arena;
    struct membership member;
    struct tenant workspace;
};

static enum err
setting_in(struct db_tx *tx, void *ctx)
{
    struct setting *setting = ctx;
    enum err err = tenant_get(tx, setting->arena, &setting->workspace);

    return err == ERR_OK && !id_is_zero(setting->membership)
               ? membership_get(tx, setting->membership, setting->arena, &setting->member)
               : err;
}

/* Members whom nobody knows any more have no address either. */
static enum err
person_known(struct http_request *request, struct id person, struct person *out)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    enum err err = person_get(worker->db, &worker->vault, person, request->arena, out);

    if (err == ERR_NOT_FOUND)
        *out = (struct person){ .is_email_verified = false };
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err
mailing_removal(struct http_request *request, struct id membership, struct mailing *out)
{
    struct setting setting = { .membership = membership, .arena = request->arena };
    struct person person;

    *out = (struct mailing){ .is_there = false };
    if (!mailing_is_on(request))
        return ERR_OK;
    enum err err = gateway_read(request, setting_in, &setting);
    if (err == ERR_OK)
        err = person_known(request, setting.member.person, &person);
    return err == ERR_OK
               ? mailing_news(request, &person, NOTICE_REMOVED, SLICE_EMPTY, setting.workspace.name, out)
               : err;
}

enum err
mailing_invitation(struct http_request *request, struct id invitation, struct slice email, struct slice link,
                   struct mailing *out)
{
    const struct principal *principal = request->principal;
    struct setting setting = { .arena = request->arena };
    struct person by = { .is_email_verified = false };

    *out = (struct mailing){ .is_there = false };
    if (!mailing_is_on(request))
        return ERR_OK;
    enum err err = gateway_read(request, setting_in, &setting);
    if (err == ERR_OK && principal->kind == PRINCIPAL_PERSON)
        err = person_known(request, principal->actor, &by);
    return err != ERR_OK
               ? err
               : mailing_link(
                     request,
                     &(struct notice){
                         .kind = NOTICE_INVITATION,
                         .language = mailing_language(&by), /* of colleagues, the likeliest */
                         .about = invitation,
                         .expires_at = wall_after_ms(clock_wall(gateway_worker_of(request)->gateway->clock),
                                                     INVITATION_HOURS * INT64_C(3600000)),
                         .to = email,
                         .workspace = setting.workspace.name,
                         .by = by.name,
                         .link = link,
                     },
                     out);
}

enum err
mailing_put(struct db_tx *tx, const struct mailing *mailing)
{
    if (!mailing->is_there)
        return ERR_OK;
    enum err err = db_tx_turn_to(tx, tenant_platform);
    return err == ERR_OK ? notice_put(tx, &mailing->sealed) : err;
}

enum err
mailing_withdraw(struct db_tx *tx, const struct http_request *request, struct id about)
{
    if (!mailing_is_on(request))
        return ERR_OK;
    enum err err = db_tx_turn_to(tx, tenant_platform);
    return err == ERR_OK ? notice_withdraw(tx, about) : err;
}
