#!/usr/bin/python3
"""Runs a cmocka test and mends its TAP: cmocka 1.1.5 writes a skipped test as "not ok", which TAP calls a failure."""
import re
import signal
import subprocess
import sys

SKIPPED = re.compile(rb"^not ok (\d+) # SKIP ")


def main():
    with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE) as test:
        signal.signal(signal.SIGTERM, lambda *_: test.kill())
        for line in test.stdout:
            sys.stdout.buffer.write(SKIPPED.sub(rb"ok \1 # SKIP ", line))
            sys.stdout.buffer.flush()
    return test.returncode if test.returncode >= 0 else 128 - test.returncode


sys.exit(main())
