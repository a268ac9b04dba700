/* Source: Cloud API, payments (India, Brazil): what holds between the amounts of one order. */
#include "core/attribute.h"
#include "core/num.h"
#include "domain/channel/whatsapp/whatsapp_content_internal.h"

/* 0 when the member is not there: tax, shipping and discount may be left out. */
static int64_t
amount_of(const json_t *order, const char *member)
{
    int64_t value = 0;

    return json_int_of(json_member(order, member), "value", &value) ? value : 0;
}

void
content_order_check(struct content_check *check, const json_t *details)
{
    const json_t *order = json_member(details, "order");
    int64_t total = 0, sum = 0;

    if (!json_int_of(json_member(details, "total_amount"), "value", &total))
        return; /* the contract's to say */
    if (__builtin_add_overflow(amount_of(order, "subtotal"), amount_of(order, "tax"), &sum) ||
        __builtin_add_overflow(sum, amount_of(order, "shipping"), &sum) ||
        __builtin_sub_overflow(sum, amount_of(order, "discount"), &sum) || sum != total) {
        size_t before = content_enter(check, "total_amount");
        content_fault_at(check, "value", "must be the subtotal with tax and shipping, less the discount");
        content_leave(check, before);
    }
}
