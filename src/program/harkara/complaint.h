/* Why a command did not do what was asked: one line for the operator's terminal. Never holds a secret. */
#ifndef PROGRAM_HARKARA_COMPLAINT_H
#define PROGRAM_HARKARA_COMPLAINT_H
#include "core/attribute.h"

struct complaint {
    char text[640]; /* empty: none */
};

/* Cuts what does not fit, and turns control characters into spaces. */
void complaint_set(struct complaint *complaint, const char *format, ...) FORMAT_LIKE(2, 3);

#endif
