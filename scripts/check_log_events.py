#!/usr/bin/python3
"""Compares the events that src/ logs with the table in docs/logging.md: name, levels and fields, both ways.

A row of the table: | `thing.happened` | warn | `field`, `other` | What it means, and what to do. |
"""
import pathlib
import re
import sys

ROW = re.compile(r"^\| `([^`]+)` \| ([a-z, ]+) \|([^|]*)\| ([^|]+) \|$")
NAME = re.compile(r"^[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z0-9]+)*$")
CALL = re.compile(r"\blog_event\s*\(")
RAW_EVENT = re.compile(r'\\"event\\":\\"([a-z_.]+)\\"')
FIELD = re.compile(r'^LOG_(?:(ERR)|(SQLSTATE)|[A-Z]+)\s*\(\s*(?:"([^"]*)")?')
COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|("(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')', re.S)
LEVELS = {"LOG_DEBUG": "debug", "LOG_INFO": "info", "LOG_WARN": "warn", "LOG_ERROR": "error"}


def arguments_at(text, start):
    """The top-level arguments of the call whose opening parenthesis is at start."""
    depth, quote, parts, begun = 0, None, [], start + 1
    for at in range(start, len(text)):
        c = text[at]
        if quote:
            if c == quote and text[at - 1] != "\\":
                quote = None
        elif c in "\"'":
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth == 0:
                return [part.strip() for part in parts + [text[begun:at]]]
        elif c == "," and depth == 1:
            parts.append(text[begun:at])
            begun = at + 1
    return []


class Event:
    def __init__(self):
        self.levels, self.fields, self.places, self.is_level_open = set(), set(), [], False


def events_of(root, failures):
    events = {}
    for path in sorted((root / "src").glob("**/*.c")):
        if path.name.endswith(("_test.c", "_fuzz.c")):
            continue
        source = path.read_text(encoding="utf-8")
        text = COMMENT_OR_STRING.sub(lambda m: m.group(1) or re.sub(r"[^\n]", " ", m.group(0)), source)
        for call in CALL.finditer(text):
            place = f"{path.relative_to(root)}:{text.count(chr(10), 0, call.start()) + 1}"
            level, name, *fields = arguments_at(text, call.end() - 1)
            if not re.fullmatch(r'"[^"]*"', name):
                failures.append(f"{place}: the event's name must be one literal")
                continue
            event = events.setdefault(name.strip('"'), Event())
            event.places.append(place)
            levels = re.findall(r"\bLOG_(?:DEBUG|INFO|WARN|ERROR)\b", level)
            event.levels.update(LEVELS[word] for word in levels)
            event.is_level_open |= not levels  # decided elsewhere, while it runs
            for field in fields:
                match = FIELD.match(field)
                if match is None or not any(match.groups()):
                    failures.append(f"{place}: the field {field} is not LOG_...(\"key\", ...)")
                    continue
                event.fields.add("err" if match.group(1) else "sqlstate" if match.group(2) else match.group(3))
        for name in RAW_EVENT.findall(text):  # written without the log, by a process that is about to end
            events.setdefault(name, Event()).places.append(str(path.relative_to(root)))
            events[name].fields = None
    return events


def row_for(name, event):
    levels = ", ".join(level for level in LEVELS.values() if level in event.levels) or "warn"
    fields = " " + ", ".join(f"`{field}`" for field in sorted(event.fields or []))
    return f"| `{name}` | {levels} |{fields.rstrip()} | ... |"


def main():
    root = pathlib.Path(sys.argv[1])
    failures, names = [], []
    events = events_of(root, failures)
    for number, line in enumerate((root / "docs/logging.md").read_text(encoding="utf-8").splitlines(), 1):
        row = ROW.match(line)
        if row is None:
            if line.startswith("| `") and "." in line.split("`")[1]:
                failures.append(f"docs/logging.md:{number}: not a row: event, levels, fields, meaning")
            continue
        name, place = row.group(1), f"docs/logging.md:{number}"
        levels = set(re.split(r",\s*", row.group(2).strip()))
        fields = set(re.findall(r"`(\w+)`", row.group(3)))
        if name in names:
            failures.append(f"{place}: {name} has a row already")
        names.append(name)
        event = events.get(name)
        if event is None:
            failures.append(f"{place}: nothing logs {name}")
        elif event.fields is not None:
            if event.fields != fields or not event.levels <= levels or not (
                    event.is_level_open or levels == event.levels):
                failures.append(f"{place}: {name} differs from {event.places[0]}: {row_for(name, event)}")
    for name, event in sorted(events.items()):
        if name not in names:
            failures.append(f"{event.places[0]}: add to docs/logging.md: {row_for(name, event)}")
        if event.fields is not None and not NAME.match(name):
            failures.append(f"{event.places[0]}: {name} is not thing.happened")
    if names != sorted(names):
        failures.append("docs/logging.md: the events are not in alphabetical order")
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


sys.exit(main())
