/* The handlers that task_table.c lists; each stands in the file of its subject. */
#ifndef PROGRAM_DISPATCHER_TASK_HANDLERS_H
#define PROGRAM_DISPATCHER_TASK_HANDLERS_H
#include "program/dispatcher/task.h"

/* task_number.c */
enum err task_number_sync(struct task_run *run);
enum err task_number_sync_record(struct db_tx *tx, struct task_run *run);
/* Of a change that the next sync shows: asks for one. */
enum err task_number_changed_record(struct db_tx *tx, struct task_run *run);
enum err task_number_register(struct task_run *run);
enum err task_number_deregister(struct task_run *run);
enum err task_number_deregister_record(struct db_tx *tx, struct task_run *run);
enum err task_number_pin(struct task_run *run);
enum err task_number_request_code(struct task_run *run);
enum err task_number_verify_code(struct task_run *run);
enum err task_number_display_name(struct task_run *run);
enum err task_number_profile(struct task_run *run);

/* task_message.c */
enum err task_message_mark_read(struct task_run *run);
/* The provider could not get at the media of this message. */
enum err task_media_forget(struct task_run *run);
enum err task_media_forget_record(struct db_tx *tx, struct task_run *run);

/* task_template.c */
enum err task_template_create(struct task_run *run);
enum err task_template_create_record(struct db_tx *tx, struct task_run *run);
enum err task_template_edit(struct task_run *run);
enum err task_template_delete(struct task_run *run);
enum err task_template_delete_name(struct task_run *run);
enum err task_template_unpause(struct task_run *run);
/* Of an edit, a deletion, an unpausing. */
enum err task_template_change_record(struct db_tx *tx, struct task_run *run);
enum err task_template_refresh(struct task_run *run);
enum err task_template_refresh_record(struct db_tx *tx, struct task_run *run);
enum err task_template_sync(struct task_run *run);
enum err task_template_sync_record(struct db_tx *tx, struct task_run *run);

/* task_signup.c */
enum err task_channel_connect(struct task_run *run);
enum err task_channel_connect_record(struct db_tx *tx, struct task_run *run);

/* task_media.c */
enum err task_media_fetch(struct task_run *run);
enum err task_media_fetch_record(struct db_tx *tx, struct task_run *run);
enum err task_media_push(struct task_run *run);
enum err task_media_push_record(struct db_tx *tx, struct task_run *run);

#endif
