#!/usr/bin/python3
"""Fails when C source calls a function that the house does not use (docs/architecture.md, "Banned functions")."""
import argparse
import pathlib
import re
import sys

BANNED = """strcpy strcat strncpy strncat sprintf vsprintf gets strtok atoi atol strtol sscanf gmtime localtime
ctime alloca system popen""".split()
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
# Comments and string literals may name them.
NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--root", required=True)
    arguments.add_argument("--stamp")
    options = arguments.parse_args()
    root = pathlib.Path(options.root)
    found = []
    for path in sorted([*root.glob("src/**/*.c"), *root.glob("src/**/*.h"), *root.glob("bench/**/*.c")]):
        text = NOISE.sub(blank, path.read_text(encoding="utf-8"))
        for number, line in enumerate(text.splitlines(), 1):
            for match in CALL.finditer(line):
                found.append(f"{path.relative_to(root)}:{number}: {match.group(1)} is banned")
    for line in found:
        print(line, file=sys.stderr)
    if options.stamp and not found:
        pathlib.Path(options.stamp).write_text("no banned function is called\n", encoding="utf-8")
    return 1 if found else 0


sys.exit(main())
