#include "wire/http/problem.h"
#include "wire/json/json.h"

/* The error, or NULL when the list is full. */
static struct problem_error *
problem_next(struct problem *problem)
{
    return problem->count == PROBLEM_ERRORS_MAX ? NULL : &problem->errors[problem->count];
}

void
problem_add(struct problem *problem, struct arena *arena, struct slice pointer, struct slice detail)
{
    struct problem_error *error = problem_next(problem);

    if (error == NULL)
        return;
    *error =
        (struct problem_error){ .pointer = arena_copy(arena, pointer), .detail = arena_copy(arena, detail) };
    if (error->pointer.ptr != NULL && error->detail.ptr != NULL) /* without room the status alone must do */
        problem->count++;
}

void
problem_add_parameter(struct problem *problem, struct arena *arena, struct slice parameter,
                      struct slice detail)
{
    struct problem_error *error = problem_next(problem);

    if (error == NULL)
        return;
    *error = (struct problem_error){ .parameter = arena_copy(arena, parameter),
                                     .detail = arena_copy(arena, detail) };
    if (error->parameter.ptr != NULL && error->detail.ptr != NULL)
        problem->count++;
}

int
problem_status(enum err err)
{
    switch (err_class(err)) {
    case ERR_CLASS_NONE:
        return 200;
    case ERR_CLASS_MALFORMED:
        return 400;
    case ERR_CLASS_UNAUTHENTICATED:
        return 401;
    case ERR_CLASS_FORBIDDEN:
        return 403;
    case ERR_CLASS_NOT_FOUND:
        return 404;
    case ERR_CLASS_METHOD:
        return 405;
    case ERR_CLASS_CONFLICT:
        return 409;
    case ERR_CLASS_PRECONDITION:
        return 412;
    case ERR_CLASS_TOO_LARGE:
        return 413;
    case ERR_CLASS_UNSUPPORTED:
        return 415;
    case ERR_CLASS_INVALID:
        return 422;
    case ERR_CLASS_LIMITED:
        return 429;
    case ERR_CLASS_PEER:
        return 502;
    case ERR_CLASS_UNAVAILABLE:
        return 503;
    case ERR_CLASS_FLOW: /* not an answer: whoever sends it has a fault of ours */
    case ERR_CLASS_INTERNAL:
        return 500;
    }
    bug("an error class without an HTTP status");
}

static void
errors_print(struct buf *out, const struct problem *problem)
{
    buf_add_text(out, ",\"errors\":[");
    for (size_t i = 0; i < problem->count; i++) {
        const struct problem_error *error = &problem->errors[i];
        buf_add_text(out, i == 0 ? "{\"" : ",{\"");
        if (error->parameter.len != 0) {
            buf_add_text(out, "parameter\":");
            json_add_string(out, error->parameter);
        } else {
            buf_add_text(out, "pointer\":");
            json_add_string(out, error->pointer);
        }
        buf_add_text(out, ",\"detail\":");
        json_add_string(out, error->detail);
        buf_add_byte(out, '}');
    }
    buf_add_byte(out, ']');
}

void
problem_print(struct buf *out, enum err err, const struct problem *problem, struct slice request_id)
{
    int status = problem_status(err);

    /* code and title are constants of ours, and the id is printed by us: nothing here needs escaping */
    buf_add_text(out, "{\"type\":\"https://harkara.dev/problems/");
    buf_add_text(out, err_code(err));
    buf_add_text(out, "\",\"title\":");
    json_add_string(out, slice_text(err_title(err)));
    buf_add_text(out, ",\"status\":");
    buf_add_u64(out, (uint64_t)status);
    buf_add_text(out, ",\"code\":\"");
    buf_add_text(out, err_code(err));
    buf_add_byte(out, '"');
    if (problem != NULL && status != 500 && problem->detail.len != 0) {
        buf_add_text(out, ",\"detail\":");
        json_add_string(out, problem->detail);
    }
    if (problem != NULL && problem->limit.len != 0) {
        buf_add_text(out, ",\"limit\":");
        json_add_string(out, problem->limit);
    }
    buf_add_text(out, ",\"instance\":\"/requests/");
    buf_add(out, request_id);
    buf_add_byte(out, '"');
    if (problem != NULL && status != 500 && problem->count != 0)
        errors_print(out, problem);
    buf_add_byte(out, '}');
}
