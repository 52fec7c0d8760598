#!/usr/bin/env python3
"""A trainer asked for a card that is not there ends with one clear error; for a device that does not exist, as for any
wrong flag.

usage: no_card.py TRAINER
"""
import os
import subprocess
import sys
import tempfile

environment = dict(os.environ, CUDA_VISIBLE_DEVICES="-1")  # none, also where there is one


def run(device):
    with tempfile.TemporaryDirectory() as out:
        return subprocess.run([sys.argv[1], "--device", device, "--steps", "1", "--out", out], env=environment,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)


no_card, no_device = run("cuda"), run("tpu")
print(no_card.stderr, no_device.stderr)
first = no_card.stderr.splitlines()[:1]
assert no_card.returncode == 1, no_card.returncode
assert first in (["DeviceError: the CUDA driver is not there: no libcuda.so.1 could be opened"],
                 ["DeviceError: the CUDA driver sees no device"]), first
assert len(no_card.stderr.splitlines()) <= 3
assert no_card.stdout == "", no_card.stdout  # before any work
assert no_device.returncode == 2, no_device.returncode
assert "--device: tpu not in {cpu,cuda}" in no_device.stderr
