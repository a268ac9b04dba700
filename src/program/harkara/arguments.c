#include "program/harkara/arguments.h"
#include "core/slice.h"

static const struct argument_option *
option_find(const struct argument_option *options, struct slice name)
{
    for (; options->name != NULL; options++)
        if (slice_eq(name, slice_text(options->name)))
            return options;
    return NULL;
}

static bool
is_given(const struct arguments *arguments, const struct argument_option *option)
{
    for (size_t i = 0; i < arguments->count; i++)
        if (arguments->given[i].option == option)
            return true;
    return false;
}

/* One option at *at, with the word behind it when that is its value. */
static enum err
option_take(struct arguments *arguments, int count, char *const *words, int *at, struct complaint *complaint)
{
    struct slice rest = slice_text(words[*at]);
    bool has_value = slice_find(rest, '=') < rest.len;
    struct slice name = slice_take_until(&rest, '=');
    const struct argument_option *option = option_find(arguments->options, name);
    const char *value = has_value ? words[*at] + name.len + 1 : NULL;

    if (option == NULL) {
        complaint_set(complaint, "%.*s is not an option of this command", SLICE_FMT(name));
        return ERR_QUERY;
    }
    if (option->value_name == NULL && has_value) {
        complaint_set(complaint, "%s takes no value", option->name);
        return ERR_QUERY;
    }
    if (option->value_name != NULL && !has_value) {
        if (*at + 1 >= count || words[*at + 1][0] == '-') {
            complaint_set(complaint, "%s needs a value: %s %s", option->name, option->name,
                          option->value_name);
            return ERR_QUERY;
        }
        value = words[++*at];
    }
    if (!option->is_repeatable && is_given(arguments, option)) {
        complaint_set(complaint, "%s may be given only once", option->name);
        return ERR_QUERY;
    }
    arguments->given[arguments->count].option = option;
    arguments->given[arguments->count++].value = value;
    return ERR_OK;
}

static bool
help_is_asked(int count, char *const *words)
{
    for (int i = 0; i < count; i++)
        if (slice_eq(slice_text(words[i]), SLICE("--help")) || slice_eq(slice_text(words[i]), SLICE("-h")))
            return true;
    return false;
}

enum err
arguments_parse(int count, char *const *words, const struct argument_option *options, size_t words_min,
                size_t words_max, struct arguments *out, struct complaint *complaint)
{
    size_t word_count = 0;

    *out = (struct arguments){ .options = options, .wants_help = help_is_asked(count, words) };
    if (out->wants_help)
        return ERR_OK;
    for (int i = 0; i < count; i++) {
        if (out->count == ARGUMENTS_MAX) {
            complaint_set(complaint, "more than %u arguments", ARGUMENTS_MAX);
            return ERR_QUERY;
        }
        if (words[i][0] == '-') {
            enum err err = option_take(out, count, words, &i, complaint);
            if (err != ERR_OK)
                return err;
        } else if (word_count++ < words_max) {
            out->given[out->count++].value = words[i];
        } else {
            complaint_set(complaint, "\"%s\" is not expected here", words[i]);
            return ERR_QUERY;
        }
    }
    for (const struct argument_option *option = options; option->name != NULL; option++) {
        if (option->is_required && !is_given(out, option)) {
            complaint_set(complaint, "%s %s is missing", option->name, option->value_name);
            return ERR_QUERY;
        }
    }
    if (word_count < words_min) {
        complaint_set(complaint, "an argument is missing");
        return ERR_QUERY;
    }
    return ERR_OK;
}

const char *
arguments_nth(const struct arguments *arguments, const char *name, size_t nth)
{
    const struct argument_option *option = option_find(arguments->options, slice_text(name));

    if (option == NULL)
        bug("an option that is not in the command's table");
    for (size_t i = 0; i < arguments->count; i++)
        if (arguments->given[i].option == option && nth-- == 0)
            return arguments->given[i].value;
    return NULL;
}

const char *
arguments_value(const struct arguments *arguments, const char *name)
{
    return arguments_nth(arguments, name, 0);
}

bool
arguments_has(const struct arguments *arguments, const char *name)
{
    const struct argument_option *option = option_find(arguments->options, slice_text(name));

    if (option == NULL)
        bug("an option that is not in the command's table");
    return is_given(arguments, option);
}

const char *
arguments_word(const struct arguments *arguments, size_t nth)
{
    for (size_t i = 0; i < arguments->count; i++)
        if (arguments->given[i].option == NULL && nth-- == 0)
            return arguments->given[i].value;
    return NULL;
}
