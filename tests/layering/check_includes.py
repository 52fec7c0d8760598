#!/usr/bin/env python3
"""Who may include whom, and whether CMake builds every file.

    core <- autograd <- nn <- examples        core <- ir <- codegen        tests see all

1. A folder includes only itself and the folders below it.
2. MLIR, LLVM and CUDA headers appear in ir/ and codegen/ (and their tests) alone.
3. A header that users get (core, autograd, nn) includes the standard library and public headers of ours alone.
4. Our headers are spelled <tessera/...>, starting at a folder; a header starts with #pragma once.
5. Each .cpp of a folder stands in that folder's CMakeLists.txt, in alphabetical order within its list.

Usage: check_includes.py [ROOT]; exit status 1 and one line per finding.
"""

import re
import sys
from pathlib import Path

MAY_INCLUDE = {
    "core": {"core"},
    "autograd": {"core", "autograd"},
    "nn": {"core", "autograd", "nn"},
    "ir": {"core", "ir"},
    "codegen": {"core", "ir", "codegen"},
    "examples": {"core", "autograd", "nn"},
    "tests": {"core", "autograd", "nn", "ir", "codegen"},
}
UMBRELLAS = {"tessera/tessera.h": {"nn", "examples", "tests"}, "tessera/nn.h": {"nn", "examples", "tests"}}
PUBLIC = {"core", "autograd", "nn"}
COMPILER = re.compile(r"(mlir|mlir-c|llvm|llvm-c|clang)/|cuda|nvrtc|nccl|cublas|cudnn")
MAY_COMPILER = ("ir/", "codegen/", "tests/ir/", "tests/codegen/", "tests/bench/", "tests/support/mlir")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SOURCE = re.compile(r"[\w./-]+\.(?:cpp|cc|c|cu)\b")


def includes(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if match := INCLUDE.match(line):
            yield number, match[1], match[2]


def check_file(root, path, findings):
    name = path.relative_to(root).as_posix()
    folder = name.split("/")[0]
    is_header = path.suffix in (".h", ".hpp")
    if is_header and "#pragma once" not in path.read_text(encoding="utf-8"):
        findings.append(f"{name}: header without #pragma once")
    for number, quote, target in includes(path):
        where = f"{name}:{number}: <{target}>"
        if target in UMBRELLAS:
            if folder not in UMBRELLAS[target]:
                findings.append(f"{where}: {folder}/ lies below this umbrella header")
        elif target.startswith("tessera/"):
            below = target.split("/")[1]
            if below not in MAY_INCLUDE:
                findings.append(f"{where}: no such folder")
            elif below not in MAY_INCLUDE[folder]:
                findings.append(f"{where}: {folder}/ may include {', '.join(sorted(MAY_INCLUDE[folder]))} only")
        elif COMPILER.match(target):
            if not name.startswith(MAY_COMPILER):
                findings.append(f"{where}: compiler headers stay in ir/ and codegen/")
        elif quote == '"' and not (folder in ("tests", "examples") or target.endswith(".inc")):
            findings.append(f"{where}: write <tessera/{folder}/...>")
        elif is_header and folder in PUBLIC and ("/" in target or target.endswith((".h", ".hpp"))):
            findings.append(f"{where}: users would need it too; include it in a .cpp, or use the <c...> spelling")


def check_lists(root, folder, findings):
    """Every CMakeLists.txt names the sources in and under its own folder that no deeper one names."""
    files = {p for p in (root / folder).rglob("*.cpp") if "package" not in p.relative_to(root).parts}
    listed = set()
    for cmake in sorted((root / folder).rglob("CMakeLists.txt")):
        # Each command's arguments are one list.
        for arguments in re.findall(r"\(([^()]*)\)", re.sub(r"#.*", "", cmake.read_text(encoding="utf-8"))):
            names = [n for n in SOURCE.findall(arguments) if not n.startswith("/")]
            own = [n for n in names if not n.startswith("../")]
            if own != sorted(own):
                wrong = next(b for a, b in zip(own, own[1:]) if b < a)
                findings.append(f"{cmake.relative_to(root)}: {wrong} is out of alphabetical order")
            listed |= {(cmake.parent / n).resolve() for n in names}
    for path in sorted(files - listed):
        findings.append(f"{path.relative_to(root)}: in no CMakeLists.txt, so nobody builds it")


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]).resolve()
    findings, count = [], 0
    for folder in MAY_INCLUDE:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".h", ".hpp", ".cpp"):
                check_file(root, path, findings)
                count += 1
        check_lists(root, folder, findings)
    for finding in findings:
        print(finding)
    print(f"{count} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
