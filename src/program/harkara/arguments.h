/* The words and options behind a command: "--name VALUE", "--name=VALUE", "--flag", plain words. */
#ifndef PROGRAM_HARKARA_ARGUMENTS_H
#define PROGRAM_HARKARA_ARGUMENTS_H
#include "core/err.h"
#include "program/harkara/complaint.h"
#include <stdbool.h>
#include <stddef.h>

struct argument_option {
    const char *name;       /* "--name"; NULL ends a table */
    const char *value_name; /* for the help; NULL: a flag, without a value */
    const char *help;
    bool is_required, is_repeatable;
};

#define ARGUMENTS_MAX 128u

struct arguments {
    const struct argument_option *options; /* the table; borrowed */
    struct {
        const struct argument_option *option; /* NULL: a plain word */
        const char *value;                    /* borrowed; NULL: a flag */
    } given[ARGUMENTS_MAX];
    size_t count;
    bool wants_help; /* --help or -h stood somewhere; then nothing else was checked */
};

/*
 * `words_max` plain words are allowed, and as many needed as `words_min`. ERR_QUERY: the complaint says what
 * is wrong with the line. A value may be empty, and may begin with "-" only when written as --name=VALUE.
 */
MUST_CHECK enum err arguments_parse(int count, char *const *words, const struct argument_option *options,
                                    size_t words_min, size_t words_max, struct arguments *out,
                                    struct complaint *complaint);
/* The option's value, or NULL. A name that is not in the table is a bug. */
const char *arguments_value(const struct arguments *arguments, const char *name);
bool arguments_has(const struct arguments *arguments, const char *name);
/* The `nth` value of an option that may be repeated, from 0; NULL beyond the last. */
const char *arguments_nth(const struct arguments *arguments, const char *name, size_t nth);
/* The `nth` plain word; NULL beyond the last. */
const char *arguments_word(const struct arguments *arguments, size_t nth);

#endif
