#include "core/log.h"
#include "domain/tenant/tenant.h"
#include "platform/ipc/link.h"
#include "program/harkara/kek.h"
#include "program/harkara/supervisor_internal.h"
#include <unistd.h>

#define PLATFORM_KEYS_MS 2000 /* nothing else is watched meanwhile */

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
    enum err err = database_kek_add(s->with->database, made, s->made_of);

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
    else if (s->hsm != NULL && err == ERR_SEAL_CORRUPT)
        complaint_set(s->complaint, "%s; nothing was started", hsm_trouble_text(HSM_TROUBLE_REFUSED));
    else
        complaint_set(s->complaint, "the vault did not start: %s", err_title(err));
    supervisor_stop(s, err);
}

void
supervisor_platform_keys(struct supervisor *s)
{
    struct vault_client *client = NULL;
    struct db *db = NULL;

    if (s->has_platform_keys || s->is_stopping || !supervisor_vault_serves(s))
        return;
    int link = supervisor_vault_link(s, VAULT_ROLE_ADMIN);
    enum err err = link < 0 ? ERR_VAULT_UNAVAILABLE : vault_client_new(link, PLATFORM_KEYS_MS, &client);
    if (err == ERR_OK)
        err = database_connect_admin(s->with->database, &db);
    if (err == ERR_OK)
        err = tenant_platform_keys(db, &(struct vault){ .client = client });
    db_close(db);
    vault_client_free(client);
    if (err != ERR_OK && err != s->platform_err)
        log_event(LOG_ERROR, "supervisor.platform_keys_missing", LOG_ERR(err));
    s->platform_err = err;
    s->has_platform_keys = err == ERR_OK;
}

/* The database is asked each time: another command, or another host, may have changed them. */
static void
keks_refresh(struct supervisor *s)
{
    static struct vault_kek keks[VAULT_KEKS_MAX];
    struct complaint complaint = { { 0 } };
    size_t count = 0;

    if (database_keks(s->with->database, keks, &count, &complaint) != ERR_OK || count == 0)
        return; /* what is known will do */
    memcpy(s->keks, keks, count * sizeof(keks[0]));
    s->kek_count = count;
}

static void
masters_put(const struct supervisor *s, struct vault_boot *out)
{
    for (size_t i = 0; i < COUNT_OF(s->masters) && s->masters[i] != NULL; i++)
        out->masters[out->master_count++] = secret_slice(s->masters[i]);
}

/* Master secrets. */

void
supervisor_secrets_refresh(struct supervisor *s)
{
    static struct master_secret secrets[MASTER_SECRETS_MAX];
    struct db *db = NULL;
    size_t count = 0;

    if (s->hsm == NULL)
        return;
    enum err err = database_connect_admin(s->with->database, &db);
    if (err == ERR_OK)
        err = master_secrets(db, secrets, &count);
    db_close(db);
    if (err != ERR_OK)
        return;
    memcpy(s->secrets, secrets, count * sizeof(secrets[0]));
    s->secret_count = count;
    s->is_status_stale = true;
}

/* The one of which a key-encryption key is made now; NULL: a master key that was given makes it. */
static const struct master_secret *
secret_that_makes(const struct supervisor *s)
{
    return master_secret_newest(s->secrets, s->secret_count);
}

/* Before there is a key-encryption key, the first one will be made of the newest. */
static bool
is_secret_wanted(const struct supervisor *s, const struct master_secret *secret)
{
    return secret->state == MASTER_SECRET_STORED &&
           (secret->is_needed || (s->kek_count == 0 && secret == secret_that_makes(s)));
}

bool
supervisor_needs_hsm(const struct supervisor *s)
{
    for (size_t i = 0; s->hsm != NULL && i < s->secret_count; i++)
        if (is_secret_wanted(s, &s->secrets[i]))
            return true;
    return false;
}

/* The second token is asked for what names it; the first one for all else, since a token may be given another
 * label. */
static struct hsm_key
key_of(const struct supervisor *s, const struct master_secret *secret)
{
    bool is_follower = s->pins.pins[1] != NULL && strcmp(secret->token, s->with->config->hsm_new_token) == 0;

    return (struct hsm_key){ is_follower ? 1 : 0, slice_text(secret->key) };
}

static void
unwrap_add(const struct supervisor *s, const struct master_secret *secret, struct hsm_unwrap *out)
{
    if (out->count == COUNT_OF(out->secrets))
        return; /* whatever hangs on it will be said not to open */
    struct hsm_wrapped *wrapped = &out->secrets[out->count].wrapped;
    out->secrets[out->count++].key = key_of(s, secret);
    wrapped->version = secret->version;
    memcpy(wrapped->cipher, secret->cipher, sizeof(wrapped->cipher));
    memcpy(wrapped->iv, secret->iv, sizeof(wrapped->iv));
    memcpy(wrapped->tag, secret->tag, sizeof(wrapped->tag));
}

/*
 * One end of a new link goes to the token's process with what it is to unwrap, the other, returned and owned,
 * to the vault: what is unwrapped never passes through here. -1: nothing is to be unwrapped, or the token is
 * away, and the vault will find that it has no key.
 */
static int
hsm_link(struct supervisor *s, const struct hsm_unwrap *unwrap)
{
    struct buf frame;
    int fds[2];

    if (unwrap->count == 0 || s->hsm == NULL || s->hsm->state != STATUS_READY || link_pair(fds) != ERR_OK)
        return -1;
    buf_init(&frame, HSM_FRAME_BYTES_MAX);
    buf_add_byte(&frame, LINK_HSM_UNWRAP);
    hsm_unwrap_encode(&frame, unwrap);
    if (buf_done(&frame) != ERR_OK)
        bug("a frame larger than its limit");
    child_say(s->hsm, buf_slice(&frame), fds[0]);
    buf_release(&frame);
    close(fds[0]);
    return fds[1];
}

/* The master key goes through a buffer that is wiped, or, out of a token, past us. */
static void
boot_say(struct supervisor *s, enum link_kind kind, const struct vault_boot *boot,
         const struct hsm_unwrap *unwrap)
{
    int rider = hsm_link(s, unwrap);
    struct buf frame;

    buf_init(&frame, 65536);
    buf_add_byte(&frame, (char)kind);
    vault_boot_encode(&frame, boot);
    if (buf_done(&frame) != ERR_OK)
        bug("a boot frame larger than its limit");
    child_say(s->vault, buf_slice(&frame), rider);
    buf_release_wiped(&frame);
    if (rider >= 0)
        close(rider);
}

void
supervisor_hsm_open(struct supervisor *s)
{
    struct hsm_open open;
    struct buf frame;

    supervisor_secrets_refresh(s);
    hsm_open_of(s->with->config, &s->pins, &open);
    for (size_t i = 0; i < s->secret_count; i++)
        if (is_secret_wanted(s, &s->secrets[i]) && open.key_count < COUNT_OF(open.keys))
            open.keys[open.key_count++] = key_of(s, &s->secrets[i]);
    buf_init(&frame, HSM_FRAME_BYTES_MAX);
    buf_add_byte(&frame, LINK_HSM_OPEN);
    hsm_open_encode(&frame, &open);
    if (buf_done(&frame) != ERR_OK)
        bug("a frame larger than its limit");
    child_say(s->hsm, buf_slice(&frame), -1);
    buf_release_wiped(&frame);
}

/* A new one, asked for by a command, which stores it. */

static void
secret_answer(int connection, const struct hsm_made *made)
{
    struct buf frame;

    buf_init(&frame, HSM_FRAME_BYTES_MAX);
    buf_add_byte(&frame, LINK_HSM_MADE);
    hsm_made_encode(&frame, made);
    control_say(connection, buf_slice(&frame));
    buf_release(&frame);
}

void
supervisor_secret_give_up(struct supervisor *s)
{
    if (s->secret_connection >= 0)
        close(s->secret_connection);
    s->secret_connection = -1;
}

void
supervisor_secret_make(struct supervisor *s, const struct control_secret *wanted, int connection)
{
    const char *const labels[HSM_TOKENS_MAX] = { s->with->config->hsm_token, s->with->config->hsm_new_token };
    struct hsm_make make = { .version = wanted->version, .key = { 0, slice_text(wanted->key) } };
    struct buf frame;

    while (make.key.token < COUNT_OF(labels) &&
           (s->pins.pins[make.key.token] == NULL || strcmp(labels[make.key.token], wanted->token) != 0))
        make.key.token++;
    if (s->hsm == NULL || make.key.token == COUNT_OF(labels)) {
        secret_answer(connection, &(struct hsm_made){ .trouble = HSM_TROUBLE_TOKEN });
        close(connection);
        return;
    }
    if (s->secret_connection >= 0 ||
        s->hsm->state != STATUS_READY) { /* nobody answers; the command tries again */
        close(connection);
        return;
    }
    buf_init(&frame, HSM_FRAME_BYTES_MAX);
    buf_add_byte(&frame, LINK_HSM_MAKE);
    hsm_make_encode(&frame, &make);
    if (buf_done(&frame) != ERR_OK)
        bug("a frame larger than its limit");
    s->secret_connection = connection;
    child_say(s->hsm, buf_slice(&frame), -1);
    buf_release(&frame);
}

void
supervisor_secret_made(struct supervisor *s, struct slice frame)
{
    struct hsm_made made;

    if (hsm_made_decode(slice_drop(frame, 1), &made) != ERR_OK) {
        child_kill(s->hsm);
        return;
    }
    if (s->secret_connection >= 0)
        secret_answer(s->secret_connection, &made);
    supervisor_secret_give_up(s);
}

/* What may pass is tried again with the usual back-off, as often as it takes; what may not, never: a token
 * that is given a wrong PIN a few times locks. A vault that runs goes on either way. */
void
supervisor_hsm_opened(struct supervisor *s, struct slice frame)
{
    struct hsm_opened opened;

    if (hsm_opened_decode(slice_drop(frame, 1), &opened) != ERR_OK) {
        child_kill(s->hsm);
        return;
    }
    if (opened.trouble == HSM_TROUBLE_NONE)
        return;
    bool may_pass = hsm_trouble_may_pass(opened.trouble);
    log_event(LOG_ERROR, "supervisor.hsm_not_opened", LOG_WORD("why", hsm_trouble_text(opened.trouble)),
              LOG_NUM("is_tried_again", may_pass));
    if (may_pass)
        return;
    s->is_hsm_refused = true;
    if (!s->has_booted && !s->is_stopping) {
        complaint_set(s->complaint, "%s", hsm_trouble_text(opened.trouble));
        supervisor_stop(s, ERR_CONFIG);
    }
}

/* What a new key-encryption key is made of, with which nothing else is needed. */
static void
make_with(struct supervisor *s, bool is_of_given, struct vault_boot *boot, struct hsm_unwrap *unwrap)
{
    const struct master_secret *secret = is_of_given ? NULL : secret_that_makes(s);

    s->made_of = secret == NULL ? 0 : secret->version;
    boot->make_of = (uint8_t)(boot->master_count == 0 ? 0 : boot->master_count - 1);
    if (secret == NULL)
        return;
    boot->make_of = (uint8_t)(boot->master_count + unwrap->count);
    unwrap_add(s, secret, unwrap);
}

void
supervisor_vault_boot(struct supervisor *s)
{
    static struct vault_boot boot;
    struct hsm_unwrap unwrap = { .count = 0 };

    if (s->has_booted)
        keks_refresh(s);
    supervisor_secrets_refresh(s);
    boot = (struct vault_boot){ .kek_count = s->kek_count, .make_version = s->kek_count == 0 ? 1 : 0 };
    masters_put(s, &boot);
    memcpy(boot.keks, s->keks, s->kek_count * sizeof(s->keks[0]));
    for (size_t i = 0; s->kek_count > 0 && i < s->secret_count; i++)
        if (is_secret_wanted(s, &s->secrets[i]))
            unwrap_add(s, &s->secrets[i], &unwrap);
    if (boot.make_version != 0)
        make_with(s, false, &boot, &unwrap);
    boot_say(s, LINK_BOOT, &boot, &unwrap);
}

/* A new key-encryption key, asked for by a command. */

static void
kek_answer(int connection, const struct vault_booted *booted)
{
    struct buf frame;

    buf_init(&frame, 4096);
    buf_add_byte(&frame, LINK_KEK_MADE);
    vault_booted_encode(&frame, booted);
    control_say(connection, buf_slice(&frame));
    buf_release(&frame);
}

void
supervisor_kek_give_up(struct supervisor *s)
{
    if (s->kek_connection >= 0)
        close(s->kek_connection);
    s->kek_connection = -1;
}

/* Whether it is known now: the one that is in use, or the one that is to follow it. */
static enum err
master_take(struct supervisor *s, const unsigned char bytes[KEK_BYTES])
{
    for (size_t i = 0; i < COUNT_OF(s->masters); i++) {
        if (s->masters[i] != NULL && secret_eq(secret_slice(s->masters[i]), slice_of(bytes, KEK_BYTES)))
            return i == 0 && s->masters[1] != NULL ? ERR_BUSY : ERR_OK;
        if (s->masters[i] == NULL) {
            s->masters[i] = secret_copy(slice_of(bytes, KEK_BYTES));
            return s->masters[i] == NULL ? ERR_NO_MEMORY : ERR_OK;
        }
    }
    return ERR_BUSY; /* another one is on its way */
}

void
supervisor_kek_make(struct supervisor *s, const struct control_kek *wanted, int connection)
{
    static struct vault_boot with;
    struct vault_booted refused = { .result = VAULT_RESULT_LIMIT };
    struct hsm_unwrap unwrap = { .count = 0 };
    enum err err = s->kek_connection >= 0 || !supervisor_vault_serves(s) ? ERR_BUSY : ERR_OK;

    if (err == ERR_OK && wanted->has_master)
        err = master_take(s, wanted->master);
    if (err == ERR_OK) {
        keks_refresh(s);
        supervisor_secrets_refresh(s);
        if (s->kek_count == 0 || s->kek_count >= VAULT_KEKS_MAX)
            err = ERR_LIMIT;
    }
    if (err == ERR_OK) {
        with = (struct vault_boot){ .make_n = wanted->scrypt_n };
        masters_put(s, &with);
        make_with(s, wanted->has_master, &with, &unwrap);
        err = unwrap.count > 0 && s->hsm->state != STATUS_READY ? ERR_BUSY : ERR_OK;
    }
    if (err != ERR_OK) {
        kek_answer(connection, &refused);
        close(connection);
        return;
    }
    with.make_version = s->keks[s->kek_count - 1].version + 1;
    s->kek_connection = connection;
    boot_say(s, LINK_KEK, &with, &unwrap);
}

/* It is in force when the vault has heard that it was stored. A vault that has made a key which nobody could
 * store is started again, and has it no more. */
void
supervisor_kek_made(struct supervisor *s, struct slice frame)
{
    struct vault_booted booted;

    if (vault_booted_decode(slice_drop(frame, 1), &booted) != ERR_OK) {
        child_kill(s->vault);
        return;
    }
    if (booted.result == VAULT_RESULT_OK && booted.has_made) {
        enum err err = database_kek_add(s->with->database, &booted.made, s->made_of);
        if (err == ERR_OK && s->kek_count < VAULT_KEKS_MAX) {
            static const struct vault_boot stored = { .kek_count = 0 };
            static const struct hsm_unwrap nothing = { .count = 0 };
            s->keks[s->kek_count++] = booted.made;
            boot_say(s, LINK_KEK, &stored, &nothing); /* the vault's next answer is the command's */
            return;
        } else {
            log_event(LOG_ERROR, "supervisor.kek_not_stored", LOG_ERR(err));
            booted = (struct vault_booted){ .result = VAULT_RESULT_FAILED };
            s->vault->is_to_restart = true;
            child_kill(s->vault);
        }
    }
    if (s->kek_connection >= 0)
        kek_answer(s->kek_connection, &booted);
    supervisor_kek_give_up(s);
}

void
supervisor_master_done(struct supervisor *s, int connection)
{
    const char done = CONTROL_MASTER_DONE;

    if (s->masters[1] != NULL) {
        secret_free(s->masters[0]);
        s->masters[0] = s->masters[1];
        s->masters[1] = NULL;
        log_event(LOG_INFO, "supervisor.master_replaced");
    }
    keks_refresh(s);
    supervisor_secrets_refresh(s);
    control_say(connection, slice_of(&done, 1));
    close(connection);
}
