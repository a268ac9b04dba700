/* The link that lets a workspace's first owner in: made by whoever may use the command line, shown once. */
#ifndef PROGRAM_HARKARA_ENROLMENT_LINK_H
#define PROGRAM_HARKARA_ENROLMENT_LINK_H
#include "domain/identity/enrolment.h"
#include "platform/db/db.h"
#include "program/harkara/command.h"

struct enrolment_link {
    struct wall_time expires_at;
    struct secret *url; /* owned; with a NUL at its end */
};
/* As harkara_admin. ERR_CONFIG: the settings name no origin that people could sign in at; the complaint says
 * so. */
MUST_CHECK enum err enrolment_link_make(const struct command_line *line, struct db *db, struct id workspace,
                                        struct enrolment_link *out, struct complaint *complaint);
void enrolment_link_release(struct enrolment_link *link);

#endif
