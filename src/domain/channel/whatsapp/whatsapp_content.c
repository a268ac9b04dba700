#include "domain/channel/whatsapp/whatsapp_content.h"
#include "domain/channel/whatsapp/whatsapp_content_internal.h"
#include "domain/channel/whatsapp/whatsapp_emoji.h"

size_t
content_enter(struct content_check *check, const char *member)
{
    size_t before = check->at.len;

    json_pointer_add(&check->at, slice_text(member));
    return before;
}

size_t
content_enter_index(struct content_check *check, size_t index)
{
    size_t before = check->at.len;

    json_pointer_add_index(&check->at, index);
    return before;
}

void
content_leave(struct content_check *check, size_t before)
{
    if (check->at.err == ERR_OK)
        check->at.len = before;
}

void
content_fault(struct content_check *check, const char *detail)
{
    check->fault_count++;
    problem_add(check->problem, check->arena, buf_slice(&check->at), slice_text(detail));
}

void
content_fault_at(struct content_check *check, const char *member, const char *detail)
{
    size_t before = content_enter(check, member);

    content_fault(check, detail);
    content_leave(check, before);
}

void
content_media_check(struct content_check *check, const json_t *object, const char *member)
{
    const json_t *media = json_member(object, member);

    if (media != NULL && (json_member(media, "id") != NULL) == (json_member(media, "link") != NULL))
        content_fault_at(check, member, "needs an id or a link, and not both");
}

/* element[member], or element[inner][member]. */
static struct slice
inner_text(const json_t *elements, size_t index, const char *inner, const char *member)
{
    const json_t *element = json_array_get(elements, index);

    return json_text_of(inner == NULL ? element : json_member(element, inner), member);
}

void
content_unique_check(struct content_check *check, const json_t *elements, const char *inner,
                     const char *member, size_t count_max, const char *detail)
{
    size_t count = json_array_size(elements);

    for (size_t i = 1; i < count && count <= count_max; i++) {
        struct slice text = inner_text(elements, i, inner, member);
        for (size_t k = 0; k < i && text.ptr != NULL; k++) {
            struct slice other = inner_text(elements, k, inner, member);
            if (other.ptr == NULL || !slice_eq(text, other))
                continue;
            size_t before = content_enter_index(check, i);
            if (inner != NULL)
                (void)content_enter(check, inner);
            content_fault_at(check, member, detail);
            content_leave(check, before);
            break;
        }
    }
}

void
content_sections_check(struct content_check *check, const json_t *sections, const char *list,
                       size_t count_max, const char *detail)
{
    size_t count = 0, section_count = json_array_size(sections);

    for (size_t i = 0; i < section_count; i++) {
        const json_t *section = json_array_get(sections, i);
        count += json_array_size(json_member(section, list));
        if (section_count > 1 && json_text_of(section, "title").len == 0) {
            size_t before = content_enter_index(check, i);
            content_fault_at(check, "title", "is needed when there is more than one section");
            content_leave(check, before);
        }
    }
    if (count > count_max)
        content_fault(check, detail);
}

void
content_card_places_check(struct content_check *check, const json_t *cards)
{
    size_t count = json_array_size(cards);
    uint32_t taken = 0;

    for (size_t i = 0; i < count && count <= WHATSAPP_CARDS_MAX; i++) {
        int64_t place = -1;
        bool is_given = json_int_of(json_array_get(cards, i), "card_index", &place);
        if (!is_given || place < 0 || (size_t)place >= count || (taken >> place & 1u) != 0) {
            size_t before = content_enter_index(check, i);
            content_fault_at(check, "card_index",
                             "must be a place of its own, from 0 to the number of cards less one");
            content_leave(check, before);
        } else {
            taken |= 1u << place;
        }
    }
}

/* WhatsApp takes a text of white space alone for none. */
static void
text_check(struct content_check *check, const json_t *text)
{
    struct slice body = json_text_of(text, "body");
    struct slice white = SLICE(" \t\r\n\v\f");
    size_t blank = 0;

    while (blank < body.len && slice_find(white, body.ptr[blank]) < white.len)
        blank++;
    if (blank == body.len && body.len > 0)
        content_fault_at(check, "body", "must not be blank");
}

static void
media_check(struct content_check *check, const json_t *media)
{
    if ((json_member(media, "id") != NULL) == (json_member(media, "link") != NULL))
        content_fault(check, "needs an id or a link, and not both");
}

static void
reaction_check(struct content_check *check, const json_t *reaction)
{
    struct slice emoji = json_text_of(reaction, "emoji");

    if (emoji.len > 0 && !whatsapp_is_one_emoji(emoji)) /* empty: takes the reaction back */
        content_fault_at(check, "emoji", "must be one emoji, or empty");
}

/* Degrees as text: the contract holds only numbers to their range. */
void
content_location_check(struct content_check *check, const json_t *location)
{
    double degrees = 0;

    if (json_is_string(json_member(location, "latitude")) &&
        (!whatsapp_json_real(location, "latitude", &degrees) || degrees < -90 || degrees > 90))
        content_fault_at(check, "latitude", "must be from -90 to 90");
    if (json_is_string(json_member(location, "longitude")) &&
        (!whatsapp_json_real(location, "longitude", &degrees) || degrees < -180 || degrees > 180))
        content_fault_at(check, "longitude", "must be from -180 to 180");
}

/* Everything about these stands in the contract. */
static void
contract_checked(struct content_check *check, const json_t *object)
{
    (void)check;
    (void)object;
}

static const struct content_kind {
    const char *type;
    bool is_array;
    void (*check)(struct content_check *check, const json_t *object);
} kinds[] = {
    { "text", false, text_check },
    { "template", false, content_template_check },
    { "image", false, media_check },
    { "audio", false, media_check },
    { "video", false, media_check },
    { "document", false, media_check },
    { "sticker", false, media_check },
    { "location", false, content_location_check },
    { "contacts", true, contract_checked },
    { "reaction", false, reaction_check },
    { "interactive", false, content_interactive_check },
};

static const struct content_kind *
kind_of(const json_t *content)
{
    struct slice type = json_text_of(content, "type");

    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (slice_eq(type, slice_text(kinds[i].type)))
            return &kinds[i];
    return NULL;
}

const char *
whatsapp_content_type_word(const json_t *content)
{
    const struct content_kind *kind = kind_of(content);

    return kind == NULL ? NULL : kind->type;
}

enum err
whatsapp_content_check(const json_t *content, struct slice at, struct arena *arena, struct problem *problem)
{
    struct content_check check = { .arena = arena, .problem = problem };
    const struct content_kind *kind = kind_of(content);
    const json_t *object = kind == NULL ? NULL : json_member(content, kind->type);

    buf_init(&check.at, JSON_POINTER_MAX);
    buf_add(&check.at, at);
    if (kind == NULL) {
        content_fault_at(&check, "type", "is not a type of message that can be sent");
    } else if (kind->is_array ? !json_is_array(object) : !json_is_object(object)) {
        content_fault_at(&check, kind->type, "is missing, or not what the type needs");
    } else {
        (void)content_enter(&check, kind->type);
        kind->check(&check, object);
    }
    enum err err = buf_done(&check.at);
    buf_release(&check.at);
    if (err == ERR_OK && check.fault_count > 0)
        err = ERR_MESSAGE_INVALID;
    return err;
}

bool
whatsapp_content_may_quote(const json_t *content)
{
    return !slice_eq(json_text_of(content, "type"), SLICE("reaction"));
}
