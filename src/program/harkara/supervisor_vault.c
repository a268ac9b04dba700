#include "core/log.h"
#include "platform/ipc/link.h"
#include "program/harkara/supervisor_internal.h"
#include <unistd.h>

bool
supervisor_vault_serves(const struct supervisor *s)
{
    return s->vault->state == STATUS_READY;
}

/* One end goes to the vault with its role for good; the other is returned. -1: the vault does not serve. */
int
supervisor_vault_link(struct supervisor *s, unsigned vault_role)
{
    const char frame[2] = { LINK_ADOPT, (char)vault_role };
    int fds[2];

    if (!supervisor_vault_serves(s) || link_pair(fds) != ERR_OK)
        return -1;
    child_say(s->vault, slice_of(frame, sizeof(frame)), fds[0]);
    close(fds[0]);
    return fds[1];
}

/* The vault was started (again): everybody who talks to it gets a new link. */
void
supervisor_vault_links_renew(struct supervisor *s)
{
    const char kind = LINK_VAULT;

    for (size_t i = 0; i < s->child_count; i++) {
        struct child *child = &s->children[i];
        if (child->row->vault_role == 0 || child->pid == 0)
            continue;
        int fd = supervisor_vault_link(s, child->row->vault_role);
        if (fd < 0)
            continue;
        child_say(child, slice_of(&kind, 1), fd);
        close(fd);
    }
}

/* A key-encryption key that the vault has just made: kept before anything is sealed under it. */
static enum err
kek_keep(struct supervisor *s, const struct vault_kek *made)
{
    enum err err = database_kek_add(s->with->database, made);

    if (err == ERR_EXISTS) /* another host was faster: begin again with its key */
        return database_keks(s->with->database, s->keks, &s->kek_count, s->complaint) == ERR_OK
                   ? ERR_EXISTS
                   : ERR_DB_UNAVAILABLE;
    if (err == ERR_OK && s->kek_count < VAULT_KEKS_MAX)
        s->keks[s->kek_count++] = *made;
    return err;
}

void
supervisor_vault_booted(struct supervisor *s, struct slice frame)
{
    struct vault_booted booted;

    if (vault_booted_decode(slice_drop(frame, 1), &booted) != ERR_OK) {
        child_kill(s->vault);
        return;
    }
    enum err err = vault_result_err(booted.result);
    if (err == ERR_OK && booted.has_made) {
        err = kek_keep(s, &booted.made);
        if (err == ERR_EXISTS) {
            s->vault->is_to_restart = true;
            child_kill(s->vault);
            return;
        }
    }
    if (err == ERR_OK)
        return;
    if (s->has_booted) { /* it worked before: the process ends, and the back-off does the rest */
        log_event(LOG_ERROR, "supervisor.vault_not_booted", LOG_ERR(err));
        return;
    }
    if (err == ERR_VAULT_KEK_WRONG)
        complaint_set(s->complaint,
                      "the master key is not the one that this database was sealed with (it does not open "
                      "key-encryption key %u); nothing was started",
                      booted.kek_version);
    else
        complaint_set(s->complaint, "the vault did not start: %s", err_title(err));
    supervisor_stop(s, err);
}

/* The master key goes through a buffer that is wiped. */
void
supervisor_vault_boot(struct supervisor *s)
{
    static struct vault_boot boot;
    struct buf frame;

    boot = (struct vault_boot){ .master_key = secret_slice(s->with->master_key),
                                .kek_count = s->kek_count,
                                .make_version = s->kek_count == 0 ? 1 : 0 };
    memcpy(boot.keks, s->keks, s->kek_count * sizeof(s->keks[0]));
    buf_init(&frame, 65536);
    buf_add_byte(&frame, LINK_BOOT);
    vault_boot_encode(&frame, &boot);
    if (buf_done(&frame) != ERR_OK)
        bug("a boot frame larger than its limit");
    child_say(s->vault, buf_slice(&frame), -1);
    buf_release_wiped(&frame);
}
