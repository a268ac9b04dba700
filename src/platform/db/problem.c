#include "platform/db/problem.h"
#include <stdarg.h>
#include <stdio.h>

void
db_problem_set(struct db_problem *problem, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int len = vsnprintf(problem->detail, sizeof(problem->detail), format, args);
    va_end(args);
    if (len < 0)
        problem->detail[0] = '\0';
    for (char *at = problem->detail; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = ' ';
}
