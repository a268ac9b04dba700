/*
 * The server's own verdict on a stream of bodies, for differential.test.js: a line holds an operation, a
 * space and JSON; the answer is a line "ok", "unreadable", or the pointers of the errors, separated by
 * spaces.
 */
#include "wire/json/json.h"
#include "wire/openapi/contract.h"
#include <stdio.h>
#include <stdlib.h>

static int
answer_line(const struct contract *contract, struct slice line)
{
    struct slice name = slice_take_until(&line, ' ');
    struct problem problem = { .count = 0 };
    struct arena *arena = arena_new(1 << 20);
    char id[64];
    json_t *body;

    snprintf(id, sizeof(id), "%.*s", SLICE_FMT(name));
    const struct contract_operation *operation = contract_find(contract, id);
    if (operation == NULL || arena == NULL) {
        fprintf(stderr, "%s: %s\n", id,
                operation == NULL ? "not in the contract that was built in; build again" : "no memory");
        arena_free(arena);
        return 1;
    }
    if (json_parse(line, &body) != ERR_OK) {
        printf("unreadable\n");
    } else if (contract_check_body(operation, body, arena, &problem) == ERR_OK) {
        printf("ok\n");
    } else {
        for (size_t i = 0; i < problem.count; i++)
            printf("%s\"%.*s\"", i == 0 ? "" : " ", SLICE_FMT(problem.errors[i].pointer));
        printf("\n");
    }
    json_decref(body);
    arena_free(arena);
    return 0;
}

int
main(void)
{
    struct contract *contract;
    char why[256], *line = NULL;
    size_t bytes = 0;
    ssize_t len;
    int status = 0;

    if (contract_compile(contract_document(), &contract, why, sizeof(why)) != ERR_OK) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    while (status == 0 && (len = getline(&line, &bytes, stdin)) > 0)
        status = answer_line(contract, slice_of(line, (size_t)len - (line[len - 1] == '\n')));
    free(line);
    contract_free(contract);
    return status;
}
