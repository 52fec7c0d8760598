#pragma once
// The machine that kernels are compiled for: this one. Everything that shapes code goes into the cache key.

#include <string>

namespace tessera::codegen {

struct Target {
  std::string cpu;           // "znver4"
  std::string features;      // "+avx2,+avx512f,…", sorted
  int lanes = 8;             // elements of one vector of a row kernel: f32 lanes of the widest register
  bool f16_convert = false;  // the machine converts f16 itself
  int threads = 1;           // that share a launch: how it is cut, never what code does

  std::string key() const;  // of code: "znver4/16 <features>"
};

const Target& host_target();
std::string llvm_version();  // "22.1.8"

}  // namespace tessera::codegen
