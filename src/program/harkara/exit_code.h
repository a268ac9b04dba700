/* What `harkara` tells the shell: the numbers of sysexits.h, listed in docs/operations.md. */
#ifndef PROGRAM_HARKARA_EXIT_CODE_H
#define PROGRAM_HARKARA_EXIT_CODE_H
#include "core/err.h"

enum exit_code {
    EXIT_DONE = 0,
    EXIT_NOT_READY = 1,    /* status: not everything serves; audit verify: a log does not hold */
    EXIT_USAGE = 64,       /* the command line does not parse */
    EXIT_DATA = 65,        /* a value is not allowed */
    EXIT_NOT_THERE = 67,   /* the named object does not exist */
    EXIT_UNAVAILABLE = 69, /* database, vault or supervisor does not answer: try again */
    EXIT_INTERNAL = 70,    /* our fault, or the system's: see the log */
    EXIT_EXISTS = 73,      /* an object with this identity exists already */
    EXIT_NO_PERMISSION = 77,
    EXIT_SETTINGS = 78 /* the configuration or the master key is refused: trying again does not help */
};

enum exit_code exit_code_of(enum err err);

#endif
