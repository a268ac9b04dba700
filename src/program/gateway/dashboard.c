#include "program/gateway/dashboard.h"
#include "core/attribute.h"
#include "wire/http/field.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES_MAX 4096u

struct dashboard {
    char *memory; /* owned; NULL: the bytes are somebody else's */
    struct dashboard_file *files;
    size_t count;
};

/* Takes a big-endian number of `bytes` octets off the front. False: the pack ends before. */
static bool
number_take(struct slice *rest, size_t bytes, uint32_t *out)
{
    if (rest->len < bytes)
        return false;
    *out = 0;
    for (size_t i = 0; i < bytes; i++)
        *out = *out << 8 | (unsigned char)rest->ptr[i];
    *rest = slice_drop(*rest, bytes);
    return true;
}

static bool
bytes_take(struct slice *rest, size_t bytes, struct slice *out)
{
    if (rest->len < bytes)
        return false;
    *out = slice_first(*rest, bytes);
    *rest = slice_drop(*rest, bytes);
    return true;
}

/* A field with its length before it; it goes into a header, so it has nothing but visible ASCII and blanks.
 */
static bool
text_take(struct slice *rest, struct slice *out)
{
    uint32_t len;

    if (!number_take(rest, 2, &len) || len == 0 || !bytes_take(rest, len, out))
        return false;
    for (size_t i = 0; i < out->len; i++)
        if (out->ptr[i] < 0x20 || out->ptr[i] > 0x7E)
            return false;
    return true;
}

/* One row of the table; the lengths of its bytes, which come after all rows, are left in `bytes`. */
static bool
entry_take(struct slice *rest, struct dashboard_file *out)
{
    uint32_t flags, len;

    if (!text_take(rest, &out->path) || out->path.ptr[0] != '/' || !text_take(rest, &out->type) ||
        !number_take(rest, 1, &flags) || (flags & ~DASHBOARD_IS_IMMUTABLE) != 0)
        return false;
    out->is_immutable = (flags & DASHBOARD_IS_IMMUTABLE) != 0;
    for (size_t i = 0; i < DASHBOARD_CODINGS; i++) {
        if (!number_take(rest, 4, &len))
            return false;
        out->bytes[i] = slice_of(NULL, len);
    }
    return out->bytes[DASHBOARD_PLAIN].len != 0;
}

enum err
dashboard_parse(struct slice pack, struct dashboard **out)
{
    const struct slice magic = SLICE("HKDASH01");
    struct dashboard *dashboard = calloc(1, sizeof(*dashboard));
    struct slice rest = slice_drop(pack, magic.len);
    enum err err = ERR_CONFIG;
    uint32_t count;

    *out = NULL;
    if (dashboard == NULL)
        return ERR_NO_MEMORY;
    if (!slice_starts_with(pack, magic) || !number_take(&rest, 4, &count) || count == 0 ||
        count > DASHBOARD_FILES_MAX || count > rest.len / DASHBOARD_ENTRY_FIXED)
        goto done;
    dashboard->files = calloc(count, sizeof(*dashboard->files));
    if (dashboard->files == NULL) {
        err = ERR_NO_MEMORY;
        goto done;
    }
    for (; dashboard->count < count; dashboard->count++) {
        struct dashboard_file *file = &dashboard->files[dashboard->count];
        if (!entry_take(&rest, file) ||
            (dashboard->count != 0 && slice_compare(file[-1].path, file->path) >= 0))
            goto done;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t coding = 0; coding < DASHBOARD_CODINGS; coding++)
            if (!bytes_take(&rest, dashboard->files[i].bytes[coding].len, &dashboard->files[i].bytes[coding]))
                goto done;
    if (rest.len == 0)
        err = ERR_OK;
done:
    if (err != ERR_OK) {
        dashboard_free(dashboard);
        return err;
    }
    *out = dashboard;
    return ERR_OK;
}

static enum err
file_read(FILE *file, char **memory_out, size_t *len_out)
{
    struct stat about;

    *memory_out = NULL;
    if (fstat(fileno(file), &about) != 0)
        return ERR_SYSTEM;
    if (!S_ISREG(about.st_mode) || about.st_size <= 0 || (uint64_t)about.st_size > DASHBOARD_BYTES_MAX)
        return ERR_CONFIG;
    *len_out = (size_t)about.st_size;
    *memory_out = malloc(*len_out);
    if (*memory_out == NULL)
        return ERR_NO_MEMORY;
    return fread(*memory_out, 1, *len_out, file) == *len_out ? ERR_OK : ERR_SYSTEM;
}

/* Beside the programs as they are installed, or at its place in a build folder. */
static FILE *
file_find(void)
{
    static const char *const places[] = { "/dashboard.pack", "/../../../web/dashboard.pack" };
    char path[PATH_BYTES_MAX], program[PATH_BYTES_MAX / 2];
    FILE *file = NULL;
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

    while (len > 0 && program[len - 1] != '/')
        len--;
    if (len <= 1)
        return NULL;
    program[len - 1] = '\0';
    for (size_t i = 0; i < COUNT_OF(places) && file == NULL; i++) {
        (void)snprintf(path, sizeof(path), "%s%s", program, places[i]); /* both fit */
        file = fopen(path, "rbe");
    }
    return file;
}

enum err
dashboard_open(const char *path, struct dashboard **out)
{
    FILE *file = path[0] == '\0' ? file_find() : fopen(path, "rbe");
    char *memory = NULL;
    size_t len = 0;

    *out = NULL;
    if (file == NULL)
        return ERR_NOT_FOUND;
    enum err err = file_read(file, &memory, &len);
    (void)fclose(file);
    if (err == ERR_OK)
        err = dashboard_parse(slice_of(memory, len), out);
    if (err != ERR_OK)
        free(memory);
    else
        (*out)->memory = memory;
    return err;
}

void
dashboard_free(struct dashboard *dashboard)
{
    if (dashboard == NULL)
        return;
    free(dashboard->files);
    free(dashboard->memory);
    free(dashboard);
}

static int
path_compare(const void *path, const void *file)
{
    return slice_compare(*(const struct slice *)path, ((const struct dashboard_file *)file)->path);
}

const struct dashboard_file *
dashboard_find(const struct dashboard *dashboard, struct slice path)
{
    if (dashboard == NULL || path.len == 0)
        return NULL;
    return bsearch(&path, dashboard->files, dashboard->count, sizeof(*dashboard->files), path_compare);
}

enum dashboard_coding
dashboard_coding_choose(const struct dashboard_file *file, struct slice accept_encoding)
{
    static const char *const names[DASHBOARD_CODINGS] = { "", "br", "gzip" };
    enum dashboard_coding best = DASHBOARD_PLAIN;

    for (enum dashboard_coding coding = DASHBOARD_BROTLI; coding < DASHBOARD_CODINGS; coding++)
        if (file->bytes[coding].len != 0 && file->bytes[coding].len < file->bytes[best].len &&
            field_accepts_coding(accept_encoding, slice_text(names[coding])))
            best = coding;
    return best;
}
