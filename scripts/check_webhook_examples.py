#!/usr/bin/python3
"""Runs the code of docs/webhooks.md that verifies a delivery, in Node, Python and C, against the published vector of
Standard Webhooks and against what must not verify."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SECRET, ID, AT = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
BODY, SIGNATURE = '{"test": 2432232314}', "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
GOOD = {"secret": SECRET, "id": ID, "at": str(AT), "signature": SIGNATURE, "body": BODY, "now": AT}
# What is changed, and whether it verifies still.
CASES = [
    ({}, True),
    ({"now": AT + 299}, True),
    ({"now": AT - 299}, True),
    ({"signature": f"v1,{'A' * 43}= {SIGNATURE}"}, True),
    ({"signature": f"{SIGNATURE} v1a,xyz"}, True),
    ({"now": AT + 301}, False),
    ({"now": AT - 301}, False),
    ({"at": str(AT + 1)}, False),
    ({"at": ""}, False),
    ({"at": f"{AT} "}, False),
    ({"at": f"-{AT}"}, False),
    ({"id": ID[:-1]}, False),
    ({"body": BODY + " "}, False),
    ({"body": ""}, False),
    ({"signature": ""}, False),
    ({"signature": "v1,"}, False),
    ({"signature": SIGNATURE.replace("v1,", "v2,")}, False),
    ({"signature": SIGNATURE[3:]}, False),
    ({"signature": SIGNATURE[:-4] + "AAA="}, False),
    ({"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx"}, False),
]

# The same id, time and body, by public key: RFC 8032's third key.
PUBLIC = "whpk_/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU="
SIGNED = "v1a,CbWWbcW7B69jFUBICrevjm7uB16AqaX4X9zprrpWvW4012zWjiDpguw4L1VnBIktLL4pyfhNhZgLFTYi5s10AA=="
PUBLIC_GOOD = GOOD | {"secret": PUBLIC, "signature": SIGNED}
PUBLIC_CASES = [
    ({}, True),
    ({"signature": f"{SIGNATURE} {SIGNED}"}, True),
    ({"now": AT + 301}, False),
    ({"now": AT - 301}, False),
    ({"at": str(AT + 1)}, False),
    ({"at": ""}, False),
    ({"id": ID[:-1]}, False),
    ({"body": BODY + " "}, False),
    ({"signature": ""}, False),
    ({"signature": "v1a,"}, False),
    ({"signature": SIGNED.replace("v1a,", "v1,")}, False),
    ({"signature": SIGNED[:-4] + "CA=="}, False),
    ({"secret": PUBLIC.replace("/F", "/G")}, False),
]

NODE = """
const { readFileSync } = await import('node:fs');
const answers = JSON.parse(readFileSync(0, 'utf8')).map((c) => {
    try {
        const headers = { 'webhook-id': c.id, 'webhook-timestamp': c.at, 'webhook-signature': c.signature };
        return verify(c.secret, headers, Buffer.from(c.body), c.now).test === 2432232314;
    } catch { return false; }
});
console.log(JSON.stringify(answers));
"""
PYTHON = """
import sys
def answer(c):
    headers = {"webhook-id": c["id"], "webhook-timestamp": c["at"], "webhook-signature": c["signature"]}
    try:
        return verify(c["secret"], headers, c["body"].encode(), c["now"])["test"] == 2432232314
    except ValueError:
        return False
print(json.dumps([answer(c) for c in json.load(sys.stdin)]))
"""
C = """
int main(int n, char **a) {
    return n == 7 && webhook_is_ours(a[1], a[2], a[3], a[4], a[5], strlen(a[5]), atoll(a[6])) ? 0 : 1;
}
"""


def run(command, text=None):
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)


def listed(command, cases):
    done = run(command, json.dumps(cases))
    if done.returncode != 0:
        sys.exit(f"{command[0]}: {done.stderr}")
    return json.loads(done.stdout)


def compiled(source, program, cases):
    built = run([os.environ.get("CC", "cc"), "-std=c17", "-Wall", "-Wextra", "-Werror", "-O1", "-o", program, source, "-lcrypto"])
    if built.returncode != 0:
        sys.exit(built.stderr)
    order = ("secret", "id", "at", "signature", "body", "now")
    codes = [run([program, *(str(case[name]) for name in order)]).returncode for case in cases]
    if any(code not in (0, 1) for code in codes):
        sys.exit(f"the C example crashed: {codes}")
    return [code == 0 for code in codes]


def main():
    page = (pathlib.Path(sys.argv[1]) / "docs/webhooks.md").read_text(encoding="utf-8")
    by_public_key, _, text = page.partition("\n## Verifying by public key\n")[2].partition("\n## Verifying\n")
    code = dict(re.findall(r"```(\w+)\n(.*?)```", text, re.S))
    cases = [GOOD | change for change, _ in CASES]
    with tempfile.TemporaryDirectory() as folder:
        files = {name: str(pathlib.Path(folder, f"verify.{name}")) for name in ("mjs", "py", "c", "run")}
        for name, source in (("mjs", code["js"] + NODE), ("py", code["python"] + PYTHON), ("c", code["c"] + C)):
            pathlib.Path(files[name]).write_text(source, encoding="utf-8")
        public_code = re.search(r"```js\n(.*?)```", by_public_key, re.S).group(1)
        public_file = pathlib.Path(folder, "public.mjs")
        public_file.write_text(public_code + NODE, encoding="utf-8")
        public_answers = listed(["node", str(public_file)], [PUBLIC_GOOD | change for change, _ in PUBLIC_CASES])
        answers = {
            "Node": listed(["node", files["mjs"]], cases),
            "Python": listed([sys.executable, files["py"]], cases),
            "C": compiled(files["c"], files["run"], cases),
        }
    failed = 0
    for (change, wanted), answer in zip(PUBLIC_CASES, public_answers, strict=True):
        if answer != wanted:
            print(f"Node, by public key: {change} {'is refused' if wanted else 'is taken'}", file=sys.stderr)
            failed += 1
    for language, given in answers.items():
        for (change, wanted), answer in zip(CASES, given, strict=True):
            if answer != wanted:
                print(f"{language}: {change} {'is refused' if wanted else 'is taken'}", file=sys.stderr)
                failed += 1
    return 1 if failed else 0


sys.exit(main())
