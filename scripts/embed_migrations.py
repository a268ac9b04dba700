#!/usr/bin/python3
"""Writes sql/NNNN_name.sql as a C array for src/platform/db/migrate.c: version, name, SHA-256, text.

Versions count from 1 without a gap, so that a forgotten or doubled file is seen at build time.
"""
import hashlib
import pathlib
import re
import sys

NAME = re.compile(r"(\d{4})_[a-z0-9_]+")


def literal(text):
    """One C string literal per line; only what C needs is escaped."""
    lines = []
    for line in text.splitlines(keepends=True):
        escaped = line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
        lines.append('        "' + escaped.replace("??", '?""?') + '"')
    return "\n".join(lines)


def main():
    out = pathlib.Path(sys.argv[1])
    rows = []
    for expected, path in enumerate(sorted(pathlib.Path(name) for name in sys.argv[2:]), 1):
        match = NAME.fullmatch(path.stem)
        if match is None or int(match.group(1)) != expected:
            print(f"{path}: migrations are named NNNN_name.sql and count from 0001 without a gap", file=sys.stderr)
            return 1
        raw = path.read_bytes()
        digest = hashlib.sha256(raw).hexdigest()
        rows.append(f'    {{{expected}, "{path.stem}",\n     "{digest}",\n{literal(raw.decode("ascii"))}}},\n')
    out.write_text('/* Written by scripts/embed_migrations.py from sql/. */\n'
                   '#include "platform/db/migrate_internal.h"\n\n'
                   'const struct migration migrations[] = {\n' + "".join(rows) + '};\n'
                   'const size_t migration_count = sizeof(migrations) / sizeof(migrations[0]);\n', encoding="ascii")
    return 0


sys.exit(main())
