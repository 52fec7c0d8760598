#!/usr/bin/env python3
"""Runs a test program with one planted fault and passes only if that test notices it.

usage: run_fault.py FAULT PROGRAM [ARGS...]

The program must end with GoogleTest's own verdict FAILED: a crash, a time-out or a program that ran no test is no catch.
"""
import os
import subprocess
import sys

fault, program = sys.argv[1], sys.argv[2:]
environment = dict(os.environ, TESSERA_FAULT=fault)
environment.pop("GTEST_OUTPUT", None)  # the verdict of a corrupted program is no test result
run = subprocess.run(program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
caught = [line for line in run.stdout.splitlines() if line.startswith("[  FAILED  ]")]
if run.returncode == 1 and caught:
    print(f"{fault}: caught by", caught[0].removeprefix("[  FAILED  ]").strip())
    sys.exit(0)
print(run.stdout[-4000:])
print(f"{fault}: SURVIVED {' '.join(program)} (exit {run.returncode})")
sys.exit(1)
