#include "program/harkara/hsm_init.h"
#include "program/harkara/child.h"
#include "program/harkara/kek.h"
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPENED_TIMEOUT_MS 60000

enum err
hsm_pins_read(const struct config *config, struct hsm_pins *out, struct complaint *complaint)
{
    struct slice token = slice_text(config->hsm_token), follower = slice_text(config->hsm_new_token);

    *out = (struct hsm_pins){ { NULL } };
    if (config->hsm_module[0] != '/')
        complaint_set(complaint, "HARKARA_HSM_MODULE must be the path of a PKCS#11 module, from / on");
    else if (!hsm_label_is_valid(token))
        complaint_set(complaint, "HARKARA_HSM_TOKEN must be the token's label, %u octets at most",
                      HSM_LABEL_BYTES_MAX);
    else if (!hsm_label_is_valid(slice_text(config->hsm_key)))
        complaint_set(complaint, "HARKARA_HSM_KEY must be the label of a key in the token, %u octets at most",
                      HSM_LABEL_BYTES_MAX);
    else if (config->hsm_pin_file[0] == '\0')
        complaint_set(complaint, "HARKARA_HSM_PIN_FILE must be a file of mode 0400 with the token's PIN");
    else if (follower.len != 0 && (!hsm_label_is_valid(follower) || slice_eq(follower, token)))
        complaint_set(complaint, "HARKARA_HSM_NEW_TOKEN must be another token's label, %u octets at most",
                      HSM_LABEL_BYTES_MAX);
    else if (follower.len != 0 && config->hsm_new_pin_file[0] == '\0')
        complaint_set(complaint,
                      "HARKARA_HSM_NEW_PIN_FILE must be a file of mode 0400 with that token's PIN");
    else {
        enum err err = kek_pin_read(config->hsm_pin_file, HSM_PIN_BYTES_MAX, &out->pins[0], complaint);
        if (err == ERR_OK && follower.len != 0)
            err = kek_pin_read(config->hsm_new_pin_file, HSM_PIN_BYTES_MAX, &out->pins[1], complaint);
        return err;
    }
    return ERR_CONFIG;
}

void
hsm_pins_free(struct hsm_pins *pins)
{
    for (size_t i = 0; i < COUNT_OF(pins->pins); i++) {
        secret_free(pins->pins[i]);
        pins->pins[i] = NULL;
    }
}

void
hsm_open_of(const struct config *config, const struct hsm_pins *pins, struct hsm_open *out)
{
    const char *const labels[HSM_TOKENS_MAX] = { config->hsm_token, config->hsm_new_token };

    *out = (struct hsm_open){ .token_count = 0 };
    for (size_t i = 0; i < COUNT_OF(labels) && pins->pins[i] != NULL; i++) {
        out->tokens[i].label = slice_text(labels[i]);
        out->tokens[i].pin = secret_slice(pins->pins[i]);
        out->token_count++;
    }
}

static const struct roster_row *
row_of_hsm(void)
{
    const struct roster_row *row = roster;

    while (row->settings != CONFIG_HSM)
        row++;
    return row;
}

/* One question, already in the frame, and its answer; what else it says about itself is passed over. */
static enum err
ask(struct child *child, struct buf *frame, enum link_kind answer)
{
    int rider = -1;
    enum err err = buf_done(frame);

    if (err == ERR_OK)
        child_say(child, buf_slice(frame), -1);
    do {
        buf_release_wiped(frame);
        buf_init(frame, HSM_FRAME_BYTES_MAX);
        if (err == ERR_OK)
            err = link_receive(child->link, frame, &rider, OPENED_TIMEOUT_MS);
        if (rider >= 0)
            close(rider);
    } while (err == ERR_OK && frame->ptr[0] == LINK_READY);
    return err == ERR_OK && frame->ptr[0] != (char)answer ? ERR_FRAME : err;
}

static enum err
open_and_make(struct child *child, const struct config *config, const struct hsm_pins *pins, uint32_t version,
              struct hsm_made *made)
{
    const struct hsm_make make = { .version = version, .key = { 0, slice_text(config->hsm_key) } };
    struct hsm_opened opened = { .trouble = HSM_TROUBLE_FAILED };
    struct hsm_open open;
    struct buf frame;

    hsm_open_of(config, pins, &open);
    buf_init(&frame, HSM_FRAME_BYTES_MAX);
    buf_add_byte(&frame, LINK_HSM_OPEN);
    hsm_open_encode(&frame, &open);
    enum err err = ask(child, &frame, LINK_HSM_OPENED);
    if (err == ERR_OK)
        err = hsm_opened_decode(slice_drop(buf_slice(&frame), 1), &opened);
    made->trouble = opened.trouble;
    if (err != ERR_OK || opened.trouble != HSM_TROUBLE_NONE)
        goto done;
    buf_clear(&frame);
    buf_add_byte(&frame, LINK_HSM_MAKE);
    hsm_make_encode(&frame, &make);
    err = ask(child, &frame, LINK_HSM_MADE);
    if (err == ERR_OK)
        err = hsm_made_decode(slice_drop(buf_slice(&frame), 1), made);
done:
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
hsm_secret_make(const struct config *config, const struct folders *folders, const struct hsm_pins *pins,
                uint32_t version, struct hsm_wrapped *out, struct complaint *complaint)
{
    static struct config quiet;
    char executable[FOLDERS_PATH_BYTES];
    struct hsm_made made;
    struct child_start with = { .executable = executable,
                                .config = &quiet,
                                .clock = clock_system(),
                                .vault_fd = -1,
                                .listen_fd = -1,
                                .admin_fd = -1,
                                .smpp_fd = -1,
                                .pages_fd = -1,
                                .limits_fd = -1 };
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
    err = open_and_make(&child, &quiet, pins, version, &made);
    end(&child);
    if (err != ERR_OK) {
        complaint_set(complaint, "the token's process ended: see its last lines above");
        err = ERR_VAULT_UNAVAILABLE;
    } else if (made.trouble != HSM_TROUBLE_NONE) {
        complaint_set(complaint, "%s", hsm_trouble_text(made.trouble));
        err = hsm_trouble_may_pass(made.trouble) ? ERR_VAULT_UNAVAILABLE : ERR_CONFIG;
    } else {
        *out = made.made;
    }
done:
    child_release(&child);
    return err;
}
