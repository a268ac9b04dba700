#include "program/dispatcher/mailer.h"
#include "core/log.h"
#include "core/metric.h"
#include "domain/notice/notice_text.h"
#include "domain/tenant/tenant_key.h"
#include "platform/net/smtp_client.h"
#include "wire/mail/mail_message.h"
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ARENA_BYTES        (256u * 1024u)
#define MAIL_BYTES_MAX     (128u * 1024u)
#define CONNECT_TIMEOUT_MS 10000
#define TIMEOUT_MS         60000
#define LEASE_MS           120000 /* beyond what an attempt takes */
#define IDLE_MS_MAX        5000   /* notices come with a word; this finds what a lost one left */
#define DB_REOPEN_MS       5000
#define VAULT_AWAY_MS      5000

struct mailer {
    struct mailer_config config;
    struct mail_relay relay;
    struct mailbox from; /* of config */
    char hello[MAIL_ADDRESS_BYTES_MAX + 1];
    struct db *db;
    struct vault vault;
    struct arena *arena;
    int wake_fd;
    bool has_thread;
    pthread_t thread;
    atomic_bool is_draining, is_stopping;
    atomic_size_t busy;
};

/* The mail as it goes out. *mail holds the link: buf_release_wiped. */
static enum err
mail_make(const struct mailer *mailer, const struct notice *notice, struct buf *mail)
{
    struct buf subject, text, html;

    buf_init(&subject, MAIL_SUBJECT_BYTES_MAX);
    buf_init(&text, NOTICE_MAIL_BYTES_MAX);
    buf_init(&html, NOTICE_MAIL_BYTES_MAX);
    enum err err = notice_text_print(notice, &subject, &text, &html);
    if (err == ERR_OK)
        err = mail_message_print(mail, &(struct mail_message){
                                           .from = mailer->from,
                                           .to = notice->to,
                                           .subject = buf_slice(&subject),
                                           .text = buf_slice(&text),
                                           .html = buf_slice(&html),
                                           .language = notice_language_word(notice->language),
                                           .date = notice->at,
                                           .id = notice->id,
                                       });
    buf_release_wiped(&html);
    buf_release_wiped(&text);
    buf_release_wiped(&subject);
    return err;
}

static enum err
hand_over(struct mailer *mailer, const struct notice *notice, struct smtp_result *result)
{
    const struct smtp_relay relay = {
        .url = mailer->relay.url,
        .is_plain = mailer->relay.is_plain,
        .ca_file = mailer->config.config->ca_file,
        .user = mailer->config.config->mail_user[0] == '\0' ? NULL : mailer->config.config->mail_user,
        .password = mailer->config.password,
        .hello = mailer->hello,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .timeout_ms = TIMEOUT_MS,
        .is_stopping = &mailer->is_stopping,
    };
    struct buf mail;

    buf_init(&mail, MAIL_BYTES_MAX);
    enum err err = mail_make(mailer, notice, &mail);
    if (err == ERR_OK)
        err = smtp_send(&relay, mailer->from.address, notice->to, buf_slice(&mail), result);
    buf_release_wiped(&mail);
    return err;
}

/* Never an address, never a link: a mail is known by its id and its kind. */
static enum err
settle(struct mailer *mailer, const struct notice_claim *claim, const struct smtp_result *result)
{
    bool is_stopped = result->failure == SMTP_FAILURE_STOPPED;
    int64_t delay_ms = is_stopped ? 1 : notice_delay_ms(claim->attempt, claim->left_ms);

    if (result->outcome == SMTP_SENT) {
        metric_add(METRIC_MAILS_SENT, 1);
        log_event(LOG_INFO, "mail.sent", LOG_ID("mail", ID_MAIL, claim->id),
                  LOG_WORD("kind", notice_kind_word(claim->kind)), LOG_NUM("attempt", claim->attempt));
        return notice_end(mailer->db, claim);
    }
    if (result->outcome == SMTP_REFUSED || delay_ms == 0) {
        metric_add(METRIC_MAILS_FAILED, 1);
        log_event(LOG_ERROR, "mail.given_up", LOG_ID("mail", ID_MAIL, claim->id),
                  LOG_WORD("kind", notice_kind_word(claim->kind)), LOG_NUM("attempt", claim->attempt),
                  LOG_WORD("failure", smtp_failure_word(result->failure)), LOG_NUM("reply", result->code));
        return notice_end(mailer->db, claim);
    }
    metric_add(METRIC_MAILS_RETRIED, 1);
    log_event(LOG_WARN, "mail.put_off", LOG_ID("mail", ID_MAIL, claim->id),
              LOG_WORD("kind", notice_kind_word(claim->kind)), LOG_NUM("attempt", claim->attempt),
              LOG_WORD("failure", smtp_failure_word(result->failure)), LOG_NUM("reply", result->code),
              LOG_NUM("delay_ms", delay_ms));
    return notice_put_off(mailer->db, claim, delay_ms);
}

static enum err
perform(struct mailer *mailer, const struct notice_claim *claim)
{
    struct smtp_result result = { .outcome = SMTP_REFUSED };
    struct secret *data = NULL;
    struct notice notice;
    enum err err = notice_open(&mailer->vault, claim, &data, &notice);

    if (err != ERR_OK && err_class(err) == ERR_CLASS_UNAVAILABLE) {
        enum err put_off = notice_put_off(mailer->db, claim, VAULT_AWAY_MS);
        return put_off == ERR_OK ? err : put_off;
    }
    if (err == ERR_OK)
        err = hand_over(mailer, &notice, &result);
    secret_free(data);
    if (err != ERR_OK) /* what cannot be opened or written as a mail never will be */
        log_event(LOG_ERROR, "mail.not_written", LOG_ID("mail", ID_MAIL, claim->id),
                  LOG_WORD("kind", notice_kind_word(claim->kind)), LOG_ERR(err));
    return err == ERR_NO_MEMORY ? notice_put_off(mailer->db, claim, VAULT_AWAY_MS)
                                : settle(mailer, claim, &result);
}

static void
on_notice(void *ctx, struct slice channel UNUSED, struct slice payload UNUSED)
{
    *(bool *)ctx = true;
}

static enum err
mailer_wait(struct mailer *mailer, int64_t wait_ms)
{
    struct pollfd fds[] = { { .fd = db_fd(mailer->db), .events = POLLIN },
                            { .fd = mailer->wake_fd, .events = POLLIN } };
    bool was_told = false;
    enum err err =
        db_notifications(mailer->db, on_notice, &was_told); /* what came with an answer makes no sound */

    if (err != ERR_OK || was_told)
        return err;
    if (poll(fds, COUNT_OF(fds), (int)(wait_ms < IDLE_MS_MAX ? wait_ms : IDLE_MS_MAX)) < 0)
        return ERR_OK; /* interrupted: look again */
    return db_notifications(mailer->db, on_notice, &was_told);
}

static enum err
mailer_step(struct mailer *mailer)
{
    struct notice_claim claim;
    int64_t wait_ms = 0;
    enum err err = ERR_NOTHING;

    /* Counted before it is claimed: who drains must not find nothing under way while a claim is on its way.
     */
    atomic_fetch_add(&mailer->busy, 1);
    if (!atomic_load(&mailer->is_draining))
        err = notice_claim(mailer->db, LEASE_MS, mailer->arena, &claim, &wait_ms);
    if (err == ERR_OK)
        err = perform(mailer, &claim);
    atomic_fetch_sub(&mailer->busy, 1);
    arena_reset(mailer->arena);
    return err == ERR_NOTHING && !atomic_load(&mailer->is_draining) ? mailer_wait(mailer, wait_ms) : err;
}

static void *
mailer_run(void *ctx)
{
    struct mailer *mailer = ctx;

    while (!atomic_load(&mailer->is_draining)) {
        enum err err = mailer_step(mailer);
        if (err == ERR_OK || err == ERR_NOTHING)
            continue;
        log_event(err_class(err) == ERR_CLASS_UNAVAILABLE ? LOG_WARN : LOG_ERROR, "mail.runner_failed",
                  LOG_ERR(err)); /* a mail that was claimed comes back when its lease ends */
        if (err != ERR_DB_UNAVAILABLE || db_reopen(mailer->db, DB_REOPEN_MS) != ERR_OK)
            (void)poll(&(struct pollfd){ .fd = mailer->wake_fd, .events = POLLIN }, 1, 500);
    }
    return NULL;
}

static enum err
settings_read(struct mailer *mailer)
{
    const struct config *config = mailer->config.config;
    enum err err = mail_relay_read(slice_text(config->mail_relay), &mailer->relay);

    if (err == ERR_OK)
        err = mailbox_read(slice_text(config->mail_from), &mailer->from);
    if (err != ERR_OK) {
        log_event(LOG_ERROR, "mail.settings_refused", LOG_ERR(err));
        return err;
    }
    struct slice address = mailer->from.address;
    struct slice domain = slice_drop(address, slice_find(address, '@') + 1);
    memcpy(mailer->hello, domain.ptr, domain.len); /* shorter than an address */
    return ERR_OK;
}

enum err
mailer_new(const struct mailer_config *config, struct mailer **out)
{
    struct mailer *mailer = NULL;
    enum err err = ERR_NO_MEMORY;

    *out = NULL;
    if (config->config->mail_relay[0] == '\0')
        return ERR_OK;
    mailer = calloc(1, sizeof(*mailer));
    if (mailer == NULL)
        return ERR_NO_MEMORY;
    mailer->config = *config;
    mailer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    mailer->arena = arena_new(ARENA_BYTES);
    if (mailer->wake_fd < 0)
        err = ERR_SYSTEM;
    else if (mailer->arena != NULL)
        err = settings_read(mailer);
    if (err == ERR_OK)
        err = db_open(config->database, &mailer->db);
    if (err == ERR_OK)
        err = db_listen(mailer->db, "harkara_mail");
    mailer->vault = tenant_vault(config->vault_client, mailer->db);
    if (err == ERR_OK && pthread_create(&mailer->thread, NULL, mailer_run, mailer) != 0)
        err = ERR_SYSTEM;
    mailer->has_thread = err == ERR_OK;
    if (err != ERR_OK) {
        mailer_free(mailer);
        return err;
    }
    *out = mailer;
    return ERR_OK;
}

void
mailer_drain(struct mailer *mailer)
{
    static const uint64_t one = 1;

    if (mailer == NULL)
        return;
    atomic_store(&mailer->is_draining, true);
    if (write(mailer->wake_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
        log_event(LOG_DEBUG, "mail.wake_failed", LOG_ERR(ERR_SYSTEM)); /* it looks every few seconds anyway */
}

size_t
mailer_busy(const struct mailer *mailer)
{
    return mailer == NULL ? 0 : atomic_load(&mailer->busy);
}

void
mailer_free(struct mailer *mailer)
{
    if (mailer == NULL)
        return;
    atomic_store(&mailer->is_stopping, true);
    if (mailer->wake_fd >= 0)
        mailer_drain(mailer);
    if (mailer->has_thread)
        pthread_join(mailer->thread, NULL);
    db_close(mailer->db);
    arena_free(mailer->arena);
    if (mailer->wake_fd >= 0)
        close(mailer->wake_fd);
    free(mailer);
}
