#!/usr/bin/env python3
"""A trainer names the words that it does not expect in the order in which they were typed, and begins nothing. A -- alone
is no such word.

usage: unexpected_words.py TRAINER
"""
import os
import subprocess
import sys
import tempfile


def run(*arguments):
    return subprocess.run([sys.argv[1], *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)


with tempfile.TemporaryDirectory() as out:
    ran = run("quickly", "--out", out, "--stepz", "20", "please")
    print(ran.stderr)
    assert ran.returncode == 2, ran.returncode
    assert ran.stderr.splitlines()[0] == "not expected: quickly --stepz 20 please", ran.stderr
    assert ran.stdout == "", ran.stdout
    assert os.listdir(out) == [], os.listdir(out)

    # What stops this one is the next check: the words were fine.
    ran = run("--out", out, "--text", os.path.join(out, "no such text"), "--")
    print(ran.stderr)
    assert ran.returncode != 0 and "not expected" not in ran.stderr, ran.stderr
    assert "no such text" in ran.stderr, ran.stderr
