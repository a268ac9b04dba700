#include "program/harkara/followed_files.h"
#include "core/attribute.h"
#include <stddef.h>
#include <sys/stat.h>

void
followed_files_init(struct followed_files *files, const char *ca_file, const char *database_ca_file)
{
    const char *const paths[FOLLOWED_FILES] = { "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf",
                                                ca_file, database_ca_file };

    for (size_t i = 0; i < FOLLOWED_FILES; i++) {
        files->files[i].path = paths[i];
        files->files[i].device = 0;
        files->files[i].inode = 0;
    }
    (void)followed_files_changed(files);
}

bool
followed_files_changed(struct followed_files *files)
{
    bool has_changed = false;

    for (size_t i = 0; i < FOLLOWED_FILES; i++) {
        struct stat st;
        if (stat(files->files[i].path, &st) != 0)
            continue;
        if (files->files[i].inode != st.st_ino || files->files[i].device != st.st_dev) {
            files->files[i].device = st.st_dev;
            files->files[i].inode = st.st_ino;
            has_changed = true;
        }
    }
    return has_changed;
}
