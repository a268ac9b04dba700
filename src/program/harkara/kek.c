#include "program/harkara/kek.h"
#include "crypto/encode.h"
#include "crypto/random.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define VARIABLE       "MASTER_KEK="
#define FILE_BYTES_MAX 128u /* longer is no key; one octet more is read to see it */
#define PATH_BYTES_MAX 1024u

static bool
is_placeholder(const unsigned char *bytes)
{
    for (size_t i = 1; i < KEK_BYTES; i++)
        if (bytes[i] != bytes[0])
            return false;
    return true;
}

enum err
kek_parse(struct slice text, struct secret **out)
{
    struct secret *key = secret_new(KEK_BYTES);
    enum err err = ERR_OK;

    *out = NULL;
    if (key == NULL)
        return ERR_NO_MEMORY;
    struct slice line = text;
    if (slice_ends_with(line, SLICE("\n")))
        line.len--;
    if (line.len == (size_t)2 * KEK_BYTES)
        err = decode_hex(line, secret_bytes(key), KEK_BYTES);
    else if (text.len == KEK_BYTES)
        memcpy(secret_bytes(key), text.ptr, KEK_BYTES);
    else
        err = ERR_CONFIG;
    if (err != ERR_OK || is_placeholder(secret_bytes(key))) {
        secret_free(key);
        return ERR_CONFIG;
    }
    *out = key;
    return ERR_OK;
}

enum err
kek_take(char **environment, struct secret **out, struct complaint *complaint)
{
    enum err err = ERR_OK;
    char **to = environment;

    *out = NULL;
    for (char **from = environment; *from != NULL; from++) {
        struct slice value = slice_drop(slice_text(*from), sizeof(VARIABLE) - 1);
        if (!slice_starts_with(slice_text(*from), SLICE(VARIABLE))) {
            *to++ = *from;
            continue;
        }
        if (*out == NULL && err == ERR_OK)
            err = kek_parse(value, out);
        secret_wipe(*from, strlen(*from));
    }
    *to = NULL;
    if (err != ERR_OK)
        complaint_set(complaint, "MASTER_KEK must be 64 hexadecimal digits (openssl rand -hex 32)");
    return err;
}

static enum err
file_check(int fd, const char *path, struct complaint *complaint)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        complaint_set(complaint, "%s: cannot be examined (errno %d)", path, errno);
        return ERR_SYSTEM;
    }
    if (!S_ISREG(st.st_mode))
        complaint_set(complaint, "%s: is not a plain file", path);
    else if (st.st_uid != 0 && st.st_uid != geteuid())
        complaint_set(complaint, "%s: belongs to another user; it must be root's or ours", path);
    else if ((st.st_mode & (S_IRWXG | S_IRWXO | S_IXUSR)) != 0)
        complaint_set(complaint, "%s: has mode %04o; others may read the secret in it: chmod 0400 it", path,
                      (unsigned)st.st_mode & 07777u);
    else
        return ERR_OK;
    return ERR_CONFIG;
}

/* *len_out is larger than `max` when the file is; text has room for max + 1. */
static enum err
file_read(const char *path, char *text, size_t max, size_t *len_out, struct complaint *complaint)
{
    ssize_t n = 0;
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0) {
        complaint_set(complaint, "%s: %s", path,
                      errno == ENOENT   ? "is not there"
                      : errno == EACCES ? "cannot be read by this user"
                                        : "cannot be opened");
        return ERR_CONFIG;
    }
    enum err err = file_check(fd, path, complaint);
    while (err == ERR_OK && len <= max && (n = read(fd, text + len, max + 1 - len)) > 0)
        len += (size_t)n;
    if (err == ERR_OK && n < 0) {
        complaint_set(complaint, "%s: cannot be read (errno %d)", path, errno);
        err = ERR_SYSTEM;
    }
    close(fd);
    *len_out = len;
    return err;
}

enum err
kek_file_read(const char *path, struct secret **out, struct complaint *complaint)
{
    char text[FILE_BYTES_MAX + 1];
    size_t len = 0;

    *out = NULL;
    enum err err = file_read(path, text, FILE_BYTES_MAX, &len, complaint);
    if (err == ERR_OK) {
        err = kek_parse(slice_of(text, len), out);
        if (err != ERR_OK)
            complaint_set(complaint, "%s: must hold 64 hexadecimal digits or 32 raw octets", path);
    }
    secret_wipe(text, sizeof(text));
    return err;
}

enum err
kek_pin_read(const char *path, size_t max, struct secret **out, struct complaint *complaint)
{
    char text[FILE_BYTES_MAX + 1];
    size_t len = 0;

    *out = NULL;
    enum err err = file_read(path, text, FILE_BYTES_MAX, &len, complaint);
    if (err != ERR_OK)
        goto done;
    struct slice line = slice_of(text, len);
    if (slice_ends_with(line, SLICE("\n")))
        line.len--;
    bool is_one_line = line.len > 0 && line.len <= max && len <= FILE_BYTES_MAX;
    for (size_t i = 0; i < line.len; i++)
        is_one_line = is_one_line && (unsigned char)line.ptr[i] >= ' ';
    err = is_one_line ? ERR_OK : ERR_CONFIG;
    if (err != ERR_OK)
        complaint_set(complaint, "%s: must hold one line with a PIN or a password", path);
    else if ((*out = secret_copy(line)) == NULL)
        err = ERR_NO_MEMORY;
done:
    secret_wipe(text, sizeof(text));
    return err;
}

/* As text, into a new file beside the path, which is then given the name only if that is free. */
static enum err
file_write(const char *path, const char *beside, struct slice text)
{
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);

    if (fd < 0)
        return ERR_SYSTEM;
    bool is_whole = write(fd, text.ptr, text.len) == (ssize_t)text.len && fsync(fd) == 0;
    if (close(fd) != 0)
        is_whole = false;
    enum err err = !is_whole                 ? ERR_SYSTEM
                   : link(beside, path) == 0 ? ERR_OK
                   : errno == EEXIST         ? ERR_EXISTS
                                             : ERR_SYSTEM;
    if (unlink(beside) != 0 && err == ERR_OK)
        err = ERR_SYSTEM;
    return err;
}

static enum err
folder_sync(const char *path)
{
    char folder[PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');

    snprintf(folder, sizeof(folder), "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1,
             slash == NULL ? "." : path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ERR_SYSTEM;
    enum err err = fsync(fd) == 0 ? ERR_OK : ERR_SYSTEM;
    close(fd);
    return err;
}

enum err
kek_file_make(const char *path, struct secret **out, struct complaint *complaint)
{
    unsigned char key[KEK_BYTES];
    char beside[PATH_BYTES_MAX];
    struct buf text;

    *out = NULL;
    buf_init(&text, 2 * KEK_BYTES + 1);
    if (snprintf(beside, sizeof(beside), "%s.%d", path, (int)getpid()) >= (int)sizeof(beside))
        return ERR_LIMIT;
    enum err err = random_fill(key, sizeof(key));
    if (err != ERR_OK)
        goto done;
    encode_hex(&text, slice_of(key, sizeof(key)));
    buf_add_byte(&text, '\n');
    err = buf_done(&text);
    if (err == ERR_OK)
        err = file_write(path, beside, buf_slice(&text));
    if (err == ERR_OK)
        err = folder_sync(path);
    if (err == ERR_OK)
        err = kek_parse(buf_slice(&text), out);
done:
    if (err != ERR_OK)
        complaint_set(complaint, "%s: a master key could not be written (%s)", path, err_code(err));
    secret_wipe(key, sizeof(key));
    buf_release_wiped(&text);
    return err;
}
