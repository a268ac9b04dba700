/* What a command_status says, and what follows from it: SMPP v3.4, section 5.1.3. */
#ifndef WIRE_SMPP_SMPP_STATUS_H
#define WIRE_SMPP_SMPP_STATUS_H
#include <stdint.h>

#define SMPP_OK                  0x00000000u
#define SMPP_INVALID_LENGTH      0x00000002u
#define SMPP_INVALID_COMMAND     0x00000003u
#define SMPP_INVALID_BIND_STATUS 0x00000004u
#define SMPP_ALREADY_BOUND       0x00000005u
#define SMPP_SYSTEM_ERROR        0x00000008u
#define SMPP_INVALID_SOURCE      0x0000000Au
#define SMPP_INVALID_DESTINATION 0x0000000Bu
#define SMPP_INVALID_MESSAGE_ID  0x0000000Cu
#define SMPP_BIND_FAILED         0x0000000Du
#define SMPP_INVALID_PASSWORD    0x0000000Eu
#define SMPP_INVALID_SYSTEM_ID   0x0000000Fu
#define SMPP_CANCEL_FAILED       0x00000011u
#define SMPP_QUEUE_FULL          0x00000014u
#define SMPP_SUBMIT_FAILED       0x00000045u
#define SMPP_THROTTLED           0x00000058u
#define SMPP_TEMPORARY_ERROR     0x00000064u
#define SMPP_PERMANENT_ERROR     0x00000065u
#define SMPP_VENDOR_FIRST        0x00000400u /* each operator's own, up to ... */
#define SMPP_VENDOR_LAST         0x000004FFu

enum smpp_action {
    SMPP_ACTION_NONE,      /* it was done */
    SMPP_ACTION_RETRY,     /* the same again, later */
    SMPP_ACTION_RETRY_FEW, /* the same, but not for long */
    SMPP_ACTION_THROTTLE,  /* the whole link more slowly, then the same again */
    SMPP_ACTION_FAIL,      /* this message never */
    SMPP_ACTION_MISTAKE,   /* the request or the connector's settings are wrong: this message never */
    SMPP_ACTION_REBIND,    /* the session is not what it should be: begin anew */
    SMPP_ACTION_STOP,      /* the account was refused: somebody has to look, no further try by itself */
};

/* Of a code that nobody knows, and of a vendor's: RETRY_FEW. */
enum smpp_action smpp_status_action(uint32_t status);
/* "ESME_RTHROTTLED"; "vendor" or "unknown" for others. Never NULL. */
const char *smpp_status_word(uint32_t status);

#endif
