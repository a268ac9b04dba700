/* A header: text, a file with a sample, a place, or a product. */
#include "domain/template/template_check_internal.h"
#include "domain/template/template_sample.h"

/* example.header_handle: what a resumable upload gave for the sample, or media of ours, to be uploaded. */
static void
sample_check(struct template_check *check, const json_t *header)
{
    const json_t *handles = json_member(json_member(header, "example"), "header_handle");
    const json_t *handle = json_is_string(handles) ? handles : json_array_get(handles, 0);
    size_t before = template_enter(check, "example");
    struct id media;

    if (!json_is_string(handle) || json_string_length(handle) == 0 || json_array_size(handles) > 1)
        template_fault_at(check, "header_handle",
                          "needs one sample file: media of ours, or an upload's handle");
    else if (template_sample_is_ours(slice_of(json_string_value(handle), json_string_length(handle)),
                                     &media) &&
             id_is_zero(media))
        template_fault_at(check, "header_handle", "is not the id of any media");
    template_leave(check, before);
}

void
template_header_check(struct template_check *check, const json_t *header, enum template_place place)
{
    static const char *const members[] = { "type", "format", "text", "example", NULL };
    static const char *const files[] = { "IMAGE", "VIDEO", "DOCUMENT", "GIF" };
    bool is_card = place == TEMPLATE_PLACE_CARD, is_file = false;

    template_members_check(check, header, members);
    for (size_t i = 0; i < COUNT_OF(files); i++)
        is_file = is_file || template_word_is(header, "format", files[i]);
    if (template_word_is(header, "format", "TEXT") && !is_card) {
        template_header_text_check(check, header);
        return;
    }
    if (json_member(header, "text") != NULL)
        template_fault_at(check, "text", "goes with a header of format text only");
    if (is_card && !template_word_is(header, "format", "IMAGE") &&
        !template_word_is(header, "format", "VIDEO") && !template_word_is(header, "format", "PRODUCT"))
        template_fault_at(check, "format", "the header of a card is image, video or product");
    else if (is_file)
        sample_check(check, header);
    else if (!template_word_is(header, "format", "LOCATION") &&
             !template_word_is(header, "format", "PRODUCT"))
        template_fault_at(check, "format", "must be text, image, video, document, gif, location or product");
    if (template_word_is(header, "format", "GIF") && check->definition->category != TEMPLATE_MARKETING)
        template_fault_at(check, "format", "gif is for marketing templates only");
}
