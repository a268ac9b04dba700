#include "program/harkara/hsm_init.h"
#include "program/harkara/child.h"
#include "program/harkara/kek.h"
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPENED_TIMEOUT_MS 60000

enum err
hsm_pin_read(const struct config *config, struct secret **out, struct complaint *complaint)
{
    size_t label = strlen(config->hsm_token);

    *out = NULL;
    if (config->hsm_module[0] != '/')
        complaint_set(complaint, "HARKARA_HSM_MODULE must be the path of a PKCS#11 module, from / on");
    else if (label == 0 || label > HSM_LABEL_BYTES_MAX)
        complaint_set(complaint, "HARKARA_HSM_TOKEN must be the token's label, %u octets at most",
                      HSM_LABEL_BYTES_MAX);
    else if (config->hsm_key[0] == '\0')
        complaint_set(complaint, "HARKARA_HSM_KEY must be the label of a key in the token");
    else if (config->hsm_pin_file[0] == '\0')
        complaint_set(complaint, "HARKARA_HSM_PIN_FILE must be a file of mode 0400 with the token's PIN");
    else
        return kek_pin_read(config->hsm_pin_file, HSM_PIN_BYTES_MAX, out, complaint);
    return ERR_CONFIG;
}

static const struct roster_row *
row_of_hsm(void)
{
    const struct roster_row *row = roster;

    while (row->settings != CONFIG_HSM)
        row++;
    return row;
}

/* One question and its answer; what else it says about itself is passed over. */
static enum err
ask(struct child *child, struct slice pin, uint32_t version, struct hsm_opened *opened)
{
    const struct hsm_open open = { .make_version = version, .pin = pin };
    struct buf frame;
    int rider = -1;

    buf_init(&frame, HSM_FRAME_BYTES_MAX);
    buf_add_byte(&frame, LINK_HSM_OPEN);
    hsm_open_encode(&frame, &open);
    enum err err = buf_done(&frame);
    if (err == ERR_OK)
        child_say(child, buf_slice(&frame), -1);
    buf_release_wiped(&frame);
    buf_init(&frame, HSM_FRAME_BYTES_MAX);
    if (err == ERR_OK)
        err = link_receive(child->link, &frame, &rider, OPENED_TIMEOUT_MS);
    if (rider >= 0)
        close(rider);
    if (err == ERR_OK && (frame.ptr[0] != LINK_HSM_OPENED ||
                          hsm_opened_decode(slice_drop(buf_slice(&frame), 1), opened) != ERR_OK))
        err = ERR_FRAME;
    buf_release(&frame);
    return err;
}

static void
end(struct child *child)
{
    int wait_status;

    child_kill(child); /* what the token has made, it has stored */
    while (waitpid(child->pid, &wait_status, 0) < 0 && errno == EINTR)
        ;
}

enum err
hsm_secret_make(const struct config *config, const struct folders *folders, struct slice pin,
                uint32_t version, struct hsm_wrapped *out, struct complaint *complaint)
{
    static struct config quiet;
    char executable[FOLDERS_PATH_BYTES];
    struct hsm_opened opened = { .trouble = HSM_TROUBLE_FAILED };
    struct child_start with = { .executable = executable,
                                .config = &quiet,
                                .clock = clock_system(),
                                .vault_fd = -1,
                                .listen_fd = -1,
                                .admin_fd = -1,
                                .pages_fd = -1 };
    struct child child = { .link = -1, .page_fd = -1 };

    quiet = *config;
    snprintf(quiet.log_level, sizeof(quiet.log_level), "warn");
    enum err err = folders_executable(folders, row_of_hsm()->name, executable, sizeof(executable), complaint);
    if (err == ERR_OK)
        err = child_init(&child, row_of_hsm(), 0, folders->pages);
    if (err == ERR_OK)
        err = child_start(&child, &with);
    if (err != ERR_OK)
        goto done;
    err = ask(&child, pin, version, &opened);
    end(&child);
    if (err != ERR_OK) {
        complaint_set(complaint, "the token's process ended: see its last lines above");
        err = ERR_VAULT_UNAVAILABLE;
    } else if (opened.trouble != HSM_TROUBLE_NONE || !opened.has_made) {
        complaint_set(complaint, "%s", hsm_trouble_text(opened.trouble));
        err = hsm_trouble_may_pass(opened.trouble) ? ERR_VAULT_UNAVAILABLE : ERR_CONFIG;
    } else {
        *out = opened.made;
    }
done:
    child_release(&child);
    return err;
}
