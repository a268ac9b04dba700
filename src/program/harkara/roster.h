/* Who there is and who may talk to whom: the one table. A process gets what its row says and nothing else. */
#ifndef PROGRAM_HARKARA_ROSTER_H
#define PROGRAM_HARKARA_ROSTER_H
#include "core/config.h"
#include "wire/vault/vault_frame.h"
#include <stdbool.h>

enum roster_follows {
    ROSTER_FOLLOWS_NEVER,
    ROSTER_FOLLOWS_WITH_DATABASE, /* only when the database is reached by TCP */
    ROSTER_FOLLOWS_ALWAYS,
};

struct roster_row {
    const char *name; /* the executable; as root its user is harkara-NAME */
    enum config_role settings;
    const char *login;   /* its user in the database; NULL: no database */
    unsigned vault_role; /* enum vault_role of its link to the vault; 0: none */
    unsigned stage;      /* when all stop: stage 0 finishes first */
    bool has_listener;   /* the API's socket, shared */
    bool has_mail;       /* the password of the mail relay */
    bool has_limits;     /* the memory in which limits are counted, shared */
    bool has_admin;      /* the admin socket and all processes' pages: instance 0 only */
    /* Resolves names or checks certificates, and so is started anew when those files are replaced. */
    enum roster_follows follows;
};

#define ROSTER_STAGES 3u

/* Ends with a NULL name. The vault is the first row. */
extern const struct roster_row roster[];
/* How many processes of a row the settings ask for. */
unsigned roster_count(const struct roster_row *row, const struct config *config);
/* Connections to the database that all of them and the command line may hold at a time. */
int roster_connections(const struct config *config);

/* The command line's own user in the database. */
#define ROSTER_ADMIN_LOGIN "harkara_admin"

#endif
