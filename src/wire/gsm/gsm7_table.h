/* The tables of the 7-bit alphabets, as code points; gsm7.c alone reads them. */
#ifndef WIRE_GSM_GSM7_TABLE_H
#define WIRE_GSM_GSM7_TABLE_H
#include "wire/gsm/gsm7.h"

/* 0: nothing there. A table that a language does not have is the default one. */
struct gsm7_table {
    uint16_t code_points[128];
};
void gsm7_locking_table(enum gsm7_language language, struct gsm7_table *out);
void gsm7_single_table(enum gsm7_language language, struct gsm7_table *out);

#endif
