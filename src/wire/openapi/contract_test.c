/*
 * The real contract against bodies that must pass (tests/contract/bodies.json, which a test in Node holds to
 * cover every field) and against everything that can be wrong with each of their fields.
 */
#include "core/unit.h"
#include "wire/json/json.h"
#include "wire/openapi/contract.h"
#include <stdio.h>
#include <stdlib.h>

static struct contract *contract;
static json_t *samples; /* [{"name", "operation", "body"}] */

static int
contract_open(void **state UNUSED)
{
    const char *root = getenv("HARKARA_SOURCE");
    char path[4096], why[256];

    snprintf(path, sizeof(path), "%s/tests/contract/bodies.json", root == NULL ? "." : root);
    samples = json_load_file(path, 0, NULL);
    enum err err = contract_compile(contract_document(), &contract, why, sizeof(why));
    if (err != ERR_OK)
        print_error("%s\n", why);
    return samples == NULL || err != ERR_OK;
}

static int
contract_close(void **state UNUSED)
{
    contract_free(contract);
    json_decref(samples);
    return 0;
}

/* The verdict, with its errors printed into `errors` as "pointer: detail\n"... */
static enum err
check_body(const char *operation_id, const json_t *body, char *errors, size_t errors_bytes)
{
    struct problem problem = { .count = 0 };
    struct arena *arena = arena_new(256 * 1024);
    const struct contract_operation *operation = contract_find(contract, operation_id);
    size_t used = 0;

    assert_non_null(operation);
    enum err err = contract_check_body(operation, body, arena, &problem);
    errors[0] = '\0';
    assert_int_equal(err != ERR_OK, problem.count > 0);
    for (size_t i = 0; i < problem.count; i++) {
        const struct problem_error *error = &problem.errors[i];
        assert_int_equal(error->parameter.len, 0);
        used += (size_t)snprintf(errors + used, errors_bytes - used, "%.*s: %.*s\n",
                                 SLICE_FMT(error->pointer), SLICE_FMT(error->detail));
        assert_true(used < errors_bytes);
    }
    arena_free(arena);
    return err;
}

static void
every_sample_and_every_example_passes(void **state UNUSED)
{
    json_t *document, *item, *operation, *sample, *example;
    const char *path, *method, *name;
    char errors[8192];
    size_t i, examples = 0;

    json_array_foreach(samples, i, sample)
    {
        enum err err = check_body(json_string_value(json_object_get(sample, "operation")),
                                  json_object_get(sample, "body"), errors, sizeof(errors));
        if (err != ERR_OK)
            print_error("%s: %s", json_string_value(json_object_get(sample, "name")), errors);
        assert_ok(err);
    }
    assert_ok(json_parse(contract_document(), &document));
    json_object_foreach(json_object_get(document, "paths"), path, item)
    {
        json_object_foreach(item, method, operation)
        {
            json_t *media = json_object_get(
                json_object_get(json_object_get(operation, "requestBody"), "content"), "application/json");
            json_object_foreach(json_object_get(media, "examples"), name, example)
            {
                examples++;
                assert_ok(check_body(json_string_value(json_object_get(operation, "operationId")),
                                     json_object_get(example, "value"), errors, sizeof(errors)));
            }
        }
    }
    assert_true(examples >= 8);
    json_decref(document);
}

/* Where we are in a sample: reference tokens from the top. */
struct step {
    const char *name; /* NULL: an index */
    size_t index;
};
struct walk {
    const char *operation_id;
    const json_t *body;
    struct step steps[JSON_DEPTH_MAX];
    size_t depth;
    size_t tried;
};

static json_t *
step_into(json_t *node, struct step step)
{
    return step.name == NULL ? json_array_get(node, step.index) : json_object_get(node, step.name);
}

/*
 * The sample with the value at this place changed: to `value` (taken), or removed when it is NULL. The
 * verdict must be ERR_OK, when `may_pass`, or ERR_CONTRACT with one single error, at `pointer`.
 */
static void
expect(struct walk *walk, json_t *value, const char *pointer, bool may_pass)
{
    json_t *copy = json_deep_copy(walk->body), *node = copy;
    char errors[8192], want[1024];

    assert_non_null(copy);
    for (size_t i = 0; i + 1 < walk->depth; i++)
        node = step_into(node, walk->steps[i]);
    struct step last = walk->depth == 0 ? (struct step){ NULL, 0 } : walk->steps[walk->depth - 1];
    if (walk->depth == 0) {
        json_decref(copy);
        copy = value;
    } else if (last.name == NULL) {
        assert_int_equal(value == NULL ? json_array_remove(node, last.index)
                                       : json_array_set_new(node, last.index, value),
                         0);
    } else {
        assert_int_equal(value == NULL ? json_object_del(node, last.name)
                                       : json_object_set_new(node, last.name, value),
                         0);
    }
    walk->tried++;
    enum err err = check_body(walk->operation_id, copy, errors, sizeof(errors));
    snprintf(want, sizeof(want), "%s: ", pointer);
    if ((err == ERR_OK && may_pass) || (err == ERR_CONTRACT && strncmp(errors, want, strlen(want)) == 0 &&
                                        strchr(errors, '\n') == errors + strlen(errors) - 1)) {
        json_decref(copy);
        return;
    }
    char *text = json_dumps(copy, JSON_COMPACT | JSON_ENCODE_ANY);
    print_error("%s at %s: %s with\n%s%.2000s\n", walk->operation_id, pointer, err_code(err), errors, text);
    fail();
}

static bool
ends_with(struct slice text, const char *const *ends, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_ends_with(text, slice_text(ends[i])))
            return true;
    return false;
}

static json_t *
long_text(void)
{
    char text[70000];

    memset(text, 'x', sizeof(text));
    return json_stringn(text, sizeof(text));
}

static void
break_scalar(struct walk *walk, const json_t *node, const char *pointer)
{
    static const char *const may_be_empty[] = { "/emoji",       "/description",         "/address",
                                                "/system_type", "/address_range",       "/service_type",
                                                "/prefix",      "/telemarketers/0/name" };
    static const char *const unbounded[] = { "/amount_1000", "/expiration_time_ms", "/value", "/timestamp" };
    static const char *const fractions[] = { "/latitude", "/longitude" };
    struct slice at = slice_text(pointer);

    expect(walk, json_object(), pointer, false);
    expect(walk, json_array(), pointer, false);
    if (json_is_string(node)) {
        bool is_row = slice_contains(at, SLICE("/rows/"));
        expect(walk, json_string(""), pointer,
               !is_row && ends_with(at, may_be_empty, COUNT_OF(may_be_empty)));
        expect(walk, long_text(), pointer, slice_ends_with(at, SLICE("/csv"))); /* whole files */
        expect(walk, json_true(), pointer, false);
    } else if (json_is_number(node)) {
        bool has_bound = !ends_with(at, unbounded, COUNT_OF(unbounded));
        expect(walk, json_integer(1000000000000000), pointer, !has_bound);
        expect(walk, json_integer(-1000000000), pointer, slice_ends_with(at, SLICE("/amount_1000")));
        expect(walk, json_real(1.5), pointer, ends_with(at, fractions, COUNT_OF(fractions)));
        expect(walk, json_true(), pointer, false);
    } else if (!json_is_null(node)) { /* what a field that may be null holds else, it may hold here too */
        expect(walk, json_integer(1), pointer, false);
        expect(walk, json_string("true"), pointer, false);
    }
}

static void
break_array(struct walk *walk, const json_t *node, const char *pointer)
{
    static const char *const may_be_empty[] = { "/components", "/variables",     "/words",      "/purposes",
                                                "/languages",  "/addresses",     "/emails",     "/phones",
                                                "/urls",       "/allowed_cidrs", "/channels",   "/headers",
                                                "/websites",   "/tags",          "/transports", "/teams" };
    static const char *const batches[] = { "/messages" };
    static const char *const may_be_text[] = { "/buttons/0/example", "/buttons/1/example" };
    json_t *many = json_array();

    size_t too_many = ends_with(slice_text(pointer), batches, COUNT_OF(batches)) ? 1001 : 300;
    for (size_t i = 0; i < too_many; i++)
        assert_int_equal(json_array_size(node) == 0 ? json_array_append_new(many, json_string("x"))
                                                    : json_array_append(many, json_array_get(node, 0)),
                         0);
    expect(walk, many, pointer, false);
    expect(walk, json_array(), pointer, ends_with(slice_text(pointer), may_be_empty, COUNT_OF(may_be_empty)));
    expect(walk, json_object(), pointer, false);
    expect(walk, json_string("x"), pointer,
           ends_with(slice_text(pointer), may_be_text, COUNT_OF(may_be_text)));
}

static void
break_object(struct walk *walk, const char *pointer)
{
    static const char *const names[] = { "unknown", "a/b~c", "", "\xf0\x9f\x98\x80" };
    static const char *const tokens[] = { "unknown", "a~1b~0c", "", "\xf0\x9f\x98\x80" };
    char member[1024];

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(member, sizeof(member), "%s/%s", pointer, tokens[i]);
        walk->steps[walk->depth++] = (struct step){ names[i], 0 };
        expect(walk, json_string("x"), member, false);
        walk->depth--;
    }
    expect(walk, json_array(), pointer, false);
    expect(walk, json_string("x"), pointer, false);
}

/* A missing field is its own error, or the object's, when one of several is needed; or it was optional. */
static void
break_by_removal(struct walk *walk, const char *pointer)
{
    json_t *copy = json_deep_copy(walk->body), *node = copy;
    struct step last = walk->steps[walk->depth - 1];
    char errors[8192], parent[1024], at_parent[1100], missing[1100];

    for (size_t i = 0; i + 1 < walk->depth; i++)
        node = step_into(node, walk->steps[i]);
    assert_int_equal(json_object_del(node, last.name), 0);
    enum err err = check_body(walk->operation_id, copy, errors, sizeof(errors));
    snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(pointer, '/') - pointer), pointer);
    snprintf(at_parent, sizeof(at_parent), "%s: must ", parent);
    snprintf(missing, sizeof(missing), "%s: is required\n", pointer);
    bool is_right = err == ERR_OK || strcmp(errors, missing) == 0 ||
                    (strncmp(errors, at_parent, strlen(at_parent)) == 0 &&
                     strchr(errors, '\n') == errors + strlen(errors) - 1);
    if (!is_right)
        print_error("%s without %s: %s with\n%s", walk->operation_id, pointer, err_code(err), errors);
    assert_true(is_right);
    json_decref(copy);
    walk->tried++;
}

/* The pointer of the place, in storage of the caller. */
static const char *
pointer_of(const struct walk *walk, char *text, size_t bytes)
{
    struct buf out;

    buf_init(&out, bytes);
    for (size_t i = 0; i < walk->depth; i++) {
        if (walk->steps[i].name == NULL)
            json_pointer_add_index(&out, walk->steps[i].index);
        else
            json_pointer_add(&out, slice_text(walk->steps[i].name));
    }
    assert_ok(buf_done(&out));
    snprintf(text, bytes, "%.*s", SLICE_FMT(buf_slice(&out)));
    buf_release(&out);
    return text;
}

static void
walk_node(struct walk *walk, const json_t *node)
{
    static const char *const open[] = { "/data",
                                        "/evidence",
                                        "/terms/controller",
                                        "/clientExtensionResults",
                                        "/metadata",
                                        "/flow_action_data",
                                        "/shipping_info",
                                        "/importer_address",
                                        "/payment_settings/0",
                                        "/payment_settings/1",
                                        "/beneficiaries/0",
                                        "/messages/0", /* of a batch: each is judged by itself */
                                        "/messages/1" };
    static const char *const may_be_null[] = { "/send_at",
                                               "/userHandle",
                                               "/publicKey",
                                               "/authenticatorAttachment",
                                               "/expires_at",
                                               "/uncertain_wait_s",
                                               "/promotional_per_day",
                                               "/promotional_per_week",
                                               "/client_certificate",
                                               "/messages_per_second",
                                               "/messages_per_day",
                                               "/messages_per_month",
                                               "/requests_per_second",
                                               "/tls_ca",
                                               "/country_code",
                                               "/validity_max_s",
                                               "/entity_tag",
                                               "/template_tag",
                                               "/chain_tag",
                                               "/paused_reason",
                                               "/text" };
    char pointer[1024];
    const char *name;
    json_t *child;
    size_t index;

    pointer_of(walk, pointer, sizeof(pointer));
    bool is_of_any = slice_ends_with(slice_text(walk->operation_id), SLICE("SmsRoute")) &&
                     slice_ends_with(slice_text(pointer), SLICE("/channel_id"));
    expect(walk, json_null(), pointer,
           is_of_any || ends_with(slice_text(pointer), may_be_null, COUNT_OF(may_be_null)));
    if (ends_with(slice_text(pointer), open, COUNT_OF(open)))
        return; /* handed on as it is */
    if (json_is_object(node))
        break_object(walk, pointer);
    else if (json_is_array(node))
        break_array(walk, node, pointer);
    else
        break_scalar(walk, node, pointer);
    json_object_foreach(json_iterable(node), name, child)
    {
        walk->steps[walk->depth++] = (struct step){ name, 0 };
        walk_node(walk, child);
        break_by_removal(walk, pointer_of(walk, pointer, sizeof(pointer)));
        walk->depth--;
    }
    json_array_foreach(node, index, child)
    {
        walk->steps[walk->depth++] = (struct step){ NULL, index };
        walk_node(walk, child);
        walk->depth--;
    }
}

static void
a_fault_in_any_field_of_any_operation_is_found_and_named(void **state UNUSED)
{
    size_t i, tried = 0;
    json_t *sample;

    json_array_foreach(samples, i, sample)
    {
        struct walk walk = { .operation_id = json_string_value(json_object_get(sample, "operation")),
                             .body = json_object_get(sample, "body") };
        walk_node(&walk, walk.body);
        tried += walk.tried;
    }
    print_message("# %zu faults\n", tried);
    assert_true(tried > 5000);
}

static void
each_fault_is_told_in_words_that_help(void **state UNUSED)
{
#define TEXT(members)    "{\"channel_id\":\"chn_01jd8h0m4zfg5v2c9x7k3q6t1n\"," members "}"
#define CONTENT(content) TEXT("\"to\":\"+14155550123\",\"content\":" content)
    static const struct {
        const char *operation_id, *body, *errors;
    } rows[] = {
        { "createMessage", "{}", "/channel_id: is required\n/to: is required\n/content: is required\n" },
        { "createMessage", "[]", ": must be an object\n" },
        { "createMessage",
          TEXT("\"to\":\"4155550123\",\"content\":{\"type\":\"text\",\"text\":{\"body\":\"x\"}}"),
          "/to: must be E.164, such as +14155550123, a business-scoped user id, or group:ID\n" },
        { "createMessage",
          TEXT("\"to\":14155550123,\"content\":{\"type\":\"text\",\"text\":{\"body\":\"x\"}}"),
          "/to: must be a string\n" },
        { "createMessage", CONTENT("{}"), "/content/type: is required\n" },
        { "createMessage", CONTENT("{\"type\":\"fax\"}"),
          "/content/type: must be one of \"audio\", \"contacts\", \"document\", \"image\", \"interactive\", "
          "\"location\", \"reaction\", \"sticker\", \"template\", \"text\", \"video\"\n" },
        { "createMessage", CONTENT("{\"type\":7}"), "/content/type: must be a string\n" },
        { "createMessage", CONTENT("{\"type\":\"text\"}"), "/content/text: is required\n" },
        { "createMessage", CONTENT("{\"type\":\"text\",\"text\":{\"body\":\"\"}}"),
          "/content/text/body: must not be empty\n" },
        { "createMessage", CONTENT("{\"type\":\"text\",\"text\":{\"body\":\"x\"},\"image\":{}}"),
          "/content/image: is not a known field\n" },
        { "createMessage", CONTENT("{\"type\":\"image\",\"image\":{}}"),
          "/content/image: must have exactly one of \"id\", \"link\"\n" },
        { "createMessage",
          CONTENT("{\"type\":\"image\",\"image\":{\"id\":\"1\",\"link\":\"https://a.example/\"}}"),
          "/content/image: must have exactly one of \"id\", \"link\"\n" },
        { "createMessage", CONTENT("{\"type\":\"image\",\"image\":{\"link\":\"ftp://a.example/\"}}"),
          "/content/image/link: must begin with https:// or http://\n" },
        { "createMessage", CONTENT("{\"type\":\"image\",\"image\":{\"link\":\"https://a b\"}}"),
          "/content/image/link: must be a complete URI in ASCII, such as https://example.com/a\n" },
        { "createMessage",
          CONTENT("{\"type\":\"location\",\"location\":{\"latitude\":90.5,\"longitude\":-181}}"),
          "/content/location/latitude: must be at most 90\n/content/location/longitude: must be at least "
          "-180\n" },
        { "createMessage",
          CONTENT("{\"type\":\"contacts\",\"contacts\":[{\"name\":{\"formatted_name\":\"x\"},"
                  "\"birthday\":\"1.1.1999\",\"emails\":[{\"email\":\"x\"}]}]}"),
          "/content/contacts/0/name: must have at least one of \"first_name\", \"last_name\", "
          "\"middle_name\", "
          "\"suffix\", \"prefix\"\n"
          "/content/contacts/0/birthday: must be a date, such as 2026-01-31\n"
          "/content/contacts/0/emails/0/email: must be an e-mail address, such as name@example.com\n" },
        { "createMessage",
          CONTENT("{\"type\":\"template\",\"template\":{\"name\":\"A\",\"language\":{\"code\":\"en_US\"},"
                  "\"components\":[{\"type\":\"button\",\"sub_type\":\"url\",\"index\":true,"
                  "\"parameters\":[]}]}}"),
          "/content/template/name: must be lower-case letters, digits and underscores, at most 512\n"
          "/content/template/components/0/index: must be a string or an integer\n"
          "/content/template/components/0/parameters: must not be empty\n" },
        { "createMessage",
          TEXT("\"to\":\"+14155550123\",\"category\":\"spam\",\"content\":{\"type\":\"text\",\"text\":"
               "{\"body\":\"x\"}}"),
          "/category: must be one of \"otp\", \"transactional\", \"service\", \"promotional\"\n" },
        { "createMessage",
          "{\"channel_id\":\"msg_01jd8h0m4zfg5v2c9x7k3q6t1n\",\"to\":\"+14155550123\",\"content\":"
          "{\"type\":\"text\",\"text\":{\"body\":\"x\"}}}",
          "/channel_id: must be an id that begins with chn_\n" },
        { "updateChannel", "{}", ": must not be empty\n" },
        { "updateChannel", "{\"state\":\"broken\"}", "/state: must be one of \"active\", \"paused\"\n" },
        { "createChannel", "{\"kind\":\"pigeon\"}", "/kind: must be one of \"sms\", \"whatsapp\"\n" },
        { "createChannel", "{\"kind\":\"whatsapp\",\"name\":\"x\",\"whatsapp\":{\"access_token\":\"short\"}}",
          "/whatsapp/waba_id: is required\n/whatsapp/phone_number_id: is required\n"
          "/whatsapp/display_phone_number: is required\n/whatsapp/app_secret: is required\n"
          "/whatsapp/verify_token: is required\n/whatsapp/access_token: must be at least 8 characters\n" },
        { "createApiKey",
          "{\"name\":\"x\",\"scopes\":[\"messages:send\",\"messages:send\"],\"expires_at\":\"soon\"}",
          "/scopes/1: must not repeat an earlier item\n"
          "/expires_at: must be an RFC 3339 time, such as 2026-01-31T12:00:00Z\n" },
        { "createWebhookEndpoint",
          "{\"url\":\"https://a.example/\",\"events\":[\"*\"],\"signature\":\"rsa\"}",
          "/signature: must be one of \"hmac\", \"ed25519\", \"both\"\n" },
    };
    char errors[8192];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        json_t *body;
        assert_ok(json_parse(slice_text(rows[i].body), &body));
        assert_int_equal(check_body(rows[i].operation_id, body, errors, sizeof(errors)), ERR_CONTRACT);
        json_decref(body);
        assert_string_equal(errors, rows[i].errors);
    }
}

static void
lengths_count_code_points(void **state UNUSED)
{
    static const char *const units[] = { "x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80" };
    char errors[1024], *text = calloc(4097, 4);

    for (size_t i = 0; i < COUNT_OF(units); i++) {
        size_t bytes = strlen(units[i]);
        for (size_t n = 0; n < 4097; n++)
            memcpy(text + n * bytes, units[i], bytes);
        for (size_t length = 4096; length <= 4097; length++) {
            json_t *body =
                json_pack("{ss ss s{ss s{ss%}}}", "channel_id", "chn_01jd8h0m4zfg5v2c9x7k3q6t1n", "to",
                          "+14155550123", "content", "type", "text", "text", "body", text, length * bytes);
            assert_non_null(body);
            enum err err = check_body("createMessage", body, errors, sizeof(errors));
            assert_int_equal(err, length == 4096 ? ERR_OK : ERR_CONTRACT);
            assert_string_equal(
                errors, length == 4096 ? "" : "/content/text/body: must be at most 4096 characters\n");
            json_decref(body);
        }
    }
    free(text);
}

static void
a_problem_never_repeats_what_was_sent(void **state UNUSED)
{
    static const char marked[] = "canary-7c1f";
    size_t i;
    json_t *sample;
    char errors[16384];

    json_array_foreach(samples, i, sample)
    {
        const char *name;
        json_t *body = json_deep_copy(json_object_get(sample, "body")), *value;
        void *next;
        json_object_foreach_safe(body, next, name, value)
        {
            assert_int_equal(json_object_set_new(body, name, json_string(marked)), 0);
        }
        (void)check_body(json_string_value(json_object_get(sample, "operation")), body, errors,
                         sizeof(errors));
        assert_null(strstr(errors, marked));
        json_decref(body);
    }
}

/* A name that is too long to repeat does not make the answer long; and sixteen errors are enough. */
static void
answers_stay_small_whatever_is_sent(void **state UNUSED)
{
    char errors[16384], name[4000];
    json_t *body = json_object();

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    json_object_set_new(body, "events", json_pack("[s]", "*"));
    json_object_set_new(body, name, json_null());
    assert_int_equal(check_body("updateWebhookEndpoint", body, errors, sizeof(errors)), ERR_CONTRACT);
    assert_string_equal(errors, ": has a field that is not known\n");
    json_object_del(body, name);
    for (int i = 0; i < 50000; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        json_object_set_new(body, name, json_null());
    }
    assert_int_equal(check_body("updateWebhookEndpoint", body, errors, sizeof(errors)), ERR_CONTRACT);
    size_t lines = 0;
    for (const char *at = errors; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, PROBLEM_ERRORS_MAX);
    json_decref(body);
}

static void
without_memory_nothing_passes_that_should_not(void **state UNUSED)
{
    const struct contract_operation *operation = contract_find(contract, "createMessage");
    json_t *body = json_pack("{si si si}", "to", 1, "content", 2, "unknown", 3);

    for (size_t bytes = 0; bytes < 2048; bytes += 16) {
        struct arena *arena = arena_new(bytes);
        struct problem problem = { .count = 0 };
        enum err err = contract_check_body(operation, body, arena, &problem);
        assert_true(err == ERR_CONTRACT || err == ERR_NO_MEMORY);
        arena_free(arena);
    }
    json_decref(body);
}

static void
every_operation_says_its_path_and_scope(void **state UNUSED)
{
    /* Posts and puts that only say "do it". */
    static const char *const bare[] = {
        "rotateWebhookSecret",  "cancelMessage",    "syncChannelNumber",   "deregisterChannelNumber",
        "syncChannelTemplates", "unpauseTemplate",  "testWebhookEndpoint", "replayWebhookDelivery",
        "beginPasskeySignIn",   "beginTotp",        "beginPasskeyStepUp",  "beginPasskey",
        "resendInvitation",     "revokeInvitation", "closeAccessReview",   "addTeamMember",
        "makeRecoveryCodes",    "resendMessage",    "suspendWorkspace",    "resumeWorkspace"
    };
    const struct contract_route *route;
    size_t count = 0, open = 0;

    for (; (route = contract_route_at(contract, count)) != NULL; count++) {
        assert_true(slice_starts_with(route->path, SLICE("/v1/")));
        open += route->scope.len == 0 && !route->is_session;
        const struct contract_operation *operation;
        char id[64];
        snprintf(id, sizeof(id), "%.*s", SLICE_FMT(route->operation_id));
        operation = contract_find(contract, id);
        assert_non_null(operation);
        bool is_change = slice_eq(route->method, SLICE("patch")) ||
                         ((slice_eq(route->method, SLICE("put")) || slice_eq(route->method, SLICE("post"))) &&
                          !ends_with(route->operation_id, bare, COUNT_OF(bare)));
        assert_int_equal(contract_has_body(operation), is_change);
    }
    assert_true(count >= 20);
    assert_int_equal(
        open, 10); /* the contract itself, signing in and by whom, enrolling; and what is for any key */
    assert_null(contract_find(contract, "nothing"));
}

struct query_row {
    const char *operation_id, *query, *errors; /* errors as "parameter: detail\n"; "" passes */
};

static void
check_query(const struct query_row *row)
{
    struct contract_parameter parameters[64];
    struct problem problem = { .count = 0 };
    struct arena *arena = arena_new(64 * 1024);
    struct slice rest = slice_text(row->query);
    char errors[8192] = "";
    size_t count = 0, used = 0;

    while (rest.len > 0) {
        struct slice value = slice_take_until(&rest, '&');
        parameters[count].name = slice_take_until(&value, '=');
        parameters[count++].value = value;
    }
    enum err err =
        contract_check_query(contract_find(contract, row->operation_id), parameters, count, arena, &problem);
    for (size_t i = 0; i < problem.count; i++) {
        assert_int_equal(problem.errors[i].pointer.len, 0);
        used += (size_t)snprintf(errors + used, sizeof(errors) - used, "%.*s: %.*s\n",
                                 SLICE_FMT(problem.errors[i].parameter), SLICE_FMT(problem.errors[i].detail));
    }
    assert_string_equal(errors, row->errors);
    assert_int_equal(err, row->errors[0] == '\0' ? ERR_OK : ERR_QUERY);
    arena_free(arena);
}

static void
query_parameters_are_checked_as_the_values_they_stand_for(void **state UNUSED)
{
#define STATUSES                                                                                             \
    "must be one of \"accepted\", \"queued\", \"held\", \"sending\", \"sent\", \"delivered\", \"read\", "    \
    "\"blocked\", "                                                                                          \
    "\"failed\", \"expired\", \"canceled\", \"uncertain\", \"received\"\n"
    static const struct query_row rows[] = {
        { "listMessages", "", "" },
        { "listMessages",
          "status=failed,expired&channel_id=chn_01jd8h0m4zfg5v2c9x7k3q6t1n&direction=outbound&category=otp&to="
          "+14155550123&"
          "reference=order, "
          "1042&created_after=2026-01-01T00:00:00Z&created_before=2026-02-01T00:00:00+05:30&limit=100&"
          "cursor=abc_-9",
          "" },
        { "listMessages", "limit=1", "" },
        { "listMessages", "limit=0", "limit: must be at least 1\n" },
        { "listMessages", "limit=101", "limit: must be at most 100\n" },
        { "listMessages", "limit=99999999999999999999", "limit: must be an integer\n" },
        { "listMessages", "limit=ten", "limit: must be an integer\n" },
        { "listMessages", "limit=", "limit: must be an integer\n" },
        { "listMessages", "limit=1.0", "limit: must be an integer\n" },
        { "listMessages", "limit=+1", "limit: must be an integer\n" },
        { "listMessages", "limit=5&limit=6", "limit: must not be repeated\n" },
        { "listMessages", "limit=5&limit=6&limit=7", "limit: must not be repeated\n" },
        { "listMessages", "status=", "status: must not be empty\n" },
        { "listMessages", "status=failed,", "status: " STATUSES },
        { "listMessages", "status=,",
          "status: must not repeat an earlier item\nstatus: " STATUSES "status: " STATUSES },
        { "listMessages", "status=Failed", "status: " STATUSES },
        { "listMessages", "status=failed,failed", "status: must not repeat an earlier item\n" },
        { "listMessages", "channel_id=x", "channel_id: must be an id that begins with chn_\n" },
        { "listMessages", "to= 14155550123",
          "to: must be E.164, such as +14155550123, a business-scoped user id, or group:ID\n" },
        { "listMessages", "created_after=yesterday",
          "created_after: must be an RFC 3339 time, such as 2026-01-31T12:00:00Z\n" },
        { "listMessages", "cursor=a b", "cursor: must be the next_cursor of an earlier page\n" },
        { "listMessages", "Limit=5", "Limit: is not a known parameter\n" },
        { "listMessages", "a=1&a=2", "a: is not a known parameter\na: must not be repeated\n" },
        { "listMessages", "=1", "(empty): is not a known parameter\n" },
        { "listMessages",
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xf0\x9f\x98\x80xxxxxx=1",
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: is not a known parameter\n" },
        { "listChannels", "status=failed", "status: is not a known parameter\n" },
        { "getMessage", "limit=1", "limit: is not a known parameter\n" },
        { "createMessage", "x=1", "x: is not a known parameter\n" },
        { "listWebhookDeliveries", "state=pending,failed,delivered,canceled", "" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_query(&rows[i]);
}

UNIT_MAIN(cmocka_unit_test_setup(every_sample_and_every_example_passes, contract_open),
          cmocka_unit_test(a_fault_in_any_field_of_any_operation_is_found_and_named),
          cmocka_unit_test(each_fault_is_told_in_words_that_help),
          cmocka_unit_test(lengths_count_code_points),
          cmocka_unit_test(a_problem_never_repeats_what_was_sent),
          cmocka_unit_test(answers_stay_small_whatever_is_sent),
          cmocka_unit_test(without_memory_nothing_passes_that_should_not),
          cmocka_unit_test(every_operation_says_its_path_and_scope),
          cmocka_unit_test_teardown(query_parameters_are_checked_as_the_values_they_stand_for,
                                    contract_close))
