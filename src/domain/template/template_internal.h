/* What the files of the store share. */
#ifndef DOMAIN_TEMPLATE_TEMPLATE_INTERNAL_H
#define DOMAIN_TEMPLATE_TEMPLATE_INTERNAL_H
#include "domain/event/event.h"
#include "domain/template/template.h"

/* The columns that template_from_row reads. */
#define TEMPLATE_COLUMNS                                                                                     \
    "t.id, t.channel_id, t.waba_id, t.name, t.language, t.category, t.is_named, t.state, t.state_reason,"    \
    " t.state_detail, t.provider_id, t.quality, t.previous_category, t.correct_category,"                    \
    " t.category_change_at, t.ttl_s, t.is_link_tracking_off, t.library_name, t.change, t.error_code,"        \
    " t.error_title, t.edits::text, t.needs::text, t.created_at, t.updated_at, t.synced_at, t.revision,"     \
    " t.is_order_details, t.key_version, t.components_ct, t.components_iv, t.components_tag,"                \
    " t.is_edit_counted"
MUST_CHECK enum err template_from_row(const struct db_rows *rows, size_t row, struct arena *arena,
                                      struct template *out);
/* As template_get, and the row stays locked until the transaction ends. *state_at_out: what the state rests
 * on. */
MUST_CHECK enum err template_lock(struct db_tx *tx, struct id template, struct arena *arena,
                                  struct template *out, struct wall_time *state_at_out);
/* An event about the template as it is now; previous_state is NULL where the state did not change. */
MUST_CHECK enum err template_tell(struct db_tx *tx, const struct clock *clock, enum event_type type,
                                  const struct template *template, const char *previous_state);
/* The row of template_create and template_discover. ERR_EXISTS. */
MUST_CHECK enum err template_insert(struct db_tx *tx, const struct template_new *with, struct slice waba_id,
                                    enum template_state state, struct slice provider_id);

#endif
