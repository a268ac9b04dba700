/* Replays a fuzz target's corpus folder, every file and every prefix of the small ones, as a test in TAP. */
#include "core/fuzz.h"
#include <dirent.h>
#include <string.h>

#define FILE_BYTES_MAX   (4u << 20)
#define PREFIX_BYTES_MAX 512u /* prefixes of larger files say little more and cost quadratic time */

static int
replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return -1;
    uint8_t *bytes = malloc(FILE_BYTES_MAX);
    size_t size = bytes == NULL ? 0 : fread(bytes, 1, FILE_BYTES_MAX, file);
    fclose(file);
    if (bytes == NULL)
        return -1;
    for (size_t len = size <= PREFIX_BYTES_MAX ? 0 : size; len <= size; len++) {
        uint8_t *exact =
            malloc(len == 0 ? 1 : len); /* its own allocation, so that the sanitizer sees an over-read */
        if (exact == NULL)
            break;
        memcpy(exact, bytes, len);
        LLVMFuzzerTestOneInput(exact, len);
        free(exact);
    }
    free(bytes);
    return 0;
}

int
main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    unsigned count = 0, failed = 0;

    if (folder == NULL) {
        printf("1..1\nnot ok 1 - the corpus folder is missing\n");
        return 1;
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        count++;
        if (replay_file(path) != 0) {
            failed++;
            printf("not ok %u - %s cannot be read\n", count, entry->d_name);
        } else {
            printf("ok %u - %s\n", count, entry->d_name);
        }
        fflush(stdout);
    }
    closedir(folder);
    printf("1..%u\n", count);
    return failed != 0 || count == 0;
}
