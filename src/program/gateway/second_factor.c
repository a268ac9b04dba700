#include "program/gateway/second_factor.h"
#include "domain/identity/recovery_code.h"
#include "domain/identity/throttle.h"
#include "program/gateway/person_gate.h"

#define KIND "code"

struct look {
    struct id person;
    struct arena *arena;
    struct totp totp;
};

static enum err
look_in(struct db_tx *tx, void *ctx)
{
    struct look *look = ctx;

    return totp_read(tx, look->person, look->arena, &look->totp);
}

static enum err
count(struct http_request *request, struct id person)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    int wait_s = 0;
    enum err err =
        throttle_take(worker->db, worker->gateway->clock, KIND, slice_of(person.bytes, ID_BYTES), &wait_s);

    if (err == ERR_THROTTLED)
        request->problem.retry_after_s = (uint32_t)wait_s;
    return err;
}

static enum err
check(struct http_request *request, struct id person, struct slice code, bool is_confirmed,
      struct second_factor *out)
{
    const struct gateway_worker *worker = gateway_worker_of(request);
    const struct clock *clock = worker->gateway->clock;
    struct look look = { .person = person, .arena = request->arena };
    enum err err = count(request, person);

    if (err == ERR_OK)
        err = platform_read(request, look_in, &look);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && look.totp.is_confirmed != is_confirmed))
        err = ERR_CODE_REFUSED;
    *out = (struct second_factor){ .factor = SESSION_TOTP, .person = person, .totp = look.totp };
    return err == ERR_OK ? totp_code_check(&worker->vault, &out->totp, code, clock_wall(clock), &out->step)
                         : err;
}

enum err
second_factor_check(struct http_request *request, struct id person, struct slice code,
                    struct second_factor *out)
{
    return check(request, person, code, true, out);
}

enum err
second_factor_first(struct http_request *request, struct id person, struct slice code,
                    struct second_factor *out)
{
    return check(request, person, code, false, out);
}

enum err
second_factor_recovery(struct http_request *request, struct id person, struct slice text,
                       struct second_factor *out)
{
    *out = (struct second_factor){ .factor = SESSION_RECOVERY_CODE, .person = person, .recovery_code = text };
    return count(request, person);
}

enum err
second_factor_take(struct db_tx *tx, const struct clock *clock, const struct second_factor *factor)
{
    enum err err = factor->factor == SESSION_RECOVERY_CODE
                       ? recovery_code_take(tx, factor->person, factor->recovery_code, clock_wall(clock))
                       : totp_take(tx, &factor->totp, factor->step, clock_wall(clock));

    return err == ERR_OK ? throttle_clear(tx, KIND, slice_of(factor->person.bytes, ID_BYTES)) : err;
}
