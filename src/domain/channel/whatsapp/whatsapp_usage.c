#include "domain/channel/whatsapp/whatsapp_usage.h"
#include "core/attribute.h"
#include "domain/channel/whatsapp/whatsapp_json_internal.h"
#include "wire/json/json.h"
#include "wire/json/json_foreign.h"
#include <string.h>

#define MINUTE_S 60

/* The highest of the three counters; false: none is there. */
static bool
percent_read(const json_t *row, int *percent)
{
    static const char *const counters[] = { "call_count", "total_time", "total_cputime" };
    bool is_given = false;

    for (size_t i = 0; i < COUNT_OF(counters); i++) {
        int64_t given = 0;
        if (!whatsapp_json_int(row, counters[i], &given) || given < 0)
            continue;
        is_given = true;
        if (given > *percent)
            *percent = given < WHATSAPP_USAGE_PERCENT_MAX ? (int)given : WHATSAPP_USAGE_PERCENT_MAX;
    }
    return is_given;
}

static void
regain_read(const json_t *row, uint32_t *regain_s)
{
    int64_t minutes = 0;

    if (!whatsapp_json_int(row, "estimated_time_to_regain_access", &minutes) || minutes <= 0)
        return;
    uint32_t given_s =
        minutes < WHATSAPP_REGAIN_S_MAX / MINUTE_S ? (uint32_t)minutes * MINUTE_S : WHATSAPP_REGAIN_S_MAX;
    if (given_s > *regain_s)
        *regain_s = given_s;
}

static bool
is_id(const char *text, size_t len)
{
    if (len == 0 || len > WHATSAPP_USAGE_ID_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return true;
}

/* {"{id}":[{...}, ...]} */
static void
accounts_read(json_t *tree, struct whatsapp_usage *out)
{
    const char *id;
    json_t *rows;

    json_object_foreach(tree, id, rows)
    {
        struct whatsapp_account_usage account = { .percent = 0 };
        bool is_given = false;

        if (out->account_count == WHATSAPP_USAGE_ACCOUNTS_MAX)
            return;
        if (!is_id(id, strlen(id)))
            continue;
        for (size_t i = 0; i < json_array_size(rows); i++) {
            const json_t *row = json_array_get(rows, i);
            is_given |= percent_read(row, &account.percent);
            regain_read(row, &account.regain_s);
        }
        if (!is_given && account.regain_s == 0)
            continue;
        memcpy(account.id, id, strlen(id) + 1);
        out->accounts[out->account_count++] = account;
    }
}

static json_t *
field_parse(struct slice field)
{
    json_t *tree = NULL;

    if (field.len == 0 || field.len > WHATSAPP_USAGE_BYTES_MAX || json_parse_foreign(field, &tree) != ERR_OK)
        return NULL;
    return tree;
}

void
whatsapp_usage_read(struct slice app, struct slice business, struct whatsapp_usage *out)
{
    json_t *app_tree = field_parse(app), *business_tree = field_parse(business);

    *out = (struct whatsapp_usage){ .has_app = false };
    out->has_app = percent_read(app_tree, &out->app_percent);
    if (json_is_object(business_tree))
        accounts_read(business_tree, out);
    json_decref(app_tree);
    json_decref(business_tree);
}

uint32_t
whatsapp_usage_regain_s(const struct whatsapp_usage *usage)
{
    uint32_t longest = 0;

    for (size_t i = 0; i < usage->account_count; i++)
        if (usage->accounts[i].regain_s > longest)
            longest = usage->accounts[i].regain_s;
    return longest;
}
