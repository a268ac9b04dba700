/* What the routes of people, roles, teams, invitations and access reviews share. */
#ifndef PROGRAM_GATEWAY_PEOPLE_H
#define PROGRAM_GATEWAY_PEOPLE_H
#include "domain/identity/membership.h"
#include "domain/identity/person.h"
#include "program/gateway/gateway.h"

/* What whoever asks may hand out, as of this transaction. */
MUST_CHECK enum err people_authority(struct db_tx *tx, const struct http_request *request,
                                     struct authority *out);
/* A built-in word or "rol_..."; ERR_ROLE_UNKNOWN, noted at `pointer`. */
MUST_CHECK enum err people_role_read(struct http_request *request, struct slice text, const char *pointer,
                                     struct role_ref *out);
/* The ids of a list of the body, each once, which the contract has bounded. *out lies in the arena. `unknown`
 * is what one that is no id of this kind is. */
MUST_CHECK enum err people_ids_read(struct http_request *request, const char *member, enum id_kind kind,
                                    enum err unknown, struct id **out, size_t *count_out);
/* "channels" go with the scope "channels" alone. ERR_CONTRACT, noted. */
MUST_CHECK enum err people_reach_read(struct http_request *request, struct slice scope, bool has_channels,
                                      enum membership_reach *out);
/* The pointer of what a failed change meant, where there is one. Returns err. */
enum err people_problem(struct http_request *request, enum err err);

/* Names and addresses of these people, of those that are known. *out lies in the arena. */
MUST_CHECK enum err people_read(struct http_request *request, const struct id *ids, size_t count,
                                struct person **out, size_t *count_out);
const struct person *people_find(const struct person *people, size_t count, struct id person);

/* NULL without memory. */
json_t *people_show_role(const struct role_ref *role);
json_t *people_show_ids(enum id_kind kind, const struct id *ids, size_t count);
json_t *people_show_permissions(uint64_t permissions);
json_t *people_show_time(struct wall_time t); /* null for us 0 */
/* {"kind": "person", "id": "usr_..."}; null for an empty kind. */
json_t *people_show_actor(struct slice kind, struct id id);

#endif
