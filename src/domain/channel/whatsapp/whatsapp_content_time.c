/* Source: Cloud API, payments: an order's payment can expire, and not sooner than five minutes ahead. */
#include "core/num.h"
#include "domain/channel/whatsapp/whatsapp_content_internal.h"

/* order_details, in a message of its own or behind a template's button. */
static void
order_time_check(struct content_check *check, const json_t *details, struct wall_time leaves_at)
{
    const json_t *expiration = json_member(json_member(details, "order"), "expiration");
    uint64_t seconds = 0, least = 0;

    if (num_u64_parse(json_text_of(expiration, "timestamp"), &seconds) != ERR_OK)
        return; /* there is none, or it is the contract's to say */
    if (leaves_at.us > 0)
        least = (uint64_t)(leaves_at.us / 1000000);
    if (seconds >= least && seconds - least >= WHATSAPP_ORDER_EXPIRY_S_MIN)
        return;
    size_t before = content_enter(check, "order");
    (void)content_enter(check, "expiration");
    content_fault_at(check, "timestamp", "must be at least 300 seconds after the message can leave");
    content_leave(check, before);
}

static void
interactive_times_check(struct content_check *check, const json_t *interactive, struct wall_time leaves_at)
{
    size_t before = content_enter(check, "action");

    (void)content_enter(check, "parameters");
    order_time_check(check, json_member(json_member(interactive, "action"), "parameters"), leaves_at);
    content_leave(check, before);
}

static void
template_times_check(struct content_check *check, const json_t *template, struct wall_time leaves_at)
{
    const json_t *components = json_member(template, "components");
    size_t before = content_enter(check, "components");

    for (size_t i = 0; i < json_array_size(components); i++) {
        const json_t *parameters = json_member(json_array_get(components, i), "parameters");
        size_t component = content_enter_index(check, i);
        (void)content_enter(check, "parameters");
        for (size_t k = 0; k < json_array_size(parameters); k++) {
            const json_t *action = json_member(json_array_get(parameters, k), "action");
            size_t parameter = content_enter_index(check, k);
            (void)content_enter(check, "action");
            (void)content_enter(check, "order_details");
            order_time_check(check, json_member(action, "order_details"), leaves_at);
            content_leave(check, parameter);
        }
        content_leave(check, component);
    }
    content_leave(check, before);
}

enum err
whatsapp_content_check_times(const json_t *content, struct wall_time leaves_at, struct slice at,
                             struct arena *arena, struct problem *problem)
{
    struct content_check check = { .arena = arena, .problem = problem };
    struct slice type = json_text_of(content, "type");

    buf_init(&check.at, JSON_POINTER_MAX);
    buf_add(&check.at, at);
    if (slice_eq(type, SLICE("interactive"))) {
        (void)content_enter(&check, "interactive");
        interactive_times_check(&check, json_member(content, "interactive"), leaves_at);
    } else if (slice_eq(type, SLICE("template"))) {
        (void)content_enter(&check, "template");
        template_times_check(&check, json_member(content, "template"), leaves_at);
    }
    enum err err = buf_done(&check.at);
    buf_release(&check.at);
    return err == ERR_OK && check.fault_count > 0 ? ERR_MESSAGE_INVALID : err;
}
