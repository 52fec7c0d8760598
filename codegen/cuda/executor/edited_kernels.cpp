#include <tessera/codegen/cuda/executor/edited_kernels.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <tessera/codegen/cpu/key.h>
#include <tessera/core/error.h>

namespace tessera::cuda {
namespace {

namespace fs = std::filesystem;

std::string folder() {
  const char* set = std::getenv("TESSERA_KERNELS");
  return set && std::string(set) != "0" ? set : "";
}

// By the kernel's name. A number before a dash is that of the dump.
std::map<std::string, fs::path> files_of(const std::string& folder) {
  std::map<std::string, fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".cu") continue;
    const std::string stem = entry.path().stem().string();
    const size_t name = stem.find_first_not_of("0123456789");
    files[name != std::string::npos && name > 0 && stem[name] == '-' ? stem.substr(name + 1) : stem] = entry.path();
  }
  if (error)
    throw FileError({.code = "T-F030",
                     .fault = folder + ": " + error.message(),
                     .hint = "TESSERA_KERNELS names a folder of edited kernels"});
  return files;
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) throw FileError({.code = "T-F030", .fault = path.string() + ": cannot be read"});
  return text.str();
}

}  // namespace

void put_back_edited(CompiledProgram& program, const std::string& architecture) {
  if (folder().empty()) return;
  const std::map<std::string, fs::path> files = files_of(folder());
  for (size_t k = 0; k < program.cubins.size(); ++k) {
    KernelSource& kernel = program.lowered.kernels[k];
    const auto found = files.find(kernel.name);
    if (found == files.end()) continue;
    const std::string path = found->second.string();
    std::string text = read(found->second);
    if (without_comments(text) == without_comments(kernel.text)) continue;
    kernel.text = std::move(text);
    kernel.schedule.clear();  // nothing takes its place
    kernel.is_changed = false;
    kernel.key = codegen::blake3_hex("edited\n" + kernel.text);
    program.cubins[k] = compile_source(kernel, path, architecture);
    add_remark(program.lowered, k, "edited", kernel.name + " is compiled from " + path);
  }
}

}  // namespace tessera::cuda
