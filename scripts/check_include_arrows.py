#!/usr/bin/python3
"""Holds the includes of src/ against two tables of docs/architecture.md.

"Rooms and arrows": | `wire/http` | `core`, `wire/json` | what it is |
  every folder with sources is a room and has a row, every row is such a folder, and names only rows above it; a
  product file includes its own room and what the row allows; an arrow that no file uses is refused as well.
"Libraries": | `jansson.h` | `wire/json`, ... |
  a product file includes the library only in these rooms.
Tests, fuzz targets and their helpers may include more; product files do not include them.
"""
import pathlib
import re
import sys

TEST_NAME = re.compile(r"(_test|_fuzz|_testing)\.[ch]$|^(unit|fuzz)(_\w+)?\.[ch]$|^test_\w+\.[ch]$")
OURS = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
THEIRS = re.compile(r"^\s*#\s*include\s+<([^>]+)>", re.M)
NAMES = re.compile(r"`([^`]+)`")


def table(text, heading):
    """First and second cell of each row below the heading."""
    _, found, rest = text.partition(f"\n## {heading}\n")
    if not found:
        sys.exit(f'docs/architecture.md: the section "{heading}" is missing')
    rows = []
    for line in rest.partition("\n## ")[0].splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| `") and len(cells) >= 2:
            rows.append((NAMES.findall(cells[0])[0], NAMES.findall(cells[1])))
    if not rows:
        sys.exit(f'docs/architecture.md: the section "{heading}" has no rows')
    return rows


class Source:
    def __init__(self, root, path):
        text = path.read_text(encoding="utf-8")
        self.path, self.name = path.relative_to(root), str(path.relative_to(root / "src"))
        self.room = str(path.parent.relative_to(root / "src"))
        self.ours, self.theirs = OURS.findall(text), THEIRS.findall(text)
        self.is_test = bool(TEST_NAME.search(path.name)) or bool({"core/unit.h", "core/fuzz.h"} & set(self.ours))


def check_rows(rooms, rows, failures):
    above = []
    for room, targets in rows:
        if room not in rooms:
            failures.append(f"docs/architecture.md: {room} is no room of src/")
        if room in above:
            failures.append(f"docs/architecture.md: {room} has a row already")
        for target in targets:
            if target not in above:
                failures.append(f"docs/architecture.md: {room} may include {target}, which is no row above it")
            if target.startswith("program/"):
                failures.append(f"docs/architecture.md: {room} may include a program")
        above.append(room)
    for room in sorted(rooms - set(above)):
        failures.append(f"docs/architecture.md: the room {room} has no row")


def check_file(source, allowed, tests, failures, used):
    for target in source.ours:
        room, _, name = target.rpartition("/")
        if room == "":
            failures.append(f'{source.path}: "{target}" is not a path from src/')
        elif name.endswith("_internal.h") and room != source.room:
            failures.append(f"{source.path}: {target} is for its own room")
        elif source.is_test or room == source.room and target not in tests:
            continue
        elif target in tests:
            failures.append(f"{source.path}: {target} is for tests")
        elif room in allowed.get(source.room, set()):
            used.add((source.room, room))
        else:
            failures.append(f"{source.path}: {source.room} may not include {room} ({target})")


def check_libraries(sources, rows, failures):
    for header, rooms in rows:
        users = [source for source in sources if not source.is_test and any(name.startswith(header) for name in source.theirs)]
        for source in users:
            if source.room not in rooms:
                failures.append(f"{source.path}: {source.room} may not include <{header}>")
        for room in sorted(set(rooms) - {source.room for source in users}):
            failures.append(f"docs/architecture.md: {room} does not include <{header}>")


def main():
    root, failures, used = pathlib.Path(sys.argv[1]), [], set()
    document = "\n" + (root / "docs/architecture.md").read_text(encoding="utf-8")
    sources = [Source(root, path) for path in sorted([*root.glob("src/**/*.c"), *root.glob("src/**/*.h")])]
    tests = {source.name for source in sources if source.is_test}
    rows = table(document, "Rooms and arrows")
    allowed = {room: set(targets) for room, targets in rows}
    check_rows({source.room for source in sources}, rows, failures)
    for source in sources:
        check_file(source, allowed, tests, failures, used)
    for room, targets in rows:
        for target in targets:
            if (room, target) not in used:
                failures.append(f"docs/architecture.md: no file of {room} includes {target}: take the arrow away")
    check_libraries(sources, table(document, "Libraries"), failures)
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


sys.exit(main())
