/* Variables in texts: how they are written, where they may stand, and their examples. */
#include "domain/template/template_variables.h"
#include "core/num.h"
#include "domain/template/template_check_internal.h"

#define WORDS_PER_VARIABLE 3u /* of the whole text; below that WhatsApp answers 2388293 */

static bool
is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static bool
is_blank(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_space(text.ptr[i]))
            return false;
    return true;
}

static void
variable_add(struct template_variables *out, struct slice name)
{
    out->place_count++;
    for (size_t i = 0; i < out->count; i++)
        if (slice_eq(out->names[i], name))
            return;
    if (out->count == TEMPLATE_VARIABLES_MAX)
        out->has_too_many = true;
    else
        out->names[out->count++] = name;
}

static size_t
pair_find(struct slice text, size_t from, char byte)
{
    for (size_t i = from; i + 1 < text.len; i++)
        if (text.ptr[i] == byte && text.ptr[i + 1] == byte)
            return i;
    return text.len;
}

void
template_variables_find(struct slice text, struct template_variables *out)
{
    size_t at = 0;

    *out = (struct template_variables){ .is_balanced = true };
    for (;;) {
        size_t open = pair_find(text, at, '{');
        struct slice before = slice_first(slice_drop(text, at), open - at);
        if (pair_find(before, 0, '}') != before.len)
            out->is_balanced = false;
        if (at > 0 && open < text.len && is_blank(before))
            out->is_adjacent = true;
        if (at == 0 && open < text.len && is_blank(before))
            out->is_first = true;
        if (at > 0 && open == text.len && is_blank(before))
            out->is_last = true;
        out->fixed_length += slice_utf8_count(before);
        if (open == text.len)
            return;
        size_t close = pair_find(text, open + 2, '}');
        struct slice name = slice_first(slice_drop(text, open + 2), close - (open + 2));
        if (close == text.len || slice_find(name, '{') != name.len) {
            out->is_balanced = false;
            return;
        }
        variable_add(out, slice_trim(name));
        at = close + 2;
    }
}

static bool
is_name(struct slice name)
{
    if (name.len == 0 || (name.ptr[0] >= '0' && name.ptr[0] <= '9'))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!((name.ptr[i] >= 'a' && name.ptr[i] <= 'z') || (name.ptr[i] >= '0' && name.ptr[i] <= '9') ||
              name.ptr[i] == '_'))
            return false;
    return true;
}

/* {{1}}, {{2}} ... as they come, or names. */
static bool
names_check(struct template_check *check, const char *member, const struct template_variables *found)
{
    for (size_t i = 0; i < found->count; i++) {
        int64_t number = 0;
        if (check->definition->is_named) {
            if (!is_name(found->names[i])) {
                template_fault_at(
                    check, member,
                    "a variable's name is lower-case letters, digits and _, and begins with none "
                    "of the digits (parameter_format is named)");
                return false;
            }
        } else if (num_i64_parse(found->names[i], &number) != ERR_OK || number != (int64_t)i + 1) {
            template_fault_at(check, member,
                              "variables must be {{1}}, {{2}} and so on, in this order (parameter_format is "
                              "positional)");
            return false;
        }
    }
    return true;
}

static bool
found_check(struct template_check *check, const char *member, const struct template_variables *found)
{
    if (!found->is_balanced)
        template_fault_at(check, member, "has braces that do not match: a variable is {{1}} or {{name}}");
    else if (found->has_too_many)
        template_fault_at(check, member, "has more than %u variables", TEMPLATE_VARIABLES_MAX);
    else
        return names_check(check, member, found);
    return false;
}

/* One text for each variable; none of them empty. */
static void
positional_examples_check(struct template_check *check, const json_t *samples, size_t count,
                          const char *member)
{
    size_t given = json_is_string(samples) ? 1 : json_array_size(samples);

    if (given != count) {
        template_fault_at(check, member, "needs an example for each of the %zu variables; it has %zu", count,
                          given);
        return;
    }
    for (size_t i = 0; i < given; i++) {
        const json_t *sample = json_is_string(samples) ? samples : json_array_get(samples, i);
        if (!json_is_string(sample) ||
            is_blank(slice_of(json_string_value(sample), json_string_length(sample))))
            template_fault_at(check, member, "example %zu must be a text that is not empty", i + 1);
    }
}

static void
named_examples_check(struct template_check *check, const json_t *samples,
                     const struct template_variables *found, const char *member)
{
    size_t count = json_array_size(samples);

    if (count != found->count) {
        template_fault_at(check, member, "needs an example for each of the %zu variables; it has %zu",
                          found->count, count);
        return;
    }
    for (size_t v = 0; v < found->count; v++) {
        bool has_one = false;
        for (size_t i = 0; i < count; i++) {
            const json_t *sample = json_array_get(samples, i);
            has_one = has_one || (slice_eq(json_text_of(sample, "param_name"), found->names[v]) &&
                                  !is_blank(json_text_of(sample, "example")));
        }
        if (!has_one)
            template_fault_at(check, member, "needs {param_name, example} for variable %zu", v + 1);
    }
}

/* component.example: header_text or body_text, or their named forms. */
static void
examples_check(struct template_check *check, const json_t *component, const struct template_variables *found,
               const char *positional, const char *named)
{
    const json_t *example = json_member(component, "example");
    const char *member = check->definition->is_named ? named : positional;
    const json_t *samples = json_member(example, member);
    size_t before = template_enter(check, "example");

    if (found->count == 0) {
        if (json_array_size(samples) > 0)
            template_fault_at(check, member, "is too much: the text has no variable");
    } else if (check->definition->is_named) {
        named_examples_check(check, samples, found, member);
    } else {
        if (json_is_array(json_array_get(samples, 0))) /* body_text: a list of lists, of which one counts */
            samples = json_array_get(samples, 0);
        positional_examples_check(check, samples, found->count, member);
    }
    template_leave(check, before);
}

void
template_header_text_check(struct template_check *check, const json_t *header)
{
    struct template_variables found;
    struct slice text = json_text_of(header, "text");

    if (!template_text_check(check, header, "text", TEMPLATE_HEADER_TEXT_MAX))
        return;
    if (slice_find(text, '\n') != text.len)
        template_fault_at(check, "text", "must not have a line break");
    template_variables_find(text, &found);
    if (!found_check(check, "text", &found))
        return;
    if (found.count > 1)
        template_fault_at(check, "text", "may have 1 variable; it has %zu", found.count);
    else
        examples_check(check, header, &found, "header_text", "header_text_named_params");
}

static size_t
word_count(struct slice text)
{
    size_t count = 0;
    bool is_within = false;

    for (size_t i = 0; i < text.len; i++) {
        bool is_gap = is_space(text.ptr[i]);
        if (!is_gap && !is_within)
            count++;
        is_within = !is_gap;
    }
    return count;
}

void
template_body_text_check(struct template_check *check, const json_t *body, size_t max)
{
    struct template_variables found;
    struct slice text = json_text_of(body, "text");

    if (!template_text_check(check, body, "text", max))
        return;
    template_variables_find(text, &found);
    if (!found_check(check, "text", &found))
        return;
    if (found.is_first || found.is_last)
        template_fault_at(check, "text", "must not %s with a variable", found.is_first ? "begin" : "end");
    else if (found.is_adjacent)
        template_fault_at(check, "text", "must have words between two variables");
    else if (word_count(text) < WORDS_PER_VARIABLE * found.place_count)
        template_fault_at(
            check, "text",
            "has too many variables for its length: %zu variables need %zu words, and it has %zu",
            found.place_count, WORDS_PER_VARIABLE * found.place_count, word_count(text));
    examples_check(check, body, &found, "body_text", "body_text_named_params");
}

void
template_footer_text_check(struct template_check *check, const json_t *footer)
{
    struct template_variables found;

    if (!template_text_check(check, footer, "text", TEMPLATE_FOOTER_TEXT_MAX))
        return;
    template_variables_find(json_text_of(footer, "text"), &found);
    if (found.place_count > 0 || !found.is_balanced)
        template_fault_at(check, "text", "must not have variables");
}

/* WhatsApp does not let a button lead into WhatsApp itself. */
static bool
is_whatsapp_link(struct slice url)
{
    static const char *const hosts[] = { "wa.me", "www.wa.me", "api.whatsapp.com" };
    size_t at = 0;

    while (at + 2 < url.len && !(url.ptr[at] == ':' && url.ptr[at + 1] == '/' && url.ptr[at + 2] == '/'))
        at++;
    struct slice host = slice_drop(url, at + 3);
    for (size_t i = 0; i < host.len; i++)
        if (host.ptr[i] == '/' || host.ptr[i] == '?' || host.ptr[i] == '#' || host.ptr[i] == ':')
            host.len = i;
    for (size_t i = 0; i < COUNT_OF(hosts); i++)
        if (slice_eq_nocase(host, slice_text(hosts[i])))
            return true;
    return false;
}

void
template_url_check(struct template_check *check, const json_t *button)
{
    struct slice url = json_text_of(button, "url");
    const json_t *example = json_member(button, "example");
    struct template_variables found;

    if (!template_text_check(check, button, "url", TEMPLATE_URL_MAX))
        return;
    if (!slice_starts_with(url, SLICE("https://")) && !slice_starts_with(url, SLICE("http://")))
        template_fault_at(check, "url", "must begin with https:// or http://");
    if (is_whatsapp_link(url))
        template_fault_at(check, "url", "must not lead to WhatsApp");
    template_variables_find(url, &found);
    if (!found.is_balanced || found.place_count > 1 ||
        (found.place_count == 1 && (!slice_ends_with(url, SLICE("}}")) || url.len < 2))) {
        template_fault_at(check, "url", "may have 1 variable, and it stands at its end");
        return;
    }
    if (found.count == 1 && !slice_eq(found.names[0], SLICE("1")) &&
        (!check->definition->is_named || !is_name(found.names[0])))
        template_fault_at(check, "url", "its variable must be {{1}}");
    if (found.count == 0 && example != NULL)
        template_fault_at(check, "example", "is too much: the url has no variable");
    else if (found.count == 1 && json_is_string(example))
        template_fault_at(check, "example", "must be a list of 1 text");
    else if (found.count == 1)
        positional_examples_check(check, example, 1, "example");
}
