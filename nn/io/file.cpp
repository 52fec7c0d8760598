#include <tessera/nn/io/file.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <tessera/core/error.h>
#include <tessera/core/user_call.h>

namespace tessera::io {
namespace {

void sync(const std::string& path, int flags) {
  int file = open(path.c_str(), flags | O_CLOEXEC);
  if (file < 0) fail(path, std::strerror(errno));
  int status = fsync(file);
  int error = errno;
  close(file);
  if (status != 0) fail(path, std::strerror(error));
}

}  // namespace

void fail(const std::string& path, const std::string& reason, const std::string& hint) {
  throw FileError({.code = "T-F101", .fault = path + ": " + reason, .hint = hint});
}

void fail_missing(const std::string& path) {
  std::error_code none;
  const std::string here = std::filesystem::current_path(none).string();
  fail(path, "no such file",
       std::filesystem::path(path).is_absolute() ? "check the path's spelling"
                                                 : "a relative path begins in the program's own directory, " + here);
}

std::string read_file(const std::string& path, Loc at) {
  UserCall call(at);
  if (!std::filesystem::exists(path)) fail_missing(path);
  if (!std::filesystem::is_regular_file(path)) fail(path, "not a regular file");
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  if (!file) fail(path, "cannot be read");
  return std::move(content).str();
}

void write_file(const std::string& path, const std::function<void(const Append&)>& write) {
  std::error_code none;
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty() && !std::filesystem::is_directory(parent, none))
    fail(path, "there is no folder " + parent.string());
  // A device or a folder would be replaced.
  if (std::filesystem::exists(path, none) && !std::filesystem::is_regular_file(path, none))
    fail(path, "not a regular file");
  const std::string temporary = path + ".tmp" + std::to_string(getpid());
  try {
    std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
    if (!file) fail(path, std::strerror(errno));
    write([&](std::string_view bytes) { file.write(bytes.data(), static_cast<std::streamsize>(bytes.size())); });
    file.close();
    if (!file) fail(path, "could not be written: is the disk full?");
    sync(temporary, O_RDONLY);
    std::filesystem::rename(temporary, path);
  } catch (const std::filesystem::filesystem_error& error) {
    std::remove(temporary.c_str());
    fail(path, error.code().message());
  } catch (...) {
    std::remove(temporary.c_str());
    throw;
  }
  std::string folder = std::filesystem::path(path).parent_path().string();
  sync_folder(folder.empty() ? "." : folder);
}
void write_file(const std::string& path, std::string_view content) {
  write_file(path, [&](const Append& append) { append(content); });
}

void sync_folder(const std::string& folder) { sync(folder, O_RDONLY | O_DIRECTORY); }

}  // namespace tessera::io
