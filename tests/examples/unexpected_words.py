#!/usr/bin/env python3
"""A trainer names the words that it does not expect in the order in which they were typed, and begins nothing.

usage: unexpected_words.py TRAINER
"""
import subprocess
import sys
import tempfile

with tempfile.TemporaryDirectory() as out:
    ran = subprocess.run([sys.argv[1], "quickly", "--out", out, "--stepz", "20", "please"],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
print(ran.stderr)
assert ran.returncode == 2, ran.returncode
assert ran.stderr.splitlines()[0] == "not expected: quickly --stepz 20 please", ran.stderr
assert ran.stdout == "", ran.stdout
