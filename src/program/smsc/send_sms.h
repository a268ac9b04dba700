/* How messages are sent as SMS: what the store's thread reads for them. */
#ifndef PROGRAM_SMSC_SEND_SMS_H
#define PROGRAM_SMSC_SEND_SMS_H
#include "core/clock.h"
#include "program/smsc/sms_job.h"

/* The context of send_sms; borrowed by the store. */
struct send_sms {
    const struct clock *clock;
};
extern const struct send_kind send_sms;

#endif
