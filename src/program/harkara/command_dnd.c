/* dnd import, dnd status, dnd clear: the platform's registry of who wants no commercial messages. */
#include "domain/dnd/dnd_build.h"
#include "program/harkara/command.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES         ((size_t)1 << 18)
#define PROGRESS_US         INT64_C(1000000)
#define REFUSED_TOLD_MAX    10u
#define REFUSED_PERCENT_MAX 1u
#define SHRINK_MAX          2u /* a list of less than half of what was there is not believed */

/* ---- What is there ---- */

static int64_t
age_s(const struct dnd_registry_facts *facts)
{
    return (clock_wall(clock_system()).us - facts->imported_at.us) / 1000000;
}

static json_t *
facts_json(const struct command_line *line, const struct dnd_registry_facts *facts)
{
    char at[WALL_TEXT_BYTES];
    struct slice text = wall_print(facts->imported_at, at);
    int64_t age = age_s(facts);

    return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:s%, s:I, s:b, s:s}", "loaded", 1, "number_count",
                     (json_int_t)facts->number_count, "row_count", (json_int_t)facts->row_count,
                     "refused_count", (json_int_t)facts->refused_count, "profile_count",
                     (json_int_t)facts->profile_count, "bytes", (json_int_t)facts->bytes, "imported_at",
                     text.ptr, text.len, "age_s", (json_int_t)age, "is_old",
                     age > line->config.dnd_days * 86400, "source", facts->source);
}

json_t *
command_dnd_json(const struct command_line *line)
{
    struct dnd_registry_facts facts;
    enum err err = dnd_registry_peek(line->folders.dnd, &facts);

    if (err == ERR_OK)
        return facts_json(line, &facts);
    return json_pack("{s:b, s:b}", "loaded", 0, "is_damaged", err != ERR_NOTHING);
}

void
command_dnd_line(const struct command_line *line)
{
    struct dnd_registry_facts facts;
    enum err err = dnd_registry_peek(line->folders.dnd, &facts);

    if (err == ERR_NOTHING)
        printf("\nDND registry: none\n");
    else if (err != ERR_OK)
        printf("\nDND registry: CANNOT BE READ\n");
    else
        printf("\nDND registry: %llu numbers, %lld days old%s\n", (unsigned long long)facts.number_count,
               (long long)(age_s(&facts) / 86400),
               age_s(&facts) > line->config.dnd_days * 86400 ? " (OLD)" : "");
}

static enum exit_code
dnd_status(struct command_line *line)
{
    struct dnd_registry_facts facts;
    struct dnd_registry *registry;
    char at[WALL_TEXT_BYTES];
    enum err err = dnd_registry_open(line->folders.dnd, &registry); /* all of it is read */

    if (err == ERR_OK) {
        facts = *dnd_registry_facts(registry);
        dnd_registry_unref(registry);
    }
    if (arguments_has(&line->arguments, "--json") && (err == ERR_OK || err == ERR_NOTHING)) {
        command_print_json(command_dnd_json(line));
        return err == ERR_OK ? EXIT_DONE : EXIT_NOT_THERE;
    }
    if (err == ERR_NOTHING) {
        complaint_set(&line->complaint, "there is no registry in %s: harkara dnd import makes one",
                      line->folders.dnd);
        return EXIT_NOT_THERE;
    }
    if (err != ERR_OK) {
        complaint_set(&line->complaint, "the registry in %s cannot be read, or is not whole: import it again",
                      line->folders.dnd);
        return command_fail(line, err);
    }
    printf("numbers     %llu\nrows        %llu (%llu refused)\npreferences %u\nbytes       %llu\nimported    "
           "%.*s%s\nsource      %s\n",
           (unsigned long long)facts.number_count, (unsigned long long)facts.row_count,
           (unsigned long long)facts.refused_count, facts.profile_count, (unsigned long long)facts.bytes,
           SLICE_FMT(wall_print(facts.imported_at, at)),
           age_s(&facts) > line->config.dnd_days * 86400 ? " (OLD)" : "", facts.source);
    return EXIT_DONE;
}

/* ---- Import ---- */

struct import {
    struct command_line *line;
    struct dnd_build *build;
    struct dnd_csv csv;
    const char *file;
    uint64_t row_count, refused_count; /* of the files before */
    struct mono_time started_at, told_at;
};

/* One line that is written over, on a terminal; else one line every ten seconds. */
static void
progress_tell(struct import *import, const char *what, uint64_t count)
{
    struct mono_time now = clock_mono(clock_system());
    bool is_terminal = isatty(STDERR_FILENO) == 1;

    if (now.us - import->told_at.us < (is_terminal ? PROGRESS_US : 10 * PROGRESS_US))
        return;
    import->told_at = now;
    fprintf(stderr, "%s%s %llu, %lld s%s", is_terminal ? "\r" : "", what, (unsigned long long)count,
            (long long)((now.us - import->started_at.us) / 1000000), is_terminal ? "   " : "\n");
}

static enum err
on_row(void *ctx, const struct dnd_row *row)
{
    return dnd_build_row(((struct import *)ctx)->build, row);
}

static void
on_refused(void *ctx, uint64_t line, const char *why)
{
    const struct import *import = ctx;
    uint64_t before = import->refused_count + import->csv.refused_count;

    if (before <= REFUSED_TOLD_MAX)
        fprintf(stderr, "%s:%llu: %s\n", import->file, (unsigned long long)line, why);
    else if (before == REFUSED_TOLD_MAX + 1)
        fprintf(stderr, "... further lines that are refused are only counted\n");
}

static void
on_merged(void *ctx, uint64_t numbers)
{
    progress_tell(ctx, "numbers written:", numbers);
}

static enum err
file_read(struct import *import, const char *file)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    char *piece = malloc(PIECE_BYTES);
    enum err err = piece == NULL ? ERR_NO_MEMORY : ERR_OK;

    import->file = file;
    if (fd < 0) {
        complaint_set(&import->line->complaint, "%s: cannot be opened (errno %d)", file, errno);
        err = ERR_NOT_FOUND;
    }
    dnd_csv_init(&import->csv, import, on_row, on_refused);
    while (err == ERR_OK) {
        ssize_t n = read(fd, piece, PIECE_BYTES);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            complaint_set(&import->line->complaint, "%s: cannot be read (errno %d)", file, errno);
            err = ERR_SYSTEM;
        }
        if (n <= 0)
            break;
        err = dnd_csv_add(&import->csv, slice_of(piece, (size_t)n));
        progress_tell(import, "rows read:", import->row_count + import->csv.row_count);
    }
    if (err == ERR_OK)
        err = dnd_csv_end(&import->csv);
    if (err == ERR_CONTRACT)
        complaint_set(&import->line->complaint, "%s: its first line names columns, but none of numbers",
                      file);
    if (err == ERR_TOO_MANY)
        complaint_set(&import->line->complaint, "the lists have more than %u different preferences",
                      DND_PROFILES_MAX);
    import->row_count += import->csv.row_count;
    import->refused_count += import->csv.refused_count;
    if (fd >= 0)
        close(fd);
    free(piece);
    return err;
}

/* One at a time: the lock lasts as long as the descriptor. */
static enum err
import_lock(struct command_line *line, int *fd_out)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char path[FOLDERS_PATH_BYTES + 8];

    snprintf(path, sizeof(path), "%s/lock", line->folders.dnd);
    *fd_out = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd_out < 0) {
        complaint_set(&line->complaint, "%s: cannot be opened (errno %d)", path, errno);
        return ERR_SYSTEM;
    }
    if (fcntl(*fd_out, F_OFD_SETLK, &whole) == 0)
        return ERR_OK;
    complaint_set(&line->complaint, "another import is under way");
    return ERR_BUSY;
}

/* A list of little else than refused lines, or one much shorter than before, is not believed. */
static enum err
rows_judge(struct import *import, bool is_forced)
{
    uint64_t all = import->row_count + import->refused_count;

    if (import->row_count == 0) {
        complaint_set(&import->line->complaint, "no row of these files is a number with a preference");
        return ERR_DB_DATA;
    }
    if (is_forced || import->refused_count * 100 <= all * REFUSED_PERCENT_MAX)
        return ERR_OK;
    complaint_set(&import->line->complaint,
                  "%llu of %llu rows were refused: the registry stays as it was (--force takes the others)",
                  (unsigned long long)import->refused_count, (unsigned long long)all);
    return ERR_DB_DATA;
}

static enum err
import_finish(struct import *import, const struct dnd_registry *old, bool is_update,
              struct dnd_registry_facts *facts)
{
    struct command_line *line = import->line;
    const char *source = arguments_value(&line->arguments, "--source");
    bool is_forced = arguments_has(&line->arguments, "--force");
    uint64_t count_before = old == NULL ? 0 : dnd_registry_facts(old)->number_count;
    const char *name = strrchr(import->file, '/');
    struct stat folder;
    enum err err = rows_judge(import, is_forced);

    if (err != ERR_OK)
        return err;
    if (source == NULL)
        source = name != NULL ? name + 1 : import->file;
    if (stat(line->folders.dnd, &folder) != 0)
        return ERR_SYSTEM;
    err = dnd_build_finish(
        import->build,
        &(struct dnd_build_result){
            .row_count = import->row_count,
            .refused_count = import->refused_count,
            .now = clock_wall(clock_system()),
            .source = slice_text(source),
            .is_shared = (folder.st_mode & S_IXOTH) != 0, /* processes of other users pass through */
            .number_count_min = is_forced || is_update ? 0 : count_before / SHRINK_MAX,
            .progress = on_merged,
            .ctx = import },
        facts);
    if (err == ERR_STATE_CONFLICT)
        complaint_set(
            &line->complaint,
            "only %llu numbers, and there were %llu: the registry stays as it was (--update changes it, "
            "--force replaces it)",
            (unsigned long long)facts->number_count, (unsigned long long)count_before);
    else if (err == ERR_SYSTEM)
        complaint_set(&line->complaint, "%s: cannot be written (errno %d)", line->folders.dnd, errno);
    return err;
}

static bool
source_is_allowed(struct command_line *line)
{
    const char *source = arguments_value(&line->arguments, "--source");
    struct slice text = slice_text(source);

    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return false;
    return text.len <= DND_SOURCE_BYTES_MAX && slice_is_utf8(text);
}

static enum exit_code
dnd_import(struct command_line *line)
{
    bool is_update = arguments_has(&line->arguments, "--update");
    struct import *import = calloc(1, sizeof(*import));
    struct dnd_registry *old = NULL;
    struct dnd_registry_facts facts;
    int lock = -1;
    enum err err = import == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (!source_is_allowed(line)) {
        complaint_set(&line->complaint, "--source is a text of at most %u bytes", DND_SOURCE_BYTES_MAX);
        free(import);
        return EXIT_DATA;
    }
    if (err == ERR_OK) {
        import->line = line;
        import->started_at = import->told_at = clock_mono(clock_system());
        err = folders_make_dnd(&line->folders, geteuid() == 0, &line->complaint);
    }
    if (err == ERR_OK)
        err = import_lock(line, &lock);
    if (err == ERR_OK) {
        err = dnd_registry_open(line->folders.dnd, &old);
        if (err == ERR_NOTHING && is_update) {
            complaint_set(&line->complaint, "there is no registry to be changed: import a whole list first");
            err = ERR_NOT_FOUND;
        } else if (err == ERR_NOTHING || (err == ERR_FILE_DAMAGED && !is_update))
            err = ERR_OK; /* a damaged one is replaced */
    }
    if (err == ERR_OK)
        err =
            dnd_build_new(line->folders.dnd, is_update ? old : NULL, DND_BUILD_MEMORY_BYTES, &import->build);
    const char *file;
    for (size_t i = 0; err == ERR_OK && (file = arguments_word(&line->arguments, i)) != NULL; i++)
        err = file_read(import, file);
    if (err == ERR_OK)
        err = import_finish(import, old, is_update, &facts);
    if (import != NULL && isatty(STDERR_FILENO) == 1)
        fprintf(stderr, "\r%40s\r", "");
    if (err == ERR_OK && arguments_has(&line->arguments, "--json"))
        command_print_json(facts_json(line, &facts));
    else if (err == ERR_OK)
        printf("%llu numbers from %llu rows (%llu refused) in %lld s; %llu bytes\n",
               (unsigned long long)facts.number_count, (unsigned long long)facts.row_count,
               (unsigned long long)facts.refused_count,
               (long long)((clock_mono(clock_system()).us - import->started_at.us) / 1000000),
               (unsigned long long)facts.bytes);
    dnd_registry_unref(old);
    if (import != NULL)
        dnd_build_free(import->build);
    free(import);
    if (lock >= 0)
        close(lock);
    return err == ERR_OK ? EXIT_DONE : command_fail(line, err);
}

static enum exit_code
dnd_clear(struct command_line *line)
{
    char path[FOLDERS_PATH_BYTES + 16];
    int lock = -1;
    enum err err = access(line->folders.dnd, X_OK) == 0 ? import_lock(line, &lock) : ERR_NOT_FOUND;

    snprintf(path, sizeof(path), "%s/" DND_REGISTRY_NAME, line->folders.dnd);
    if (err == ERR_OK && unlink(path) != 0)
        err = errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM;
    if (lock >= 0)
        close(lock);
    if (err == ERR_OK) {
        printf("The registry is gone; processes that have it open let go of it within seconds.\n");
        return EXIT_DONE;
    }
    if (err == ERR_NOT_FOUND)
        complaint_set(&line->complaint, "there is no registry in %s", line->folders.dnd);
    return command_fail(line, err);
}

static const struct argument_option import_options[] = {
    { .name = "--update", .help = "The files change the registry that is there; else they are all of it." },
    { .name = "--source",
      .value_name = "TEXT",
      .help = "What the list is called; else the last file's name." },
    { .name = "--force", .help = "Also when many rows are refused, or much fewer numbers are left." },
    COMMAND_JSON_OPTION,
    COMMAND_COMMON_OPTIONS,
    { .name = NULL },
};
static const struct argument_option json_options[] = { COMMAND_JSON_OPTION,
                                                       COMMAND_COMMON_OPTIONS,
                                                       { .name = NULL } };
static const struct argument_option common_options[] = { COMMAND_COMMON_OPTIONS, { .name = NULL } };

/* clang-format off */
const struct command commands_dnd[] = {
    { "dnd", "import", "[--update] [--source TEXT] [--force] [--json] FILE...", "Make the DND registry from CSV files.",
      "Each row is a number and what its owner wants; docs/dnd.md has the columns. The new registry takes\n"
      "the old one's place when it is whole; processes take it up by themselves.",
      import_options, 1, 64, true, dnd_import },
    { "dnd", "status", "[--json] [--config FILE]", "Say what the DND registry holds, and of when it is.",
      "Reads all of it, and compares it with its digest. Exit code 67: there is none.",
      json_options, 0, 0, true, dnd_status },
    { "dnd", "clear", "[--config FILE]", "Remove the DND registry.",
      "Then nobody knows who wants nothing: workspaces that require the registry send no promotional SMS to India.",
      common_options, 0, 0, true, dnd_clear },
    { .group = NULL },
};
/* clang-format on */
