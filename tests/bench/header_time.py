#!/usr/bin/env python3
"""How long <tessera/tessera.h> takes to parse, beside the standard headers that its interface cannot do without.

Usage: header_time.py INCLUDE_FOLDER [COMPILER]; user time of the fastest of five runs. The budget is 0.8 s.
"""

import resource
import subprocess
import sys

STANDARD = ["functional", "memory", "optional", "span", "string", "variant", "vector"]


def seconds(compiler, folder, text):
    best = float("inf")
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        subprocess.run([compiler, "-std=c++20", "-fsyntax-only", f"-I{folder}", "-x", "c++", "-"], input=text.encode(),
                       check=True)
        best = min(best, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    return best


def main():
    folder, compiler = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "g++"
    ours = seconds(compiler, folder, "#include <tessera/tessera.h>\n")
    theirs = seconds(compiler, folder, "".join(f"#include <{name}>\n" for name in STANDARD))
    print(f"<tessera/tessera.h> parses in {ours:.2f} s (budget 0.80), {ours / theirs:.2f}× its standard headers "
          f"({theirs:.2f} s)")


main()
