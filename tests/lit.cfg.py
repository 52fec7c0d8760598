"""One lit suite for every folder of .mlir files; the generated lit.site.cfg.py says where things are."""

import os

import lit.formats

config.name = "tessera-" + os.path.basename(config.source_root)
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.test_source_root = config.source_root
config.test_exec_root = config.exec_root
config.environment["PATH"] = os.pathsep.join([*config.tools, os.environ["PATH"]])
for name in ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TESSERA_CACHE_DIR"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
