#!/usr/bin/python3
"""Adds up the JUnit reports of a test run and ends with "N passed, N failed". Failed stages without a failed test
(a build that broke, a runner that died) count as one failure each."""
import pathlib
import sys
import xml.etree.ElementTree as xml


def main():
    folder, failed_stages = pathlib.Path(sys.argv[1]), sys.argv[2:]
    passed = failed = skipped = 0
    for report in sorted(folder.glob("*.xml")):
        here = [0, 0, 0]
        try:
            cases = list(xml.parse(report).getroot().iter("testcase"))
        except xml.ParseError:
            cases = []
        for case in cases:
            kinds = {child.tag for child in case}
            state = 1 if kinds & {"failure", "error"} else 2 if "skipped" in kinds else 0
            here[state] += 1
            if state == 1:
                print(f"failed: {report.stem}: {case.get('classname', '')} {case.get('name', '')}")
        if report.stem in failed_stages:
            failed_stages.remove(report.stem)
            if here[1] == 0:
                here[1] = 1
                print(f"failed: {report.stem}: the runner ended with an error")
        if sum(here) == 0:
            here[1] = 1
            print(f"failed: {report.stem}: no test ran")
        print(f"{report.stem}: {here[0]} passed, {here[1]} failed, {here[2]} skipped")
        passed, failed, skipped = passed + here[0], failed + here[1], skipped + here[2]
    for stage in failed_stages:
        print(f"failed: {stage}")
        failed += 1
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


sys.exit(main())
