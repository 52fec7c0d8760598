#include <tessera/codegen/cuda/runtime/library.h>

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include <tessera/core/error.h>

namespace tessera::cuda {

Library::Library(std::string what, const std::vector<std::string>& names, const std::vector<std::string>& folders,
                 std::string hint)
    : what_(std::move(what)), hint_(std::move(hint)) {
  std::vector<std::string> paths = names;
  for (const std::string& folder : folders)
    for (const std::string& name : names) paths.push_back(folder + "/" + name);
  for (const std::string& path : paths)
    if ((handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL))) {
      path_ = path;
      return;
    }
  throw DeviceError({.code = "T-X003",
                     .fault = fmt::format("{} is not there: no {} could be opened", what_, names.front()),
                     .hint = hint_});
}

void* Library::find(const char* name) const { return dlsym(handle_, name); }

void* Library::symbol(const char* name) const {
  if (void* found = find(name)) return found;
  throw DeviceError(
      {.code = "T-X003", .fault = fmt::format("{} has no {}: {} is too old", what_, name, path_), .hint = hint_});
}

std::vector<std::string> toolkit_folders() {
  std::vector<std::string> folders;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/local", none)) {
    std::string name = entry.path().filename();
    if (name.starts_with("cuda-")) folders.push_back(entry.path() / "lib64");
  }
  std::sort(folders.rbegin(), folders.rend());
  folders.insert(folders.begin(), "/usr/local/cuda/lib64");
  return folders;
}

}  // namespace tessera::cuda
