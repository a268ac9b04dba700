/* Who asked for a message, or for a change of one: an API key or a person. */
#ifndef DOMAIN_MESSAGE_MESSAGE_BY_H
#define DOMAIN_MESSAGE_MESSAGE_BY_H
#include "core/id.h"
#include <stdbool.h>

struct message_by {
    bool is_person;
    struct id id; /* zero: not known */
};

#endif
