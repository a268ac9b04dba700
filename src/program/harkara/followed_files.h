/*
 * Files that a locked-in process may read are pinned when it locks itself in: the one that replaces such a
 * file under its name is another file, which it may not read. So the supervisor watches the names, and starts
 * those processes anew. A file that is changed in place stays the same file.
 */
#ifndef PROGRAM_HARKARA_FOLLOWED_FILES_H
#define PROGRAM_HARKARA_FOLLOWED_FILES_H
#include <stdbool.h>
#include <sys/types.h>

#define FOLLOWED_FILES 5u

struct followed_files {
    struct {
        const char *path; /* borrowed */
        dev_t device;
        ino_t inode; /* 0: not there */
    } files[FOLLOWED_FILES];
};

/* The resolver's files, that of the trusted authorities, and that of the database's (may be empty). Borrowed.
 */
void followed_files_init(struct followed_files *files, const char *ca_file, const char *database_ca_file);
/* Whether a name leads to another file than when last asked. One that is not there for a moment is waited
 * for. */
bool followed_files_changed(struct followed_files *files);

#endif
