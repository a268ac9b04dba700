#include "program/harkara/enrolment_link.h"
#include "core/buf.h"
#include "domain/audit/audit.h"
#include "domain/identity/origin.h"
#include "program/harkara/command_vault.h"

struct work {
    struct id workspace;
    int hours;
    struct slice operator;
    struct enrolment enrolment;
    struct secret *token; /* owned */
};

/* The link and its entry in the workspace's log. */
static enum err
make_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    secret_free(work->token); /* of a try that clashed */
    work->token = NULL;
    enum err err =
        enrolment_create(tx, clock_system(), work->workspace, work->hours, &work->enrolment, &work->token);
    if (err == ERR_OK)
        err = db_tx_turn_to(tx, work->workspace);
    if (err != ERR_OK)
        return err;
    const struct audit_act act = { .actor = { .kind = AUDIT_ACTOR_OPERATOR, .name = work->operator},
                                              .action = AUDIT_ENROLMENT_ISSUED,
                                              .object_kind = ID_ENROLMENT,
                                              .object = work->enrolment.id,
                                              .outcome = AUDIT_DONE };
    return audit_append(tx, clock_system(), &act);
}

enum err
enrolment_link_make(const struct command_line *line, struct db *db, struct id workspace,
                    struct enrolment_link *out, struct complaint *complaint)
{
    const struct config *config = &line->config;
    struct work work = { .workspace = workspace,
                         .hours = (int)config->enrolment_hours,
                         .operator= vault_command_operator().name };
    struct origin origin;
    struct buf url;

    *out = (struct enrolment_link){ .url = NULL };
    buf_init(&url, ORIGIN_BYTES_MAX + 100);
    enum err err = origin_read(slice_text(config->origin), slice_text(config->public_url), &origin);
    if (err != ERR_OK)
        complaint_set(complaint, "nobody could sign in: HARKARA_ORIGIN (or else HARKARA_PUBLIC_URL) is to be "
                                 "https://host, or http://localhost");
    if (err == ERR_OK)
        err = db_run(db, tenant_platform, make_in, &work);
    if (err == ERR_OK) {
        buf_add(&url, origin.whole);
        buf_add_text(&url, "/enrol#");
        buf_add(&url, secret_slice(work.token));
        buf_add_byte(&url, '\0');
        err = buf_done(&url);
    }
    if (err == ERR_OK) {
        out->url = secret_copy(buf_slice(&url));
        out->expires_at = work.enrolment.expires_at;
        err = out->url == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    buf_release_wiped(&url);
    secret_free(work.token);
    return err;
}

void
enrolment_link_release(struct enrolment_link *link)
{
    secret_free(link->url);
    link->url = NULL;
}
