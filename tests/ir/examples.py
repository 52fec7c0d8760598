"""Every ```mlir block in a dialect's or pass's description parses, verifies and prints again.

Blocks are fragments: operands that a block does not define become arguments of a function around it, with the types
that the statement itself names; what lives in the body of a kernel gets one."""

import re
import subprocess
import sys

BODY_OPS = ("fuse.reduce", "fuse.contract", "fuse.index", "fuse.load_at", "fuse.random")
KERNELS = ("fuse.kernel", "fuse.cascade")
KERNEL = """func.func @example(%x: tensor<4x8xf32>, %t: tensor<256x64xf32>, %n: tensor<2xi64>) -> tensor<4xf32> {{
  %r = fuse.kernel "example" dims [4, 8, 2] outer 1
      ins(%x, %x, %t, %n, %n, %x
          : tensor<4x8xf32>, tensor<4x8xf32>, tensor<256x64xf32>, tensor<2xi64>, tensor<2xi64>, tensor<4x8xf32>)
      at [affine_map<(d0, d1, d2) -> (d0 * 8 + d1)>, affine_map<(d0, d1, d2) -> (d0 * 8 + d2)>, affine_map<() -> ()>,
          affine_map<(d0, d1, d2) -> (0)>, affine_map<(d0, d1, d2) -> (1)>, affine_map<(d0, d1, d2) -> (d0)>]
      outs at [affine_map<(d0, d1, d2) -> (d0)>] {{
  ^bb0({value}: f32, %b: f32, %table: tensor<256x64xf32>, %seed: i64, %step: i64, %row: f32):
    {indices}
    {example}
    fuse.yield %row : f32
  }} -> tensor<4xf32>
  return %r : tensor<4xf32>
}}"""
INDICES = "\n    ".join(f"%{name} = fuse.index affine_map<(d0, d1, d2) -> ({place})>"
                        for name, place in (("i", "d0"), ("j", "d1"), ("element", "d0 * 8 + d1")))


def split_types(text):
    """The top-level comma-separated parts of `text`."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += c in "<(["
        depth -= c in ">)]" and text[i - 1] != "-"
        if c == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    return parts + [text[start:].strip()]


def argument_types(statement):
    """Operand names of one statement with the types that stand behind its last ` : `."""
    if kernel := re.search(r"ins\((.*?) : (.*?)\)\s+at", statement, re.S):
        return dict(zip(re.findall(r"%\w+", kernel[1]), split_types(kernel[2])))
    head, _, types = statement.rpartition(" : ")
    if not head:  # a source: no operands
        return {}
    names = re.findall(r"%\w+", head.split("=", 1)[1])
    if functional := re.fullmatch(r"\((.*)\)\s*->\s*(.*)", types.strip(), re.S):
        return dict(zip(names, split_types(functional[1])))
    return {name: types.strip() for name in names}


def complete(block):
    if "func.func" in block:
        return block
    if any(op in block for op in BODY_OPS) and not any(kernel in block for kernel in KERNELS):
        value = "%a" if "%a," in block else "%unused" if "%v =" in block else "%v"
        return KERNEL.format(value=value, indices="" if "fuse.index" in block else INDICES, example=block.strip())
    is_kernel = any(kernel in block for kernel in KERNELS)
    arguments = argument_types(block.split("{\n")[0] if is_kernel else block.strip())
    signature = ", ".join(f"{name}: {type}" for name, type in arguments.items())
    return f"func.func @example({signature}) {{\n{block}\n  return\n}}"


def blocks_of(tblgen, include, source, generator):
    text = subprocess.run([tblgen, *generator, source, *(f"-I{path}" for path in include)], check=True,
                          capture_output=True, text=True).stdout
    return re.findall(r"```mlir\n(.*?)```", text, re.S)


def main():
    tblgen, opt, root, *include = sys.argv[1:]
    sources = [(f"{root}/ir/{d}/{n}{kind}.td", [generator, f"-dialect={d}"])
               for d, n in (("tsr", "Tsr"), ("fuse", "Fuse"))
               for kind, generator in (("Ops", "-gen-op-doc"), ("Dialect", "-gen-dialect-doc"))]
    sources.append((f"{root}/ir/fuse/FuseScatter.td", ["-gen-op-doc", "-dialect=fuse"]))
    sources.append((f"{root}/ir/passes/Passes.td", ["-gen-pass-doc"]))
    failed = total = 0
    for source, generator in sources:
        blocks = blocks_of(tblgen, include, source, generator)
        assert blocks, f"no example in {source}"
        for block in blocks:
            total += 1
            text = complete(block)
            run = subprocess.run([opt, "--verify-roundtrip", "-"], input=text, capture_output=True, text=True)
            if run.returncode:
                failed += 1
                print(f"{source}:\n{text}\n{run.stderr}")
    print(f"{total} examples, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
