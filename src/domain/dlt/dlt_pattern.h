/*
 * A template of India's registry: fixed text and variables, written {#var#}, {#numeric#} ...
 * (dlt_variable.def). Compiled once per look, in time linear in its length.
 */
#ifndef DLT_PATTERN_H
#define DLT_PATTERN_H
#include "domain/dlt/dlt_text.h"

#define DLT_VARIABLES_MAX       32u
#define DLT_VARIABLE_POINTS_MAX 200u /* the longest value that a template may ask for */

enum dlt_variable {
#define DLT_VARIABLE(name, tag, points_max, takes) DLT_VARIABLE_##name,
#include "domain/dlt/dlt_variable.def"
#undef DLT_VARIABLE
    DLT_VARIABLE_COUNT
};

/* What a portal keeps beside a text that has only {#var#} in it. */
struct dlt_variable_rule {
    enum dlt_variable type;
    uint32_t points_max; /* 0: as the type says */
};

struct dlt_pattern_variable {
    enum dlt_variable type;
    uint32_t points_max;
    uint32_t start, end; /* the tag's place in the template, in code points */
};

struct dlt_fixed {
    const uint32_t *points; /* borrowed: in the pattern's text */
    uint32_t count;
};

/* fixed[0] variable[0] fixed[1] ... fixed[variable_count]: pieces of fixed text may be empty. */
struct dlt_pattern {
    struct dlt_text text;
    struct dlt_pattern_variable variables[DLT_VARIABLES_MAX];
    struct dlt_fixed fixed[DLT_VARIABLES_MAX + 1];
    uint32_t variable_count, fixed_points;
};

/* What portals would not register, or what is against the direction of November 2025; old templates may have
 * it. */
enum dlt_remark {
    DLT_REMARK_ADJACENT = 1u << 0, /* variables with nothing but blanks or marks between them */
    DLT_REMARK_MANY = 1u << 1,     /* more than three variables */
    DLT_REMARK_FIXED = 1u << 2,    /* less than three tenths of it are fixed text */
    DLT_REMARK_BLANKS = 1u << 3,   /* two blanks in a row, or blanks at an end */
    DLT_REMARK_ANGLES = 1u << 4,   /* '<' or '>' */
    DLT_REMARK_UNTYPED = 1u << 5,  /* {#var#} without a type */
};

/* "var", "numeric" ... and how it is said what its values are. */
struct slice dlt_variable_text(enum dlt_variable type);
struct slice dlt_variable_takes(enum dlt_variable type);
uint32_t dlt_variable_points_max(enum dlt_variable type);
/* ERR_NOT_FOUND. Takes "number" as well, which some portals write for "numeric". */
MUST_CHECK enum err dlt_variable_read(struct slice text, enum dlt_variable *out);

/*
 * rules: of the first rule_count variables, over what their tags say. ERR_UTF8, ERR_LIMIT (length, number of
 * variables) and ERR_NO_MEMORY as dlt_text_read; ERR_ENCODING: a tag {#...#} that is none of ours, or a rule
 * without a variable.
 */
MUST_CHECK enum err dlt_pattern_read(struct arena *arena, struct slice text,
                                     const struct dlt_variable_rule *rules, size_t rule_count,
                                     struct dlt_pattern *out);
/* enum dlt_remark bits. */
unsigned dlt_pattern_remarks(const struct dlt_pattern *pattern);

#endif
