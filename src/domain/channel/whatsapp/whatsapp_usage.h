/*
 * How much of the Graph API's allowance is used up: the header fields X-App-Usage and
 * X-Business-Use-Case-Usage of its answers. Source: Graph API, rate limiting.
 *
 *   X-App-Usage: {"call_count":28,"total_time":25,"total_cputime":25}
 *   X-Business-Use-Case-Usage: {"{account id}":[{"type","call_count","total_cputime","total_time",
 *                               "estimated_time_to_regain_access"}]}
 *
 * Percentages are whole numbers, times are minutes. The API refuses at 100 of any of the three.
 */
#ifndef DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_USAGE_H
#define DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_USAGE_H
#include "core/slice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHATSAPP_USAGE_APP_FIELD      "X-App-Usage"
#define WHATSAPP_USAGE_BUSINESS_FIELD "X-Business-Use-Case-Usage"

#define WHATSAPP_USAGE_BYTES_MAX 8192u
#define WHATSAPP_USAGE_ACCOUNTS_MAX                                                                          \
    8u                                 /* of one answer; Meta names those that the call touched, mostly one  \
                                        */
#define WHATSAPP_USAGE_ID_MAX      32u /* decimal digits */
#define WHATSAPP_USAGE_PERCENT_MAX 1000
#define WHATSAPP_REGAIN_S_MAX      86400u /* the windows are of an hour and of a day */

struct whatsapp_account_usage {
    char id[WHATSAPP_USAGE_ID_MAX + 1];
    int percent;       /* the highest of all its rows */
    uint32_t regain_s; /* until the API takes calls again; 0: it does now */
};

struct whatsapp_usage {
    bool has_app;
    int app_percent; /* the highest of the three */
    struct whatsapp_account_usage accounts[WHATSAPP_USAGE_ACCOUNTS_MAX];
    size_t account_count;
};

/* Of an answer's two fields; either may be empty. Cannot fail: what cannot be read says nothing. */
void whatsapp_usage_read(struct slice app, struct slice business, struct whatsapp_usage *out);
/* The longest regain_s of all accounts. */
uint32_t whatsapp_usage_regain_s(const struct whatsapp_usage *usage);

#endif
