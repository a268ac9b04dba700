#!/usr/bin/python3
"""Makes a C file with a text and a function that returns it. Usage: embed_text.py OUTPUT FUNCTION HEADER INPUT"""
import pathlib
import sys

output, function, header, source = sys.argv[1:]
lines = pathlib.Path(source).read_text(encoding="ascii").splitlines()
quoted = "\n".join('    "' + line.replace("\\", "\\\\").replace('"', '\\"') + '\\n"' for line in lines)
pathlib.Path(output).write_text(
    f'/* Made from {pathlib.Path(source).name}. */\n#include "{header}"\n\nconst char *\n{function}(void)\n{{\n'
    f"    return\n{quoted};\n}}\n", encoding="ascii")
