#!/usr/bin/python3
"""Turns the HTTP contract from YAML to JSON, and to a C array (contract_document) or a plain file.

YAML has more types than JSON and forgives repeated keys: both are refused here, so that what is embedded is what was
written.
"""
import argparse
import json
import pathlib
import re
import sys

import yaml


class Loader(yaml.SafeLoader):
    """Without timestamps and yes/no (they stay text, as in YAML 1.2), and strict about keys."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            where = f"{key_node.start_mark.line + 1}:{key_node.start_mark.column + 1}"
            if not isinstance(key, str):
                raise yaml.YAMLError(f"{where}: the key {key!r} is not text; quote it")
            if key in seen:
                raise yaml.YAMLError(f"{where}: the key {key!r} is repeated")
            seen.add(key)
        return super().construct_mapping(node, deep)


BOOL = "tag:yaml.org,2002:bool"
Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in (BOOL, "tag:yaml.org,2002:timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(BOOL, re.compile("^(?:true|false)$"), list("tf"))


def as_c(document):
    lines = ["/* Made by scripts/embed_contract.py from api/openapi.yaml. */",
             '#include "wire/openapi/contract.h"', "", "static const char bytes[] = {"]
    data = document.encode("utf-8")
    for start in range(0, len(data), 24):
        # As char: values above 127 would not fit a signed one.
        lines.append(",".join(str(b if b < 128 else b - 256) for b in data[start:start + 24]) + ",")
    lines += ["};", "", "struct slice", "contract_document(void)", "{",
              "    return slice_of(bytes, sizeof(bytes));", "}", ""]
    return "\n".join(lines)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("source")
    arguments.add_argument("target")
    arguments.add_argument("--form", choices=["c", "json"], default="c")
    options = arguments.parse_args()
    try:
        document = yaml.load(pathlib.Path(options.source).read_text(encoding="utf-8"), Loader)
    except yaml.YAMLError as error:
        print(f"{options.source}: {error}", file=sys.stderr)
        return 1
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    pathlib.Path(options.target).write_text(as_c(text) if options.form == "c" else text, encoding="utf-8")
    return 0


sys.exit(main())
