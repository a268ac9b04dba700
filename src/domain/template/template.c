#include "domain/template/template.h"

static const char *const change_words[] = { [TEMPLATE_CHANGE_NONE] = NULL,
                                            [TEMPLATE_CHANGE_CREATE] = "create",
                                            [TEMPLATE_CHANGE_EDIT] = "edit",
                                            [TEMPLATE_CHANGE_DELETE] = "delete",
                                            [TEMPLATE_CHANGE_UNPAUSE] = "unpause" };
static const char *const quality_words[] = { [TEMPLATE_QUALITY_UNKNOWN] = "unknown",
                                             [TEMPLATE_QUALITY_GREEN] = "green",
                                             [TEMPLATE_QUALITY_YELLOW] = "yellow",
                                             [TEMPLATE_QUALITY_RED] = "red" };

const char *
template_change_word(enum template_change change)
{
    if ((unsigned)change >= COUNT_OF(change_words))
        bug("no such template change");
    return change_words[change];
}

const char *
template_quality_word(enum template_quality quality)
{
    if ((unsigned)quality >= COUNT_OF(quality_words))
        bug("no such template quality");
    return quality_words[quality];
}

enum template_quality
template_quality_of(struct slice word)
{
    for (unsigned i = 0; i < COUNT_OF(quality_words); i++)
        if (slice_eq_nocase(word, slice_text(quality_words[i])))
            return (enum template_quality)i;
    return TEMPLATE_QUALITY_UNKNOWN;
}

static struct vault_place
place(struct id tenant, struct id template, const char *column)
{
    return (struct vault_place){ .tenant = tenant, .table = "template", .column = column, .row = template };
}

struct vault_place
template_components_place(struct id tenant, struct id template)
{
    return place(tenant, template, "components");
}

struct vault_place
template_draft_place(struct id tenant, struct id template)
{
    return place(tenant, template, "draft");
}
