#!/usr/bin/python3
"""What scripts/check_lock_order.py lets pass, and what not."""
import pathlib
import tempfile
import unittest

import check_lock_order
import sql_statements

SCHEMA = """
create table thing (tenant_id uuid not null, id uuid not null, state text, due_at timestamptz, -- a comment
    primary key (tenant_id, id));
create index thing_due on thing (tenant_id, due_at) where state = 'waiting';
create index thing_old on thing (state);
drop index thing_old;
"""
IN_ORDER = [
    "SELECT id FROM thing WHERE tenant_id = $1 ORDER BY id FOR UPDATE",
    "SELECT t.id FROM thing t WHERE t.tenant_id = $1 AND t.id > $2 ORDER BY t.id LIMIT 5 FOR NO KEY UPDATE",
    "WITH d AS MATERIALIZED (SELECT id FROM thing WHERE tenant_id = $1 AND state = 'waiting' AND due_at <= now() ORDER BY due_at"
    " LIMIT (SELECT 3) FOR UPDATE SKIP LOCKED) UPDATE thing t SET state = 'taken' FROM d WHERE t.tenant_id = $1 AND t.id = d.id",
    "SELECT FROM (SELECT id FROM unnest($2::uuid[]) AS g (id) ORDER BY id) g CROSS JOIN LATERAL"
    " (SELECT FROM thing WHERE tenant_id = $1 AND id = g.id FOR UPDATE) t",
    "SELECT id FROM thing WHERE tenant_id = $1 AND id = ANY ($2) ORDER BY id",
]
NOT_IN_ORDER = [
    "SELECT id FROM thing WHERE tenant_id = $1 AND id = ANY ($2) ORDER BY id FOR UPDATE",
    "SELECT id FROM thing WHERE tenant_id = $1 AND id IN ($2, $3) ORDER BY id FOR UPDATE",
    "SELECT id FROM thing WHERE tenant_id = $1 AND state = 'taken' ORDER BY id FOR SHARE",
    "SELECT id FROM thing WHERE tenant_id = $1 AND due_at <= now() ORDER BY due_at FOR UPDATE",
    "SELECT id FROM thing WHERE state = 'taken' ORDER BY state FOR UPDATE",
    "SELECT id FROM thing WHERE id > $1 ORDER BY id FOR UPDATE",
    "SELECT id FROM thing WHERE tenant_id = $1 ORDER BY id DESC FOR UPDATE",
    "SELECT t.id FROM thing t JOIN other o ON o.id = t.id WHERE t.tenant_id = $1 ORDER BY t.id FOR UPDATE OF t",
    "SELECT id FROM thing ORDER BY id FOR KEY SHARE",
]
SOURCE = r"""
#define WORD "it's"
#define PART(x) "id = "  \
                x " /* no comment */ "
/* Lock order: a reason. */
static const struct db_stmt a = { "name", "SELECT " PART("one") /* which */ WORD " FROM thing" };
static const struct db_stmt b = { "other", "SELECT" };
"""


class LockOrder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "sql").mkdir()
            (pathlib.Path(folder) / "sql" / "0001_thing.sql").write_text(SCHEMA, encoding="utf-8")
            cls.tables = check_lock_order.indexes_of(pathlib.Path(folder))

    def test_an_order_that_an_index_gives_is_let_pass(self):
        for statement in IN_ORDER:
            self.assertIsNone(check_lock_order.check(statement, False, self.tables)[1], statement)

    def test_any_other_is_found(self):
        for statement in NOT_IN_ORDER:
            self.assertIsNotNone(check_lock_order.check(statement, False, self.tables)[1], statement)

    def test_a_reason_excuses_it(self):
        for statement in NOT_IN_ORDER:
            self.assertIsNone(check_lock_order.check(statement, True, self.tables)[1], statement)

    def test_a_reason_that_excuses_nothing_is_found(self):
        for statement in IN_ORDER:
            self.assertIsNotNone(check_lock_order.check(statement, True, self.tables)[1], statement)

    def test_a_statement_is_all_its_literals_with_the_macros_among_them(self):
        found = [(text, "Lock order:" in comments) for text, _, comments in sql_statements.of_source(SOURCE)]
        whole = "SELECT id =  /* no comment */ it's FROM thing"
        self.assertEqual(found, [("name", True), (whole, True), ("other", False), ("SELECT", False)])


if __name__ == "__main__":
    unittest.main()
