#!/usr/bin/python3
"""Holds the table in docs/configuration.md against src/core/config.def; with --write, makes it anew."""
import pathlib
import re
import sys

BEGIN, END = "<!-- settings: made by scripts/check_configuration.py --write -->", "<!-- settings: end -->"
TEXT = re.compile(r'CONFIG_TEXT\(\s*\w+,\s*"(\w+)",\s*"([^"]*)",()()\s*([A-Z_| \n]+),\s*"((?:\\.|[^"\\])*)"\s*\)')
NUM = re.compile(r'CONFIG_NUM\(\s*\w+,\s*"(\w+)",\s*(-?\d+),\s*(-?\d+),\s*(-?\d+),\s*([A-Z_| \n]+),'
                 r'\s*"((?:\\.|[^"\\])*)"\s*\)')
ROLES = ["supervisor", "vault", "gateway", "dispatcher", "webhooks", "scheduler", "smsc", "hsm"]


def rows_of(text):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    settings = sorted([*TEXT.finditer(text), *NUM.finditer(text)], key=lambda match: match.start())
    if len(settings) != len(re.findall(r"\bCONFIG_(?:TEXT|NUM)\(", text)):
        sys.exit("src/core/config.def: a row does not read as one")
    for match in settings:
        variable, fallback, low, high, roles, meaning = match.groups()
        names = {role.strip().removeprefix("CONFIG_").lower() for role in roles.split("|")}
        others = [role for role in ROLES[1:] if role in names]
        if names - set(ROLES) or "supervisor" not in names:
            sys.exit(f"src/core/config.def: {variable} goes to {', '.join(sorted(names))}")
        yield "| `{}` | {} | {} | {} | {} |".format(
            variable, f"`{fallback}`" if fallback else "", f"{low} to {high}" if low else "",
            "all" if len(others) == len(ROLES) - 1 else ", ".join(others), meaning.replace('\\"', '"'))


def main():
    root = pathlib.Path(sys.argv[1])
    document = root / "docs/configuration.md"
    text = document.read_text(encoding="utf-8")
    rows = list(rows_of((root / "src/core/config.def").read_text(encoding="utf-8")))
    table = "\n".join(["| variable | default | allowed | handed to | meaning |", "| --- | --- | --- | --- | --- |", *rows])
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit("docs/configuration.md: the marks around the table are missing")
    before, rest = text.split(BEGIN)
    wanted = f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}"
    if "--write" in sys.argv:
        document.write_text(wanted, encoding="utf-8")
    elif text != wanted:
        sys.exit("docs/configuration.md differs from src/core/config.def: "
                 "run scripts/check_configuration.py . --write")


main()
