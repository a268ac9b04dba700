#include "core/unit.h"
#include "program/harkara/status_file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct status in, out;

static void
fill(void)
{
    in = (struct status){ .pid = 77,
                          .state = STATUS_READY,
                          .started_at = { 1700000000000000 },
                          .count = 3,
                          .listen = "unix:/run/harkara/api.sock",
                          .master_key = "pkcs11",
                          .token = "a \"token\"" };
    for (unsigned i = 0; i < 3; i++) {
        struct status_process *process = &in.processes[i];
        *process = (struct status_process){ .index = i,
                                            .pid = (int)(100 * i),
                                            .state = (enum status_state)i,
                                            .restarts = 5000000000 * i,
                                            .started_at = { 1700000000123000 },
                                            .last_end = (enum status_end)i,
                                            .last_end_number = (int)i * 9,
                                            .has_sandbox = i > 0,
                                            .memory = i > 0 ? SECRET_MEMORY_FD + i : SECRET_MEMORY_NONE };
        snprintf(process->role, sizeof(process->role), "role%u", i);
        if (i > 0)
            process->sandbox = sandbox_facts_unpack((uint8_t)(17 * i));
    }
}

static void
assert_same_process(const struct status_process *got, const struct status_process *want)
{
    assert_string_equal(got->role, want->role);
    assert_int_equal(got->index, want->index);
    assert_int_equal(got->pid, want->pid);
    assert_int_equal(got->state, want->state);
    assert_int_equal(got->restarts, want->restarts);
    assert_int_equal(got->started_at.us, want->started_at.us);
    assert_int_equal(got->last_end, want->last_end);
    assert_int_equal(got->last_end_number, want->last_end_number);
    assert_int_equal(got->has_sandbox, want->has_sandbox);
    assert_int_equal(sandbox_facts_pack(&got->sandbox), sandbox_facts_pack(&want->sandbox));
    assert_int_equal(got->memory, want->memory);
}

static void
what_is_printed_is_read_back(void **state UNUSED)
{
    struct buf text;

    fill();
    buf_init(&text, STATUS_BYTES_MAX);
    status_print(&text, &in);
    assert_ok(buf_done(&text));
    assert_ok(status_parse(buf_slice(&text), &out));
    assert_int_equal(out.count, in.count);
    assert_int_equal(out.pid, 77);
    assert_int_equal(out.state, STATUS_READY);
    assert_int_equal(out.started_at.us, in.started_at.us);
    assert_string_equal(out.listen, "unix:/run/harkara/api.sock");
    assert_string_equal(out.master_key, "pkcs11");
    assert_string_equal(out.token, "a \"token\"");
    for (size_t i = 0; i < in.count; i++)
        assert_same_process(&out.processes[i], &in.processes[i]);
    buf_release(&text);
}

static void
a_full_table_fits_its_limit(void **state UNUSED)
{
    struct buf text;

    fill();
    in.count = STATUS_PROCESSES_MAX;
    for (size_t i = 0; i < in.count; i++) {
        in.processes[i] = in.processes[2];
        memset(in.processes[i].role, 'r', sizeof(in.processes[i].role) - 1);
        in.processes[i].restarts = INT64_MAX;
    }
    buf_init(&text, STATUS_BYTES_MAX);
    status_print(&text, &in);
    assert_ok(buf_done(&text));
    assert_ok(status_parse(buf_slice(&text), &out));
    assert_int_equal(out.count, STATUS_PROCESSES_MAX);
    buf_release(&text);
}

static void
anything_else_is_refused(void **state UNUSED)
{
    const char *const rows[] = {
        "",
        "[]",
        "{}",
        "{\"pid\":1,\"state\":\"ready\",\"started_at\":\"2026-01-01T00:00:00Z\"}",
        "{\"pid\":1,\"state\":\"happy\",\"started_at\":\"2026-01-01T00:00:00Z\",\"processes\":[]}",
        "{\"pid\":-1,\"state\":\"ready\",\"started_at\":\"2026-01-01T00:00:00Z\",\"processes\":[]}",
        "{\"pid\":1,\"state\":\"ready\",\"started_at\":\"now\",\"processes\":[]}",
        "{\"pid\":1,\"state\":\"ready\",\"started_at\":\"2026-01-01T00:00:00Z\",\"processes\":[{}]}",
        "{\"pid\":1,\"state\":\"ready\",\"started_at\":\"2026-01-01T00:00:00Z\",\"processes\":{}}",
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_not_equal(status_parse(slice_text(rows[i]), &out), ERR_OK);
    assert_ok(status_parse(
        SLICE("{\"pid\":1,\"state\":\"ready\",\"started_at\":\"2026-01-01T00:00:00Z\",\"processes\":[]}"),
        &out));
}

static void
a_file_is_replaced_whole_and_is_private(void **state UNUSED)
{
    char folder[] = "/tmp/harkara-status-XXXXXX", path[64];
    struct stat st;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/status.json", folder);
    assert_int_equal(status_read(path, &out), ERR_NOT_FOUND);
    fill();
    assert_ok(status_write(path, &in));
    in.pid = 78;
    assert_ok(status_write(path, &in));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_ok(status_read(path, &out));
    assert_int_equal(out.pid, 78);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

UNIT_MAIN(cmocka_unit_test(what_is_printed_is_read_back), cmocka_unit_test(a_full_table_fits_its_limit),
          cmocka_unit_test(anything_else_is_refused),
          cmocka_unit_test(a_file_is_replaced_whole_and_is_private))
