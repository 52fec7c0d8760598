#!/usr/bin/env python3
"""Counts the cases of a test run, names the skipped ones, and ends in one line: N passed, N failed, N skipped.

ctest counts programs. A GoogleTest program leaves its cases in test-results/NAME.xml, lit prints its own counts; any
other ctest entry is one case, and so is a program that died before it could write its results.
"""

import re
import sys
import xml.etree.ElementTree as xml
from pathlib import Path


def cases(entry, results):
    """Yields (name, outcome, reason) for one ctest entry."""
    name, status = entry.get("name"), entry.get("status")
    if status in ("disabled", "notrun"):
        note = entry.find("skipped")
        reason = note.get("message", "") if note is not None else ""
        yield name, "skipped" if status == "disabled" or reason.startswith("SKIP_") else "failed", reason
        return
    report = results / f"{name}.xml"
    if report.exists():
        failed = False
        for case in xml.parse(report).iter("testcase"):
            full = f"{name}: {case.get('classname')}.{case.get('name')}"
            if case.find("failure") is not None:
                failed = True
                yield full, "failed", ""
            elif case.get("status") == "notrun":
                continue  # filtered out
            elif (skipped := case.find("skipped")) is not None:
                yield full, "skipped", skipped.get("message", "").strip().split("\n")[-1]
            else:
                yield full, "passed", ""
        if status == "fail" and not failed:
            yield name, "failed", ""
        return
    output = entry.findtext("system-out") or ""
    counts = {word: int(n) for word, n in re.findall(r"^  (Passed|Failed|Unsupported) *: (\d+)", output, re.M)}
    if name.startswith("lit_") and counts:
        for word, outcome in (("Passed", "passed"), ("Failed", "failed"), ("Unsupported", "skipped")):
            for index in range(counts.get(word, 0)):
                yield f"{name} {index}", outcome, ""
        return
    yield name, "passed" if status == "run" else "failed", ""


def main():
    folder = Path(sys.argv[1])
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for entry in xml.parse(folder / "tests.xml").iter("testcase"):
        if entry.get("name") == "empty_cache":
            continue
        for name, outcome, reason in cases(entry, folder / "test-results"):
            counts[outcome] += 1
            if outcome == "skipped" or outcome == "failed":
                print(f"{outcome}: {name}" + (f" ({reason})" if reason else ""))
    print(", ".join(f"{n} {outcome}" for outcome, n in counts.items()))


if __name__ == "__main__":
    main()
