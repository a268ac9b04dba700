/* The variables of a template's text: {{1}} or {{first_name}}. Pure. */
#ifndef DOMAIN_TEMPLATE_TEMPLATE_VARIABLES_H
#define DOMAIN_TEMPLATE_TEMPLATE_VARIABLES_H
#include "core/slice.h"

#define TEMPLATE_VARIABLES_MAX 100u /* different ones in one text */

struct template_variables {
    struct slice
        names[TEMPLATE_VARIABLES_MAX]; /* borrowed from the text; each once, in the order of the text */
    size_t count;
    size_t place_count;  /* occurrences */
    size_t fixed_length; /* characters outside of the variables */
    bool is_balanced;    /* each {{ has its }}, and the other way round */
    bool has_too_many;
    bool is_first, is_last, is_adjacent; /* nothing but white space before, behind, or between two */
};

void template_variables_find(struct slice text, struct template_variables *out);

#endif
