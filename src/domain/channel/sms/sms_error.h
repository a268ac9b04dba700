/*
 * What an operator's error code says, in plain words. India's registries (DLT) have common numbers, and so
 * have the networks; an operator may use others, so a connector says whether these are its own.
 */
#ifndef DOMAIN_CHANNEL_SMS_SMS_ERROR_H
#define DOMAIN_CHANNEL_SMS_SMS_ERROR_H
#include "core/slice.h"

struct sms_error {
    const char *code;  /* "dlt-template-not-found", for programs */
    const char *title; /* what happened, and what mends it */
    const char *class; /* "permanent" or "retry" */
};
/* `code` as the receipt writes it, such as "630" or "00b". NULL: nobody knows it. */
const struct sms_error *sms_error_find(struct slice code);

#endif
