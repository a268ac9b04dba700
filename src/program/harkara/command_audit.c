/* audit verify, audit export: the log in the database, or one that was taken out of it. */
#include "crypto/encode.h"
#include "domain/audit/audit_export.h"
#include "domain/audit/audit_verify.h"
#include "domain/tenant/tenant.h"
#include "program/harkara/command.h"
#include "program/harkara/database.h"
#include <stdio.h>
#include <stdlib.h>

#define ARENA_BYTES ((size_t)16 * 1024 * 1024)

static const struct argument_option verify_options[] = {
    { .name = "--tenant", .value_name = "TENANT", .help = "Its slug or its ten_ id; else all." },
    { .name = "--public-key", .value_name = "HEX", .help = "With FILE: the key that must have signed it." },
    COMMAND_JSON_OPTION,
    COMMAND_COMMON_OPTIONS,
    { .name = NULL },
};
static const struct argument_option export_options[] = {
    { .name = "--tenant", .value_name = "TENANT", .help = "Its slug or its ten_ id.", .is_required = true },
    COMMAND_COMMON_OPTIONS,
    { .name = NULL },
};

static void
verdict_print(const struct command_line *line, const char *what, const struct audit_verdict *verdict)
{
    char entry[ID_TEXT_BYTES] = "";
    bool has_fault = verdict->fault != AUDIT_HOLDS;

    if (!id_is_zero(verdict->entry))
        id_print(ID_AUDIT, verdict->entry, entry);
    if (arguments_has(&line->arguments, "--json")) {
        command_print_json(
            json_pack("{s:s, s:b, s:I, s:I, s:I, s:o, s:o, s:o}", "log", what, "holds", (int)!has_fault,
                      "entries", (json_int_t)verdict->entries, "checkpoints",
                      (json_int_t)verdict->checkpoints, "signed", (json_int_t)verdict->signed_size, "place",
                      has_fault ? json_integer((json_int_t)verdict->place) : json_null(), "entry",
                      has_fault && entry[0] != '\0' ? json_string(entry) : json_null(), "fault",
                      has_fault ? json_string(audit_fault_text(verdict->fault)) : json_null()));
        return;
    }
    if (!has_fault)
        printf("%s: holds: %llu entries, %llu checkpoints, signed up to %llu\n", what,
               (unsigned long long)verdict->entries, (unsigned long long)verdict->checkpoints,
               (unsigned long long)verdict->signed_size);
    else
        printf("%s: DOES NOT HOLD: entry %llu%s%s%s %s\n", what, (unsigned long long)verdict->place,
               entry[0] == '\0' ? "" : " (", entry, entry[0] == '\0' ? "" : ")",
               audit_fault_text(verdict->fault));
}

static enum err
file_read(FILE *from, struct audit_file *file)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t len;
    enum err err = ERR_OK;

    while (err == ERR_OK && (len = getline(&text, &room, from)) >= 0)
        err = audit_file_line(file, slice_of(text, (size_t)len - (len > 0 && text[len - 1] == '\n')));
    if (err == ERR_OK && ferror(from))
        err = ERR_SYSTEM;
    free(text);
    return err;
}

static enum err
verify_file(struct command_line *line, const char *path, bool *holds_out)
{
    const char *key = arguments_value(&line->arguments, "--public-key");
    bool is_standard = strcmp(path, "-") == 0;
    struct audit_file *file = malloc(sizeof(*file));
    FILE *from = is_standard ? stdin : fopen(path, "re");
    enum err err = file == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (err == ERR_OK && from == NULL) {
        complaint_set(&line->complaint, "%s cannot be read", path);
        err = ERR_NOT_FOUND;
    }
    if (err == ERR_OK) {
        audit_file_begin(file);
        file->has_pinned = key != NULL;
        if (key != NULL && decode_hex(slice_text(key), file->pinned, sizeof(file->pinned)) != ERR_OK) {
            complaint_set(&line->complaint, "--public-key is 64 hexadecimal digits");
            err = ERR_QUERY;
        }
    }
    if (err == ERR_OK)
        err = file_read(from, file);
    if (err == ERR_OK) {
        struct audit_verdict verdict = audit_file_end(file);
        *holds_out = verdict.fault == AUDIT_HOLDS;
        verdict_print(line, is_standard ? "export" : path, &verdict);
        if (key == NULL && *holds_out)
            fputs(
                "The keys are the export's own. With --public-key they are held against the one that you know.\n",
                stderr);
    }
    if (from != NULL && !is_standard)
        (void)fclose(from);
    free(file);
    return err;
}

static enum err
verify_database(struct command_line *line, bool *holds_out)
{
    const char *name = arguments_value(&line->arguments, "--tenant");
    struct arena *arena = arena_new(ARENA_BYTES), *pages = arena_new(ARENA_BYTES);
    struct tenant one, *tenants = &one;
    struct audit_verdict verdict;
    struct db *db = NULL;
    size_t count = 1;
    enum err err = arena == NULL || pages == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (err == ERR_OK)
        err = database_open_admin(&line->config, &line->folders, &db, &line->complaint);
    if (err == ERR_OK)
        err = name == NULL ? tenant_list(db, arena, &tenants, &count)
                           : tenant_find(db, slice_text(name), arena, &one);
    if (err == ERR_NOT_FOUND)
        complaint_set(&line->complaint, "there is no such tenant; \"harkara tenant list\" shows all");
    *holds_out = true;
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        err = audit_verify_store(db, clock_system(), tenants[i].id, NULL, pages, &verdict);
        if (err != ERR_OK)
            break;
        *holds_out &= verdict.fault == AUDIT_HOLDS;
        verdict_print(line, tenants[i].slug.ptr, &verdict);
    }
    db_close(db);
    arena_free(arena);
    arena_free(pages);
    return err;
}

static enum exit_code
verify(struct command_line *line)
{
    const char *path = arguments_word(&line->arguments, 0);
    bool holds = false;
    enum err err = path == NULL ? verify_database(line, &holds) : verify_file(line, path, &holds);

    if (err != ERR_OK)
        return command_fail(line, err);
    return holds ? EXIT_DONE : EXIT_NOT_READY;
}

static enum err
line_print(void *to, struct slice text)
{
    return fwrite(text.ptr, 1, text.len, to) == text.len ? ERR_OK : ERR_SYSTEM;
}

static enum exit_code
export_all(struct command_line *line)
{
    struct audit_export export = { .write = line_print, .ctx = stdout, .arena = arena_new(ARENA_BYTES) };
    struct arena *arena = arena_new(ARENA_BYTES);
    struct tenant tenant;
    enum err err = arena == NULL || export.arena == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (err == ERR_OK)
        err = database_open_admin(&line->config, &line->folders, &export.db, &line->complaint);
    if (err == ERR_OK)
        err =
            tenant_find(export.db, slice_text(arguments_value(&line->arguments, "--tenant")), arena, &tenant);
    if (err == ERR_NOT_FOUND)
        complaint_set(&line->complaint, "there is no such tenant; \"harkara tenant list\" shows all");
    if (err == ERR_OK) {
        export.tenant = tenant.id;
        err = audit_export(&export, NULL);
    }
    if (err == ERR_OK && fflush(stdout) != 0)
        err = ERR_SYSTEM;
    db_close(export.db);
    arena_free(arena);
    arena_free(export.arena);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}

/* clang-format off */
const struct command commands_audit[] = {
    { "audit", "verify", "[FILE] [--tenant TENANT] [--public-key HEX] [--json]",
      "Does the audit log say what was signed? In the database, or in an export.",
      "Without FILE the log of every workspace is gone through, or of one. FILE is an export (\"-\": standard input), and needs\n"
      "neither database nor server. Ends with 1 when a log does not hold, and names the first entry that does not.",
      verify_options, 0, 1, true, verify },
    { "audit", "export", "--tenant TENANT", "Write a workspace's audit log to standard output, as lines of JSON.",
      "What is personal about the entries is not part of it: the command line opens nothing.",
      export_options, 0, 0, true, export_all },
    { .group = NULL },
};
/* clang-format on */
