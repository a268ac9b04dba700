#!/usr/bin/python3
"""Holds what the documents say against the tree.

- relative links of every *.md resolve, with their #headings; files that are named in `code` exist
- README.md names both commands
- every `test` and "test" in a column "proof" of docs/threat-model.md exists
- settings, metrics and banned functions are named as they are; docs/operations.md lists all metrics
- docs/webhooks.md has the schedule of webhook_schedule.c; docs/architecture.md has the roster of roster.c
- docs/dependencies.md names every library, package and npm package with its version
"""
import json
import pathlib
import re
import subprocess
import sys

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)
PLACE = re.compile(r"^(?:src|scripts|docs|sql|tests|api|sandbox)/[\w./-]+$")


class Tree:
    def __init__(self, root):
        self.root, self.failures = root, []
        listed = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard", "*.md"], capture_output=True, text=True, check=False)
        names = listed.stdout.split() if listed.returncode == 0 else [str(path.relative_to(root)) for path in root.glob("**/*.md")]
        self.documents = {name: self.read(name) for name in names if (root / name).exists() and "node_modules" not in name}

    def read(self, name):
        return (self.root / name).read_text(encoding="utf-8")

    def fail(self, text):
        self.failures.append(text)


def headings(text):
    """The anchors that a renderer makes of headings."""
    found = re.findall(r"^#{1,6} (.+)$", FENCE.sub("", text), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def check_links(tree):
    for name, text in tree.documents.items():
        prose = FENCE.sub("", text)
        for target in LINK.findall(CODE.sub("", prose)) + LINK.findall(prose):
            if re.match(r"[a-z]+:", target):
                continue
            place, _, anchor = target.partition("#")
            path = (tree.root / name).parent / place if place else tree.root / name
            if not path.exists():
                tree.fail(f"{name}: {target} leads nowhere")
            elif anchor and anchor not in headings(path.read_text(encoding="utf-8")):
                tree.fail(f"{name}: {target} has no such heading")
        for code in CODE.findall(prose):
            if PLACE.match(code) and "NNNN" not in code and not (tree.root / code).exists():
                tree.fail(f"{name}: {code} is not there")


def check_readme(tree):
    for command in ("make run", "make test"):
        if not re.search(rf"^{command}\b", tree.documents.get("README.md", ""), re.M):
            tree.fail(f'README.md: does not tell "{command}"')


def check_proofs(tree):
    units = "\n".join(path.read_text(encoding="utf-8") for path in tree.root.glob("src/**/*_test.c"))
    functions = set(re.findall(r"^(\w+)\(void \*\*state", units, re.M))
    titles = "\n".join(path.read_text(encoding="utf-8") for path in tree.root.glob("tests/*/*.test.js"))
    titles = {title.replace("\\'", "'") for title in re.findall(r"test\('((?:[^'\\]|\\.)+)'", titles)}
    name, count = "docs/threat-model.md", 0
    for line in tree.documents[name].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or len(cells) != 3 or cells[2] in ("proof", "---", "the build"):
            continue
        proofs = [(proof, functions) for proof in CODE.findall(cells[2])]
        proofs += [(proof, titles) for proof in re.findall(r'"([^"]+)"', cells[2])]
        count += len(proofs)
        if not proofs:
            tree.fail(f"{name}: no proof for: {cells[0]}")
        for proof, known in proofs:
            if proof not in known:
                tree.fail(f"{name}: there is no test {proof}")
    if count < 50:
        tree.fail(f"{name}: only {count} proofs were found")


def check_names(tree):
    settings = set(re.findall(r'"(HARKARA_\w+|DATABASE_URL)"', tree.read("src/core/config.def")))
    metrics = set(re.findall(r'"(harkara_\w+)"', tree.read("src/core/metric.def")))
    for name, text in tree.documents.items():
        for setting in re.findall(r"\bHARKARA_[A-Z_]+[A-Z]\b", text):
            if setting not in settings and not setting.startswith(("HARKARA_TEST", "HARKARA_DEMO", "HARKARA_SOURCE", "HARKARA_CHAOS", "HARKARA_FUZZ")):
                tree.fail(f"{name}: {setting} is no setting")
        for metric in re.findall(r"\bharkara_\w+_(?:total|seconds)\b", text):
            if metric not in metrics:
                tree.fail(f"{name}: {metric} is no metric")
    for metric in sorted(metrics):
        if f"| `{metric}` |" not in tree.documents["docs/operations.md"]:
            tree.fail(f"docs/operations.md: add {metric}")


def section(text, heading):
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def check_tables(tree):
    architecture = tree.documents["docs/architecture.md"]
    banned = re.search(r'BANNED = """(.*?)"""', tree.read("scripts/check_banned_functions.py"), re.S)
    named = set(re.findall(r"`([a-z]+)`", section(architecture, "Banned functions").partition(". ")[0]))
    if named != set(banned.group(1).split()):
        tree.fail("docs/architecture.md: the banned functions are not those of scripts/check_banned_functions.py")
    schedule = re.search(r"webhook_retry_s\[\w+\] = \{([^}]*)\}", tree.read("src/domain/webhook/webhook_schedule.c"))
    rows = re.findall(r"^\| \d+ \| [^|]+ \| (\d+) \|$", tree.documents["docs/webhooks.md"], re.M)
    if [row.strip() for row in schedule.group(1).split(",")] != rows:
        tree.fail("docs/webhooks.md: the schedule is not that of webhook_schedule.c")
    roster = re.findall(r'\{ \.name = "(\w+)"(.*?)\}', tree.read("src/program/harkara/roster.c"), re.S)
    rows = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in section(architecture, "Processes").splitlines() if line.startswith("| `")]
    cells = {row[0].strip("`"): row for row in rows}
    if set(cells) != {name for name, _ in roster} | {"supervisor"} or len(roster) < 5:
        tree.fail("docs/architecture.md: the processes are not those of roster.c")
    for name, row in roster:
        login = re.search(r'\.login = "(\w+)"', row)
        vault = re.search(r"VAULT_ROLE_(\w+)", row)
        told = cells.get(name, [""] * 5)
        if (f"`{login.group(1)}`" if login else "none") != told[2]:
            tree.fail(f"docs/architecture.md: the login of {name} is not that of roster.c")
        if (vault.group(1).lower() if vault else "none") != told[3].replace("is it", "none"):
            tree.fail(f"docs/architecture.md: the vault link of {name} is not that of roster.c")
        if ("has_listener" in row) != ("socket" in told[4]):
            tree.fail(f"docs/architecture.md: what {name} listens on is not that of roster.c")


def check_dependencies(tree):
    text = tree.documents["docs/dependencies.md"]
    packages = set(re.findall(r"packages\+?=\(([^)]*)\)", tree.read("scripts/bootstrap")))
    for package in sorted(set(" ".join(packages).split())):
        if f"`{package}`" not in text:
            tree.fail(f"docs/dependencies.md: the package {package} is missing")
    names = {"threads": None, "libcrypto": "libssl-dev", "libcurl": "libcurl4-openssl-dev", "libpcre2-8": "libpcre2-dev",
             "p11-kit-1": "libp11-kit-dev"}
    for library in re.findall(r"= dependency\('([^']+)'", tree.read("meson.build")):
        package = names.get(library, library if library.startswith("lib") else f"lib{library}")
        package = package and (package if package.endswith("-dev") else f"{package}-dev")
        if package and f"`{package}`" not in text:
            tree.fail(f"docs/dependencies.md: the library {library} is missing")
    for heading, folder, kinds in (("Tested with", "tests", ["devDependencies"]), ("Measured against", "bench/peers", ["dependencies"]),
                                   ("The dashboard", "web", ["dependencies", "devDependencies"])):
        package = json.loads(tree.read(f"{folder}/package.json"))
        wanted = {name: version for kind in kinds for name, version in package[kind].items()}
        listed = dict(re.findall(r"^\| `((?:@[\w-]+/)?[\w-]+)` \| ([\d.]+) \|", section(text, heading), re.M))
        if wanted != listed:
            tree.fail(f"docs/dependencies.md: npm packages of {folder} differ: {sorted(set(wanted.items()) ^ set(listed.items()))}")


def main():
    tree = Tree(pathlib.Path(sys.argv[1]).resolve())
    for check in (check_links, check_readme, check_proofs, check_names, check_tables, check_dependencies):
        check(tree)
    for failure in tree.failures:
        print(failure, file=sys.stderr)
    return 1 if tree.failures else 0


sys.exit(main())
