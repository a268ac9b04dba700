/*
 * Where things lie. Below the state folder: lock, passwords/, postgres/, dnd/ (unless HARKARA_DND_DIR says
 * otherwise), master.kek (only with --init-kek). Below the run folder, made new at every start: pages/,
 * postgres/ (its socket), status.json, admin.sock, control.sock.
 */
#ifndef PROGRAM_HARKARA_FOLDERS_H
#define PROGRAM_HARKARA_FOLDERS_H
#include "core/config.h"
#include "core/err.h"
#include "program/harkara/complaint.h"
#include <stdbool.h>

#define FOLDERS_PATH_BYTES 512u

struct folders {
    char state[FOLDERS_PATH_BYTES], lock[FOLDERS_PATH_BYTES], passwords[FOLDERS_PATH_BYTES],
        dnd[FOLDERS_PATH_BYTES], master_kek[FOLDERS_PATH_BYTES];
    char run[FOLDERS_PATH_BYTES], pages[FOLDERS_PATH_BYTES], postgres_sockets[FOLDERS_PATH_BYTES],
        status[FOLDERS_PATH_BYTES], admin_socket[FOLDERS_PATH_BYTES], control_socket[FOLDERS_PATH_BYTES];
    char libexec[FOLDERS_PATH_BYTES]; /* of the role executables */
};

/*
 * Names them; touches nothing but /proc/self/exe. `home` is $HOME, or NULL. Settings first; else as root
 * /var/lib and /run, else below the home folder. ERR_CONFIG: not absolute, too long, or no home.
 */
MUST_CHECK enum err folders_name(const struct config *config, bool is_root, const char *home,
                                 struct folders *out, struct complaint *complaint);
/* The executable of a role: installed, or as the build leaves it. ERR_CONFIG: not there. */
MUST_CHECK enum err folders_executable(const struct folders *folders, const char *role, char *out,
                                       size_t bytes, struct complaint *complaint);
/* Makes both, with modes that let processes of other users through but not look around. ERR_SYSTEM,
 * ERR_CONFIG. */
/* The DND registry's folder alone. */
MUST_CHECK enum err folders_make_dnd(const struct folders *folders, bool is_root,
                                     struct complaint *complaint);
MUST_CHECK enum err folders_make(const struct folders *folders, bool is_root, struct complaint *complaint);
/* One supervisor per state folder: the lock lasts as long as the descriptor. ERR_BUSY: another one runs. */
MUST_CHECK enum err folders_lock(const struct folders *folders, int *fd_out, struct complaint *complaint);
/* Whether a supervisor holds the lock, asking nobody. */
bool folders_is_locked(const struct folders *folders);

#endif
