/* The registry on a real PostgreSQL: what is kept, and what is said of a text. */
#include "domain/dlt/dlt_check.h"
#include "platform/db/test_pair.h"

static struct id entity, header, promotional, template;

static void
begin(struct id tenant, struct db_tx *tx)
{
    assert_ok(db_begin(gateway, tenant, tx));
}

static enum err
template_add(struct id tenant, const char *registered_id, const char *category, const char *text,
             struct id under, struct id *out)
{
    struct slice names[1] = { id_eq(under, header) ? SLICE("HRKARA") : SLICE("512345") };
    struct dlt_template with = { .id = id_new(clock_system()),
                                 .entity = entity,
                                 .registered_id = slice_text(registered_id),
                                 .name = SLICE("n"),
                                 .category = slice_text(category),
                                 .text = slice_text(text),
                                 .state = SLICE("active"),
                                 .header_names = names,
                                 .header_count = 1 };
    struct db_tx tx;

    begin(tenant, &tx);
    enum err err = dlt_template_create(&tx, clock_system(), arena, &with);

    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    *out = with.id;
    return err;
}

static struct id
header_add(const char *name)
{
    struct dlt_header with = {
        .id = id_new(clock_system()), .entity = entity, .name = slice_text(name), .state = SLICE("active")
    };
    struct db_tx tx;

    begin(acme, &tx);

    assert_ok(dlt_header_create(&tx, clock_system(), &with));
    assert_ok(db_commit(&tx));
    return with.id;
}

static int
opened(void **state UNUSED)
{
    test_pair_open(
        "delete from dlt_template; delete from dlt_chain; delete from dlt_header; delete from dlt_entity;"
        " delete from dlt_link");
    struct dlt_entity with = { .id = entity = id_new(clock_system()),
                               .registered_id = SLICE("1101172974420810001"),
                               .name = SLICE("Acme"),
                               .state = SLICE("active") };
    struct db_tx tx;

    begin(acme, &tx);
    assert_ok(dlt_entity_create(&tx, clock_system(), &with));
    assert_ok(db_commit(&tx));
    header = header_add("HRKARA");
    promotional = header_add("512345");
    struct id other;
    assert_ok(template_add(acme, "1107001", "service",
                           "Dear {#var#}, your order {#alphanumeric#} has shipped. -HK", header, &template));
    assert_ok(template_add(acme, "1107002", "promotional", "Sale! {#numeric#} percent off. -HK", promotional,
                           &other));
    return 0;
}
#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, test_pair_close)

static struct dlt_found
checked(struct id tenant, struct dlt_asked asked)
{
    struct dlt_found found;
    struct db_tx tx;

    begin(tenant, &tx);

    assert_ok(dlt_check(&tx, clock_system(), arena, &asked, &found));
    db_rollback(&tx);
    return found;
}

static void
changed(const char *sql)
{
    test_cluster_sql(sql);
}

#define SHIPPED   SLICE("Dear Asha, your order A12 has shipped. -HK")
#define SAID(...) checked(acme, (struct dlt_asked){ __VA_ARGS__ }).verdict

static void
a_text_is_judged_in_the_order_of_a_registry(void **state UNUSED)
{
    struct dlt_asked asked = { .header = SLICE("HRKARA"), .text = SHIPPED };

    assert_int_equal(checked(acme, asked).verdict, DLT_OK);
    assert_true(id_eq(checked(acme, asked).template.id, template));
    assert_int_equal(checked(bolt, asked).verdict, DLT_NO_ENTITY);
    assert_int_equal(SAID(.header = SLICE("hrkara"), .text = SHIPPED), DLT_HEADER_UNKNOWN);
    assert_int_equal(SAID(.header = SLICE("HRKARA"), .text = SHIPPED, .template_registered_id = SLICE("1")),
                     DLT_TEMPLATE_UNKNOWN);
    assert_int_equal(
        SAID(.header = SLICE("512345"), .text = SHIPPED, .template_registered_id = SLICE("1107001")),
        DLT_NOT_MAPPED);
    assert_int_equal(
        SAID(.header = SLICE("HRKARA"), .text = SHIPPED, .has_category = true, .is_promotional = true),
        DLT_CATEGORY);
    assert_int_equal(SAID(.header = SLICE("HRKARA"), .text = SHIPPED, .has_category = true), DLT_OK);
    assert_int_equal(
        SAID(.header = SLICE("512345"), .text = SLICE("Sale! 20 percent off. -HK"), .has_category = true),
        DLT_CATEGORY);
    assert_int_equal(
        SAID(.header = SLICE("HRKARA"), .text = SLICE("Dear Asha, your order A-12 has shipped. -HK")),
        DLT_VARIABLE);
    assert_int_equal(
        SAID(.header = SLICE("HRKARA"), .text = SLICE("Dear x.in, your order A12 has shipped. -HK")),
        DLT_LINK);
    assert_int_equal(SAID(.header = SLICE("HRKARA"), .text = SLICE("")), DLT_NOT_MATCHED);
    changed("update dlt_template set state = 'inactive' where registered_id = '1107001'");
    assert_int_equal(checked(acme, asked).verdict, DLT_TEMPLATE_INACTIVE);
    changed(
        "update dlt_template set state = 'active', paused_at = now(), paused_reason = 'r' where registered_id = '1107001'");
    assert_int_equal(checked(acme, asked).verdict, DLT_TEMPLATE_INACTIVE);
    changed("update dlt_header set state = 'suspended-usage'");
    assert_int_equal(checked(acme, asked).verdict, DLT_HEADER_INACTIVE);
    changed("update dlt_entity set state = 'blacklisted'");
    assert_int_equal(checked(acme, asked).verdict, DLT_ENTITY_INACTIVE);
}

static void
a_text_that_matches_none_is_shown_the_nearest(void **state UNUSED)
{
    struct dlt_asked asked = { .header = SLICE("HRKARA"),
                               .text = SLICE("Hi Asha, your order A12 has shipped. -HK"),
                               .wants_nearest = true };
    struct dlt_found found = checked(acme, asked);

    assert_int_equal(found.verdict, DLT_NOT_MATCHED);
    assert_true(found.has_template && id_eq(found.template.id, template));
    assert_int_equal(found.match.text.start, 0);
    assert_int_equal(found.match.text.end, 2);
    assert_int_equal(found.match.fixed.end, 4);
    asked.wants_nearest = false; /* what begins differently is not even looked at */
    found = checked(acme, asked);
    assert_int_equal(found.verdict, DLT_NOT_MATCHED);
    assert_false(found.has_template);
}

static void
a_chain_is_known_by_the_hash_of_its_ids(void **state UNUSED)
{
    struct dlt_chain chain = { .id = id_new(clock_system()),
                               .entity = entity,
                               .state = SLICE("active"),
                               .members = { { SLICE("1101172974420830004"), SLICE("TM"),
                                              SLICE("delivery") } },
                               .member_count = 1 };
    struct dlt_registered *read = NULL;
    struct dlt_use uses[2] = { { .template = template, .header = SLICE("HRKARA") },
                               { .template = id_new(clock_system()), .header = SLICE("HRKARA") } };
    struct db_tx tx;

    begin(acme, &tx);

    assert_ok(dlt_registered_read(&tx, arena, uses, 2, &read));
    assert_true(read[0].standing == DLT_OK &&
                read[0].chain_hash.len == 0); /* no chain is recorded: an aggregator adds it */
    assert_true(read[1].standing == DLT_TEMPLATE_UNKNOWN && read[1].template_id.len == 0);
    assert_ok(dlt_chain_create(&tx, clock_system(), arena, &chain));
    assert_ok(dlt_registered_read(&tx, arena, uses, 2, &read));
    assert_true(slice_eq(read[0].chain_hash,
                         SLICE("c0c951afca257c5b87c3da535c09112080483f35b7e6faf35e2428b3b526b694")));
    assert_true(slice_eq(read[0].entity_id, SLICE("1101172974420810001")));
    assert_true(slice_eq(read[0].template_id, SLICE("1107001")));
    assert_true(slice_eq(read[0].member_ids, SLICE("1101172974420830004")));
    assert_ok(dlt_chain_update(&tx, clock_system(), chain.id, SLICE("suspended")));
    assert_ok(dlt_registered_read(&tx, arena, uses, 2, &read));
    assert_int_equal(read[0].standing, DLT_CHAIN);
    assert_ok(db_commit(&tx));
    assert_int_equal(SAID(.header = SLICE("HRKARA"), .text = SHIPPED), DLT_CHAIN);
}

/* What a template that was found is worth when its message leaves, by what has changed since. */
static void
what_is_no_longer_active_is_told_in_the_order_of_a_registry(void **state UNUSED)
{
    static const struct {
        const char *change, *header;
        bool is_promotional;
        enum dlt_verdict standing;
    } rows[] = {
        { NULL, "HRKARA", false, DLT_OK },
        { NULL, "HRKARA", true, DLT_CATEGORY },
        { NULL, "hrkara", false, DLT_HEADER_UNKNOWN },
        { NULL, "512345", false, DLT_NOT_MAPPED },
        { "update harkara.dlt_template set state = 'inactive'", "HRKARA", false, DLT_TEMPLATE_INACTIVE },
        { "update harkara.dlt_header set paused_at = now(), paused_reason = 'complaints'", "HRKARA", false,
          DLT_HEADER_INACTIVE },
        { "update harkara.dlt_entity set state = 'blacklisted'", "HRKARA", false, DLT_ENTITY_INACTIVE },
    };
    struct dlt_registered *read = NULL;
    struct db_tx tx;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct dlt_use use = { .template = template,
                               .header = slice_text(rows[i].header),
                               .is_promotional = rows[i].is_promotional };
        if (rows[i].change != NULL)
            test_cluster_sql(rows[i].change);
        begin(acme, &tx);
        assert_ok(dlt_registered_read(&tx, arena, &use, 1, &read));
        assert_int_equal(read[0].standing, rows[i].standing);
        db_rollback(&tx);
    }
}

static void
another_workspace_s_rows_are_not_there(void **state UNUSED)
{
    struct dlt_template read;
    struct dlt_header *headers = NULL;
    struct id other;
    size_t count = 0;
    struct db_tx tx;

    begin(bolt, &tx);

    assert_int_equal(dlt_template_get(&tx, arena, template, &read), ERR_NOT_FOUND);
    assert_int_equal(dlt_header_delete(&tx, header), ERR_NOT_FOUND);
    assert_ok(
        dlt_header_list(&tx, arena, SLICE_EMPTY, SLICE_EMPTY, (struct id){ { 0 } }, 10, &headers, &count));
    assert_int_equal(count, 0);
    db_rollback(&tx);
    assert_int_equal(template_add(bolt, "1", "service", "x", header, &other), ERR_DLT_ENTITY_UNKNOWN);
}

static void
a_template_is_kept_with_its_types_and_headers(void **state UNUSED)
{
    struct dlt_template read;
    struct db_tx tx;

    begin(acme, &tx);

    assert_ok(dlt_template_get(&tx, arena, template, &read));
    read.rules[0] = (struct dlt_variable_rule){ DLT_VARIABLE_ALPHANUMERIC, 12 };
    read.rule_count = 1;
    read.header_names[0] = SLICE("512345");
    read.paused_reason = SLICE("complaints");
    assert_ok(dlt_template_replace(&tx, clock_system(), arena, &read));
    assert_ok(dlt_template_get(&tx, arena, template, &read));
    assert_int_equal(read.rule_count, 1);
    assert_int_equal(read.rules[0].points_max, 12);
    assert_true(read.header_count == 1 && slice_eq(read.header_names[0], SLICE("512345")));
    assert_true(slice_eq(read.paused_reason, SLICE("complaints")) && read.paused_at.us > 0);
    read.rule_count = 3; /* there are but two variables */
    assert_int_equal(dlt_template_replace(&tx, clock_system(), arena, &read), ERR_ENCODING);
    db_rollback(&tx);
}

static void
ids_and_headers_are_those_of_portals(void **state UNUSED)
{
    assert_true(dlt_id_is_written(SLICE("1101172974420810001")));
    assert_false(dlt_id_is_written(SLICE("11 01")));
    assert_false(dlt_id_is_written(SLICE("")));
    assert_null(dlt_header_fault(SLICE("HRKARA")));
    assert_null(dlt_header_fault(SLICE("512345")));
    assert_non_null(dlt_header_fault(SLICE("912345")));
    assert_non_null(dlt_header_fault(SLICE("HRK4RA")));
    assert_non_null(dlt_header_fault(SLICE("VM-HRKARA-S")));
    assert_non_null(dlt_header_fault(SLICE("HK")));
}

CLUSTER_MAIN(TEST(a_text_is_judged_in_the_order_of_a_registry),
             TEST(a_text_that_matches_none_is_shown_the_nearest),
             TEST(a_chain_is_known_by_the_hash_of_its_ids),
             TEST(what_is_no_longer_active_is_told_in_the_order_of_a_registry),
             TEST(another_workspace_s_rows_are_not_there),
             TEST(a_template_is_kept_with_its_types_and_headers),
             cmocka_unit_test(ids_and_headers_are_those_of_portals))
