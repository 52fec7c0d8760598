#include <tessera/codegen/cpu/target.h>

#include <algorithm>
#include <vector>

#include "llvm/ADT/StringMap.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/TargetParser/Host.h"

#include <tessera/codegen/cpu/runtime/thread_pool.h>

namespace tessera::codegen {

std::string llvm_version() { return LLVM_VERSION_STRING; }

std::string Target::key() const { return cpu + "/" + std::to_string(lanes) + " " + features; }

const Target& host_target() {
  static const Target target = [] {
    Target t;
    t.cpu = llvm::sys::getHostCPUName().str();
    llvm::StringMap<bool> found = llvm::sys::getHostCPUFeatures();
    std::vector<std::string> names;
    for (const auto& feature : found) {
      names.push_back((feature.second ? "+" : "-") + feature.first().str());
    }
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) t.features += (t.features.empty() ? "" : ",") + name;
    bool wide = found.lookup("avx512f") && found.lookup("avx512bw") && found.lookup("avx512vl");
    t.lanes = wide ? 16 : 8;
    t.f16_convert = wide || found.lookup("f16c");
    t.threads = ThreadPool::wanted();
    return t;
  }();
  return target;
}

}  // namespace tessera::codegen
