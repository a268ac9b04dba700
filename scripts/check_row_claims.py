#!/usr/bin/python3
"""Fails when a statement of C source locks rows that it passes by (SKIP LOCKED) outside of WITH ... AS MATERIALIZED.

A plan may run a plain subquery again for each row that it is joined with, and each run locks further rows: then more is claimed than
LIMIT says (docs/database.md, "Claims").
"""
import argparse
import pathlib
import re
import sys

import sql_statements


def is_claimed_once(statement, at):
    """Whether one of the parentheses around this place is of a materialized part."""
    depth = 0
    for i in range(at, -1, -1):
        if statement[i] == ")":
            depth += 1
        elif statement[i] == "(":
            depth -= 1
            if depth < 0:
                if statement[:i].rstrip().endswith("AS MATERIALIZED"):
                    return True
                depth = 0
    return False


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--root", required=True)
    options = arguments.parse_args()
    root = pathlib.Path(options.root)
    found, claims = [], 0
    for path in sorted(path for path in root.glob("src/**/*.c") if not path.name.endswith("_test.c")):
        for statement, line, _ in sql_statements.of_source(path.read_text(encoding="utf-8")):
            for place in re.finditer("SKIP LOCKED", statement):
                claims += 1
                if not is_claimed_once(statement, place.start()):
                    found.append(f"{path.relative_to(root)}:{line}: SKIP LOCKED outside of WITH ... AS MATERIALIZED")
    if claims == 0:
        found.append("no statement claims rows: this check does not see them any more")
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


sys.exit(main())
