#include "program/harkara/folders.h"
#include "core/slice.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
path_set(char out[FOLDERS_PATH_BYTES], const char *folder, const char *name)
{
    int n = snprintf(out, FOLDERS_PATH_BYTES, "%s%s", folder, name);

    return n > 0 && (size_t)n < FOLDERS_PATH_BYTES - 32; /* room for what processes put below */
}

static bool
state_and_run_set(const struct config *config, bool is_root, const char *home, struct folders *out)
{
    bool fits;

    if (config->state_dir[0] != '\0')
        fits = path_set(out->state, config->state_dir, "");
    else if (is_root)
        fits = path_set(out->state, "/var/lib/harkara", "");
    else
        fits = home != NULL && path_set(out->state, home, "/.local/state/harkara");
    if (!fits)
        return false;
    if (config->run_dir[0] != '\0')
        return path_set(out->run, config->run_dir, "");
    if (is_root && config->state_dir[0] == '\0')
        return path_set(out->run, "/run/harkara", "");
    return path_set(out->run, out->state, "/run");
}

/* The folder of this program, for what lies beside it. */
static bool
program_folder(char out[FOLDERS_PATH_BYTES])
{
    ssize_t n = readlink("/proc/self/exe", out, FOLDERS_PATH_BYTES - 1);

    if (n <= 0)
        return false;
    out[n] = '\0';
    char *slash = strrchr(out, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    return true;
}

enum err
folders_name(const struct config *config, bool is_root, const char *home, struct folders *out,
             struct complaint *complaint)
{
    char program[FOLDERS_PATH_BYTES];

    if (!state_and_run_set(config, is_root, home, out) || out->state[0] != '/' || out->run[0] != '/') {
        complaint_set(complaint,
                      "HARKARA_STATE_DIR and HARKARA_RUN_DIR must be absolute paths of at most %u bytes",
                      FOLDERS_PATH_BYTES - 64);
        return ERR_CONFIG;
    }
    if (!program_folder(program) || !path_set(out->libexec, program, "/..") ||
        !path_set(out->lock, out->state, "/lock") || !path_set(out->passwords, out->state, "/passwords") ||
        !path_set(out->master_kek, out->state, "/master.kek") ||
        !(config->dnd_dir[0] == '\0' ? path_set(out->dnd, out->state, "/dnd")
                                     : path_set(out->dnd, config->dnd_dir, "")) ||
        !path_set(out->pages, out->run, "/pages") ||
        !path_set(out->postgres_sockets, out->run, "/postgres") ||
        !path_set(out->status, out->run, "/status.json") ||
        !path_set(out->admin_socket, out->run, "/admin.sock") ||
        !path_set(out->control_socket, out->run, "/control.sock")) {
        complaint_set(complaint, "the state and run folders' names are too long");
        return ERR_CONFIG;
    }
    return ERR_OK;
}

enum err
folders_executable(const struct folders *folders, const char *role, char *out, size_t bytes,
                   struct complaint *complaint)
{
    /* bin/harkara beside libexec/harkara/ROLE, or program/harkara/harkara beside program/ROLE/ROLE. */

    for (size_t i = 0; i < 2; i++) {
        int n = i == 0 ? snprintf(out, bytes, "%s/libexec/harkara/%s", folders->libexec, role)
                       : snprintf(out, bytes, "%s/%s/%s", folders->libexec, role, role);
        if (n > 0 && (size_t)n < bytes && access(out, X_OK) == 0)
            return ERR_OK;
    }
    complaint_set(complaint, "the program \"%s\" is neither in %s/libexec/harkara nor in %s/%s", role,
                  folders->libexec, folders->libexec, role);
    return ERR_CONFIG;
}

/* With the folders above it. One that is there must be ours and not be writable by others. */
static enum err
folder_make(const char *path, mode_t mode, struct complaint *complaint)
{
    char part[FOLDERS_PATH_BYTES];
    struct stat st;

    for (size_t len = 1; len <= strlen(path); len++) {
        if (path[len] != '/' && path[len] != '\0')
            continue;
        bool is_last = path[len] == '\0';
        snprintf(part, sizeof(part), "%.*s", (int)len, path);
        if (mkdir(part, is_last ? mode : 0755) != 0 && errno != EEXIST) {
            complaint_set(complaint, "%s: cannot be made (errno %d)", part, errno);
            return ERR_SYSTEM;
        }
    }
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
        (st.st_mode & S_IWOTH) != 0) {
        complaint_set(complaint,
                      "%s: must be a folder that belongs to this user and that others cannot write to", path);
        return ERR_CONFIG;
    }
    if ((st.st_mode & 0777) != mode && chmod(path, mode) != 0) {
        complaint_set(complaint, "%s: its mode cannot be set (errno %d)", path, errno);
        return ERR_SYSTEM;
    }
    return ERR_OK;
}

/* As root, PostgreSQL and the roles have users of their own and must reach what they are given. */
static mode_t
passable_mode(bool is_root)
{
    return is_root ? 0711 : 0700;
}

enum err
folders_make_dnd(const struct folders *folders, bool is_root, struct complaint *complaint)
{
    return folder_make(folders->dnd, passable_mode(is_root), complaint);
}

enum err
folders_make(const struct folders *folders, bool is_root, struct complaint *complaint)
{
    mode_t passable = passable_mode(is_root);
    enum err err = folder_make(folders->state, passable, complaint);

    if (err == ERR_OK)
        err = folder_make(folders->passwords, 0700, complaint);
    if (err == ERR_OK)
        err = folders_make_dnd(folders, is_root, complaint);
    if (err == ERR_OK)
        err = folder_make(folders->run, passable, complaint);
    if (err == ERR_OK)
        err = folder_make(folders->pages, 0700, complaint);
    return err;
}

/* An open file description's lock: it can be asked for without being taken, and ends with the process. */
static struct flock
lock_whole(void)
{
    return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

enum err
folders_lock(const struct folders *folders, int *fd_out, struct complaint *complaint)
{
    struct flock whole = lock_whole();
    int fd = open(folders->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        complaint_set(complaint, "%s: cannot be opened (errno %d)", folders->lock, errno);
        return ERR_SYSTEM;
    }
    if (fcntl(fd, F_OFD_SETLK, &whole) != 0) {
        complaint_set(complaint, "another harkara serves with the state folder %s", folders->state);
        close(fd);
        return ERR_BUSY;
    }
    *fd_out = fd;
    return ERR_OK;
}

bool
folders_is_locked(const struct folders *folders)
{
    struct flock whole = lock_whole();
    int fd = open(folders->lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return false;
    bool is_locked = fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    close(fd);
    return is_locked;
}
