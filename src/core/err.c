#include "core/err.h"
#include <stdio.h>
#include <stdlib.h>

struct err_row {
    enum err_class class;
    const char *code, *title;
};

static const struct err_row err_rows[ERR_COUNT] = {
    [ERR_OK] = { ERR_CLASS_NONE, "ok", "Success." },
#define ERR(name, class, code, title) [ERR_##name] = { ERR_CLASS_##class, code, title },
#include "core/err.def"
#undef ERR
};

static const struct err_row *
err_row(enum err err)
{
    if ((unsigned)err >= ERR_COUNT)
        bug("an error value outside err.def");
    return &err_rows[err];
}

enum err_class
err_class(enum err err)
{
    return err_row(err)->class;
}

const char *
err_code(enum err err)
{
    return err_row(err)->code;
}

const char *
err_title(enum err err)
{
    return err_row(err)->title;
}

void
bug_at(const char *file, int line, const char *what)
{
    /* Only constants of ours come here, so the line needs no escaping. */
    fprintf(stderr, "{\"level\":\"fatal\",\"event\":\"bug\",\"file\":\"%s\",\"line\":%d,\"what\":\"%s\"}\n",
            file, line, what);
    abort();
}
