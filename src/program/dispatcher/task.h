/*
 * What a handler of a provider task sees. A handler is straight-line code on a thread of its own: it makes
 * its calls one after another with task_call, returns their errors as they are, and leaves a result. What
 * becomes of the task (done, again later, failed) follows from the error; see task_plan.h. Handlers are rows
 * of task_table.c.
 *
 * A task may run more than once: its process may die, or an answer be lost. Then the claim is_unsure, and a
 * handler whose call must not be repeated looks first. What a call brought that must not be lost is written
 * with task_write before the next one.
 */
#ifndef PROGRAM_DISPATCHER_TASK_H
#define PROGRAM_DISPATCHER_TASK_H
#include "core/arena.h"
#include "core/secret.h"
#include "domain/channel/provider_task.h"
#include "domain/channel/whatsapp/whatsapp_error.h"
#include "platform/net/http_client.h"
#include <jansson.h>

struct task_runner;
struct task_uploads;

struct task_run {
    const struct provider_task_claim *claim;
    const struct clock *clock;
    const struct vault *vault;
    struct arena *arena; /* of this run; wiped after it */
    /* Of the channel, borrowed. */
    struct slice waba_id, phone_number_id;
    uint32_t revision; /* when its token was read */
    bool has_token;
    struct slice request; /* the opened request, JSON; empty: none. In locked memory, borrowed */
    /* Left by the handler. */
    struct slice result; /* JSON object, in the arena; empty: {}. Nothing personal, no secrets */
    void *state;         /* the handler's own, in the arena: from `run` to `record` */
    /* Set before `record`. */
    bool is_done; /* else it has failed for good */
    /* Why the last call or the run failed, in the words that are stored and shown. */
    char error_code[WHATSAPP_ERROR_CODE_BYTES];
    const char *error_title, *error_class; /* class NULL: nothing failed */
    struct whatsapp_error error;           /* of the last task_call that was refused */
    int http_status;                       /* of its answer; 0: none */
    struct task_runner *runner;            /* the house's own, as the next */
    struct task_uploads *uploads;          /* of task_upload.c; NULL until it is needed */
};

struct task_handler {
    /* Outside of any transaction. */
    enum err (*run)(struct task_run *run);
    /*
     * In the transaction that finishes the task, whether done or failed: applies what came of it. NULL:
     * nothing. It may be run again when the transaction clashes with another.
     */
    enum err (*record)(struct db_tx *tx, struct task_run *run);
};
/* By kind; every kind has one. */
extern const struct task_handler task_table[PROVIDER_TASK_KINDS];

struct task_request {
    const char *method;        /* "GET", "POST", "DELETE" */
    struct slice path;         /* behind the version: "/106540352242922/register", with its query */
    struct slice body;         /* JSON; empty: none */
    struct slice bearer;       /* NULL ptr: the channel's access token */
    bool is_anonymous;         /* without any */
    const char *bearer_scheme; /* another word than Bearer, a literal; NULL: Bearer */
    const char *header;        /* one more: "Name: value"; NULL: none */
    /* Of media, which is not held whole. */
    const char *url; /* instead of `path`: the whole of it, of the provider's choice; checked by the caller */
    const char *content_type;  /* of `source`: "Content-Type: ..." */
    struct http_source source; /* instead of `body` */
    struct http_sink sink;     /* an answer of status 200 goes there, and *answer_out is NULL */
    int timeout_ms;            /* 0: the setting's */
};

/*
 * One call to the Graph API. *answer_out (may be NULL) is its JSON, borrowed until the run ends.
 * ERR_PROVIDER_REFUSED: run->error says why, also when no answer came. ERR_STATE_CONFLICT: the task is
 * another's by now. ERR_STOPPING: the process ends. ERR_VAULT_*, ERR_DB_*.
 */
MUST_CHECK enum err task_call_with(struct task_run *run, const struct task_request *request,
                                   const json_t **answer_out);
/* Holds the claim for as long again, when less than that is left of it: for callbacks of a long call. */
MUST_CHECK enum err task_hold(struct task_run *run);
MUST_CHECK enum err task_call(struct task_run *run, const char *method, struct slice path, struct slice body,
                              const json_t **answer_out);

/* A transaction of the task's tenant, under its claim. ERR_STATE_CONFLICT: the task is another's by now. */
MUST_CHECK enum err task_write(struct task_run *run, enum err (*work)(struct db_tx *tx, void *ctx),
                               void *ctx);
/* A reading one; the claim is not looked at. */
MUST_CHECK enum err task_read(struct task_run *run, enum err (*work)(struct db_tx *tx, void *ctx), void *ctx);

/* The access token of this run, borrowed; empty: none. */
struct slice task_token(const struct task_run *run);
/* A token that the run has got itself; copied into locked memory. It is not kept anywhere else.
 * ERR_NO_MEMORY. */
MUST_CHECK enum err task_use_token(struct task_run *run, struct slice token);

/* Ends the task with a reason of ours: literals. Returns ERR_PROVIDER_REFUSED, for the handler to return. */
MUST_CHECK enum err task_fail(struct task_run *run, const char *code, const char *title);
/* run->result becomes the printed value, which is taken. ERR_NO_MEMORY, ERR_LIMIT. */
MUST_CHECK enum err task_result(struct task_run *run, json_t *value);
/* As it stands in a query, behind `name`: everything but the unreserved characters is escaped (RFC
 * 3986, 2.3). */
void task_query_add(struct buf *out, const char *name, struct slice value);
/* A value printed into the arena; taken. */
MUST_CHECK enum err task_print(struct task_run *run, json_t *value, struct slice *out);

#endif
