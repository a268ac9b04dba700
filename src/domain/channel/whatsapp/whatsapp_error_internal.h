/* The table of codes, shared by whatsapp_error.c and its test. */
#ifndef DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_ERROR_INTERNAL_H
#define DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_ERROR_INTERNAL_H
#include "domain/channel/whatsapp/whatsapp_error.h"

struct whatsapp_error_row {
    int32_t first, last; /* a range of codes; mostly one */
    enum whatsapp_error_class class;
    enum whatsapp_error_scope scope;
    uint32_t retry_after_s;
    const char *title;
};

/* In growing order, without overlaps. */
extern const struct whatsapp_error_row whatsapp_error_rows[];
extern const size_t whatsapp_error_row_count;

#endif
