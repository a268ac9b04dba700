#!/usr/bin/python3
"""Holds the includes of src/ against the table of allowed arrows in docs/architecture.md.

A row of the table names a wing in its first cell and the wings it may include in its second:
| `crypto` | `core` |
"""
import pathlib
import re
import sys

ROW = re.compile(r"^\|\s*`(\w+)`\s*\|([^|]*)\|")
INCLUDE = re.compile(r'^\s*#\s*include\s+"(\w+)/', re.M)


def main():
    root = pathlib.Path(sys.argv[1])
    document = root / "docs/architecture.md"
    if not document.exists():
        print("docs/architecture.md does not exist: no arrows to check")
        return 0
    wings = {path.name for path in (root / "src").iterdir() if path.is_dir()}
    allowed = {}
    for line in document.read_text(encoding="utf-8").splitlines():
        row = ROW.match(line)
        if row and row.group(1) in wings:
            allowed[row.group(1)] = set(re.findall(r"`(\w+)`", row.group(2))) | {row.group(1)}
    failed = 0
    for path in sorted([*root.glob("src/**/*.c"), *root.glob("src/**/*.h")]):
        wing = path.relative_to(root / "src").parts[0]
        for target in INCLUDE.findall(path.read_text(encoding="utf-8")):
            if target in wings and wing in allowed and target not in allowed[wing]:
                print(f"{path.relative_to(root)}: {wing} may not include {target}", file=sys.stderr)
                failed += 1
    return 1 if failed else 0


sys.exit(main())
