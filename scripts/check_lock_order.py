#!/usr/bin/python3
"""Fails when a statement that a login without sorting may run locks rows in an order that no index gives it.

The logins of dispatcher, webhooks and smsc have enable_sort = off, so that queues are read in the order of an index. A statement of
theirs that sorts the rows that it locks reads the whole table in that order instead, or all that the workspace has of it. So
`SELECT ... ORDER BY ... FOR UPDATE` (or any other lock) must be of one table, with an index of which the columns before those of ORDER
BY are pinned by `=`, and which every condition is about: nothing is read that is not locked. Rows that are named by an array are locked
one by one by their key, as message_queue_hold does. Where neither fits, a comment at the statement says why, after the words "Lock
order:" (docs/database.md, "Claims"). The migrations say which indexes there are.
"""
import argparse
import pathlib
import re
import sys

import sql_statements

PLACES = ["src/domain/**/*.c", "src/program/dispatcher/*.c", "src/program/smsc/*.c", "src/program/webhooks/*.c"]
LOCK = re.compile(r"\bFOR (?:NO KEY UPDATE|UPDATE|SHARE|KEY SHARE)\b")
REASON = "Lock order:"
STEP = re.compile(
    r"create (?:unique )?index (?P<index>\w+) on (?P<on>\w+) \((?P<columns>[^;]*?)\)(?: include \([^)]*\))?(?: where (?P<where>[^;]*))?;"
    r"|drop index (?:if exists )?(?P<gone>\w+);"
    r"|create table (?P<table>\w+) \((?P<body>[^;]*)\)(?: partition by [^;]*)?;"
)
KEY = re.compile(r"(?:primary key|unique) \(([^()]*)\)")


def split(text, separator):
    """Cuts at separators that no parenthesis is around."""
    parts, depth, begin = [], 0, 0
    for match in re.finditer(rf"[()]|{separator}", text):
        if match.group(0) == "(":
            depth += 1
        elif match.group(0) == ")":
            depth -= 1
        elif depth == 0:
            parts.append(text[begin : match.start()])
            begin = match.end()
    return [part.strip() for part in parts + [text[begin:]]]


def indexes_of(root):
    """For each table its indexes: columns, and the conditions of a partial one."""
    tables, named = {}, {}
    for path in sorted(root.glob("sql/*.sql")):
        text = re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8"))
        for step in STEP.finditer(re.sub(r"\s+", " ", text).lower()):
            if step["table"]:
                keys = KEY.findall(step["body"])
                own = re.search(r"(?:^|,) ?(\w+) [\w ]*primary key(?! \()", step["body"])
                tables.setdefault(step["table"], []).extend((split(key, ","), []) for key in keys + ([own[1]] if own else []))
            elif step["index"]:
                index = (split(step["columns"], ","), split(step["where"], " and ") if step["where"] else [])
                named[step["index"]] = (step["on"], index)
                tables.setdefault(step["on"], []).append(index)
            elif step["gone"] in named:
                table, index = named.pop(step["gone"])
                tables[table].remove(index)
    return tables


def level_around(statement, at):
    """What stands in the same parentheses as this place; where in it the place is."""
    depth, begin = 0, at
    while begin > 0 and depth >= 0:
        begin -= 1
        depth += {")": 1, "(": -1}.get(statement[begin], 0)
    begin += depth < 0
    depth, end = 0, at
    while end < len(statement) and depth >= 0:
        depth += {"(": 1, ")": -1}.get(statement[end], 0)
        end += depth >= 0
    return statement[begin:end], at - begin


def outline(level):
    """The same text with nothing in its parentheses, at the same places."""
    depth, text = 0, []
    for character in level:
        depth -= character == ")"
        text.append(" " if depth > 0 else character)
        depth += character == "("
    return "".join(text)


def is_given(index, order, conditions):
    """Whether this index gives rows in this order, and no row that the conditions refuse."""
    columns, where = index
    rest = [c for c in conditions if c not in where]
    if any(c not in conditions for c in where):
        return False
    pinned = {c[1] for c in (re.match(r"(\w+) = (?!any\b|all\b)", r) for r in rest) if c}
    wanted = [column for column in order if column not in pinned]
    sorted_by = [column for column in columns if column not in pinned]
    named = [set(re.findall(r"\b\w+\b", re.sub(r"'[^']*'", "", r))) & set(columns) for r in rest]
    is_listed = any(re.search(r"(?:= any|<> all|\bin) \(", r) for r in rest)
    return sorted_by[: len(wanted)] == wanted and all(named) and not is_listed


def is_in_order(level, at, tables):
    """Whether the SELECT that locks at this place reads what it locks in the order of an index."""
    shape = outline(level)
    begin = shape.rfind("SELECT", 0, at)
    match = re.match(
        r"SELECT\b.*?\bFROM (\w+)(?: AS)?(?: (?!WHERE|ORDER)(\w+))? WHERE (.*) ORDER BY (.*?)(?: LIMIT .*)?$", shape[begin:at].rstrip(), re.S
    )
    if match is None:
        return False
    where = level[begin + match.start(3) : begin + match.end(3)]
    alias = rf"\b(?:{match[1]}|{match[2]})\."
    conditions = [re.sub(alias, "", c).lower() for c in split(where, " AND ")]
    order = [re.sub(alias, "", column).lower() for column in split(match[4], ",")]
    return any(is_given(index, order, conditions) for index in tables.get(match[1], []))


def check(statement, reason, tables):
    """What is wrong with a statement: nothing, or one thing."""
    locks, unordered = 0, 0
    for place in LOCK.finditer(statement):
        level, at = level_around(statement, place.start())
        shape = outline(level)
        if "ORDER BY" in shape[shape.rfind("SELECT", 0, at) : at]:
            locks += 1
            unordered += not is_in_order(level, at, tables)
    if unordered and not reason:
        return locks, "locks rows in an order that no index gives, for logins that do not sort"
    if reason and not unordered and " " in statement:  # not its name, which stands in the same declaration
        return locks, f'says "{REASON}", and needs no reason'
    return locks, None


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--root", required=True)
    root = pathlib.Path(arguments.parse_args().root)
    tables = indexes_of(root)
    found, locks = [], 0
    for path in sorted(path for place in PLACES for path in root.glob(place) if not path.name.endswith("_test.c")):
        for statement, line, comments in sql_statements.of_source(path.read_text(encoding="utf-8")):
            count, wrong = check(statement, REASON in comments, tables)
            locks += count
            if wrong:
                found.append(f"{path.relative_to(root)}:{line}: {wrong}")
    if locks == 0:
        found.append("no statement locks rows in an order: this check does not see them any more")
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
