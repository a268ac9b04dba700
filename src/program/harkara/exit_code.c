#include "program/harkara/exit_code.h"

enum exit_code
exit_code_of(enum err err)
{
    if (err == ERR_CONFIG || err == ERR_VAULT_KEK_WRONG)
        return EXIT_SETTINGS;
    if (err == ERR_EXISTS)
        return EXIT_EXISTS;
    switch (err_class(err)) {
    case ERR_CLASS_NONE:
        return EXIT_DONE;
    case ERR_CLASS_MALFORMED:
    case ERR_CLASS_INVALID:
    case ERR_CLASS_TOO_LARGE:
    case ERR_CLASS_UNSUPPORTED:
    case ERR_CLASS_CONFLICT:
    case ERR_CLASS_PRECONDITION:
    case ERR_CLASS_METHOD:
        return EXIT_DATA;
    case ERR_CLASS_NOT_FOUND:
        return EXIT_NOT_THERE;
    case ERR_CLASS_UNAUTHENTICATED:
    case ERR_CLASS_FORBIDDEN:
        return EXIT_NO_PERMISSION;
    case ERR_CLASS_LIMITED:
    case ERR_CLASS_UNAVAILABLE:
    case ERR_CLASS_PEER:
        return EXIT_UNAVAILABLE;
    case ERR_CLASS_FLOW:
    case ERR_CLASS_INTERNAL:
        return EXIT_INTERNAL;
    }
    bug("an error of no class");
}
