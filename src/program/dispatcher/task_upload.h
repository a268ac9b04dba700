/*
 * Our media in a resumable upload of the provider's app (Graph API, Resumable Upload): a session is made, the
 * bytes go from the offset that it has reached, the end is answered with a handle, which a template's sample
 * or a profile's picture is then named by. Sessions and handles are kept with the task: an attempt goes on
 * where the one before it was broken off or died.
 */
#ifndef PROGRAM_DISPATCHER_TASK_UPLOAD_H
#define PROGRAM_DISPATCHER_TASK_UPLOAD_H
#include "program/dispatcher/task.h"

#define TASK_UPLOADS_MAX 16u /* of one task: as many as a definition has samples */

/*
 * The handle of the media, uploaded unless this task has done so before; borrowed until the run ends. Errors
 * as task_call's; media that is not there any more ends the task with a reason.
 */
MUST_CHECK enum err task_upload(struct task_run *run, struct id media, struct slice *handle_out);

#endif
