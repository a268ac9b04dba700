#include "platform/db/password_file.h"
#include "core/buf.h"
#include "crypto/encode.h"
#include "crypto/random.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES_MAX 4096u

enum err
password_make(struct secret **out)
{
    unsigned char drawn[32];
    struct buf text;
    enum err err = random_fill(drawn, sizeof(drawn));

    *out = NULL;
    buf_init(&text, 64);
    if (err == ERR_OK) {
        encode_base64url(&text, slice_of(drawn, sizeof(drawn)));
        err = buf_done(&text);
    }
    if (err == ERR_OK) {
        *out = secret_copy(buf_slice(&text));
        err = *out == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    buf_release_wiped(&text);
    secret_wipe(drawn, sizeof(drawn));
    return err;
}

static enum err
read_password(int fd, struct secret **out)
{
    struct stat facts;
    unsigned char bytes[36]; /* what the decoder asks for */
    size_t len = 0;
    enum err err = ERR_CONFIG;

    if (fstat(fd, &facts) != 0)
        return ERR_SYSTEM;
    if (!S_ISREG(facts.st_mode) || (facts.st_mode & 077) != 0 || facts.st_uid != geteuid() ||
        facts.st_size != PASSWORD_TEXT_BYTES)
        return ERR_CONFIG;
    struct secret *secret = secret_new(PASSWORD_TEXT_BYTES);
    if (secret == NULL)
        return ERR_NO_MEMORY;
    if (read(fd, secret_bytes(secret), PASSWORD_TEXT_BYTES) == PASSWORD_TEXT_BYTES &&
        decode_base64url(secret_slice(secret), bytes, &len) == ERR_OK && len == 32) {
        *out = secret; /* taken by the caller */
        secret = NULL;
        err = ERR_OK;
    }
    secret_wipe(bytes, sizeof(bytes));
    secret_free(secret);
    return err;
}

/* On disk before it is used: a cluster whose password was lost would be locked for good. */
static enum err
write_password(const char *path, struct slice password)
{
    char fresh[PATH_BYTES_MAX];

    if (snprintf(fresh, sizeof(fresh), "%s.new", path) >= (int)sizeof(fresh))
        return ERR_CONFIG;
    if (unlink(fresh) != 0 && errno != ENOENT)
        return ERR_SYSTEM;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
    if (fd < 0)
        return ERR_SYSTEM;
    bool is_written = write(fd, password.ptr, password.len) == (ssize_t)password.len && fsync(fd) == 0;
    if (close(fd) != 0 || !is_written || rename(fresh, path) != 0) {
        (void)unlink(fresh);
        return ERR_SYSTEM;
    }
    return ERR_OK;
}

enum err
password_file_read_or_make(const char *path, struct secret **out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    enum err err;

    *out = NULL;
    if (fd >= 0) {
        err = read_password(fd, out);
        (void)close(fd);
        return err;
    }
    if (errno != ENOENT)
        return errno == ELOOP ? ERR_CONFIG : ERR_SYSTEM;
    err = password_make(out);
    if (err == ERR_OK)
        err = write_password(path, secret_slice(*out));
    if (err != ERR_OK) {
        secret_free(*out);
        *out = NULL;
    }
    return err;
}
