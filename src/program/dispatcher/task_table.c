/* Who does what: one row per kind of provider task. */
#include "program/dispatcher/task.h"
#include "program/dispatcher/task_handlers.h"

const struct task_handler task_table[PROVIDER_TASK_KINDS] = {
    [PROVIDER_TASK_NUMBER_SYNC] = { task_number_sync, task_number_sync_record },
    [PROVIDER_TASK_NUMBER_REGISTER] = { task_number_register, task_number_changed_record },
    [PROVIDER_TASK_NUMBER_DEREGISTER] = { task_number_deregister, task_number_deregister_record },
    [PROVIDER_TASK_NUMBER_PIN] = { task_number_pin, NULL },
    [PROVIDER_TASK_NUMBER_REQUEST_CODE] = { task_number_request_code, NULL },
    [PROVIDER_TASK_NUMBER_VERIFY_CODE] = { task_number_verify_code, task_number_changed_record },
    [PROVIDER_TASK_NUMBER_DISPLAY_NAME] = { task_number_display_name, task_number_changed_record },
    [PROVIDER_TASK_NUMBER_PROFILE] = { task_number_profile, task_number_changed_record },
    [PROVIDER_TASK_CHANNEL_CONNECT] = { task_channel_connect, task_channel_connect_record },
    [PROVIDER_TASK_MESSAGE_MARK_READ] = { task_message_mark_read, NULL },
    [PROVIDER_TASK_MEDIA_FETCH] = { task_media_fetch, task_media_fetch_record },
    [PROVIDER_TASK_MEDIA_PUSH] = { task_media_push, task_media_push_record },
    [PROVIDER_TASK_MEDIA_FORGET] = { task_media_forget, task_media_forget_record },
    [PROVIDER_TASK_TEMPLATE_CREATE] = { task_template_create, task_template_create_record },
    [PROVIDER_TASK_TEMPLATE_EDIT] = { task_template_edit, task_template_change_record },
    [PROVIDER_TASK_TEMPLATE_DELETE] = { task_template_delete, task_template_change_record },
    [PROVIDER_TASK_TEMPLATE_DELETE_NAME] = { task_template_delete_name, task_template_change_record },
    [PROVIDER_TASK_TEMPLATE_UNPAUSE] = { task_template_unpause, task_template_change_record },
    [PROVIDER_TASK_TEMPLATE_REFRESH] = { task_template_refresh, task_template_refresh_record },
    [PROVIDER_TASK_TEMPLATE_SYNC] = { task_template_sync, task_template_sync_record },
};
