#include "domain/channel/whatsapp/whatsapp_fixture_testing.h"
#include "core/unit.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define FIXTURE_BYTES_MAX (1u << 20)

static void
fixture_path(const char *folder, const char *name, char out[static 1024])
{
    const char *source = getenv("HARKARA_SOURCE"); /* the build's test environment sets it */

    int len =
        snprintf(out, 1024, "%s/tests/fixtures/whatsapp/%s/%s", source == NULL ? "." : source, folder, name);
    assert_true(len > 0 && len < 1024);
}

void
whatsapp_fixture_read(const char *folder, const char *name, struct buf *out)
{
    char path[1024];

    fixture_path(folder, name, path);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("%s cannot be read", path);
    buf_init(out, FIXTURE_BYTES_MAX);
    char *room = buf_reserve(out, FIXTURE_BYTES_MAX);
    assert_non_null(room);
    out->len = fread(room, 1, FIXTURE_BYTES_MAX, file);
    fclose(file);
}

static int
is_wanted(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

size_t
whatsapp_fixture_each(const char *folder, const char *suffix,
                      void (*with)(const char *name, struct slice content))
{
    struct dirent **entries = NULL;
    char path[1024];
    size_t count = 0;

    fixture_path(folder, "", path);
    int found = scandir(path, &entries, is_wanted, alphasort);
    for (int i = 0; i < found; i++) {
        if (slice_ends_with(slice_text(entries[i]->d_name), slice_text(suffix))) {
            struct buf content;
            whatsapp_fixture_read(folder, entries[i]->d_name, &content);
            with(entries[i]->d_name, buf_slice(&content));
            buf_release(&content);
            count++;
        }
        free(entries[i]);
    }
    free(entries);
    return count;
}
