"""Finds the SQL statements of C source: string literals beside each other, with the macros among them, are one."""
import re

PIECE = r'"(?:\\.|[^"\\\n])*"'
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)(?:\([^)]*\))?((?:\\\n|[^\n])*)$", re.M)
ARGUMENT = rf"(?:\((?:[^()\"]|{PIECE})*\))?"
STATEMENT = re.compile(rf"{PIECE}(?:(?:\s|[A-Z][A-Z0-9_]*{ARGUMENT})*{PIECE})*")
TOKEN = re.compile(rf"({PIECE})|([A-Z][A-Z0-9_]*){ARGUMENT}")


def blank(match):
    """The same number of characters and lines, so that places stay what they are."""
    return re.sub(r"[^\n]", " ", match.group(0))


def strings(text, macros):
    """What the literals of `text` are together; a macro that is made of literals counts as these, any other as nothing."""
    return "".join(literal[1:-1].replace('\\"', '"') if literal else macros.get(name, "") for literal, name in TOKEN.findall(text))


def of_source(source):
    """Each statement of a C file as (its text, its line, the comment right above it or within it)."""
    # What looks like a comment within a literal is none: literals are matched first, and kept.
    code = re.sub(rf"{PIECE}|{COMMENT.pattern}", lambda m: m.group(0) if m.group(0)[0] == '"' else blank(m), source, flags=re.S)
    macros = {}
    for name, body in DEFINE.findall(code):
        macros[name] = strings(body, macros)
    code = DEFINE.sub(lambda m: blank(m)[:-1] + ";", code)
    for match in STATEMENT.finditer(code):
        begin = code.rfind(";", 0, match.start()) + 1  # the declaration that it stands in
        comments = " ".join(re.sub(r"[\s*/]+", " ", c) for c in COMMENT.findall(source[begin : match.end()]))
        yield strings(match.group(0), macros), source.count("\n", 0, match.start()) + 1, comments
