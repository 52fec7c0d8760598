#include <tessera/codegen/cpu/object_cache.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <tessera/codegen/cpu/key.h>

namespace tessera::codegen {
namespace {

constexpr std::string_view magic = "TESSERA-CACHE 1\n";

std::filesystem::path path_of(const std::string& directory, const std::string& key, std::string_view kind) {
  return std::filesystem::path(directory) / key.substr(0, 2) / (key + "." + std::string(kind));
}

std::string header(const std::string& key, std::string_view payload) {
  return std::string(magic) + key + "\n" + std::to_string(payload.size()) + "\n" + blake3_hex(payload) + "\n";
}

// What is read here is run as code: a directory that others may write is none of ours.
bool is_private(const std::string& directory) {
  struct stat facts;
  if (stat(directory.c_str(), &facts) != 0) return false;
  return S_ISDIR(facts.st_mode) && facts.st_uid == geteuid() && (facts.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t written = write(file, bytes.data(), bytes.size());
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

std::string cache_directory() {
  const char* set = std::getenv("TESSERA_CACHE_DIR");
  if (set && std::strcmp(set, "0") == 0) return "";
  if (set && *set) return set;
  const char* base = std::getenv("XDG_CACHE_HOME");
  if (base && *base) return std::string(base) + "/tessera";
  const char* home = std::getenv("HOME");
  return home && *home ? std::string(home) + "/.cache/tessera" : "";
}

std::optional<std::string> read_cached(const std::string& key, std::string_view kind) {
  std::string directory = cache_directory();
  if (directory.empty() || !is_private(directory)) return std::nullopt;
  auto path = path_of(directory, key, kind);
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::stringstream all;
  all << file.rdbuf();
  std::string text = all.str();
  // Lengths of the header's lines are known but for one number: find the payload, then compare the header as a whole.
  size_t at = 0;
  for (int line = 0; line < 4 && at != std::string::npos; ++line) {
    at = text.find('\n', at);
    if (at != std::string::npos) ++at;
  }
  if (at != std::string::npos) {
    std::string payload = text.substr(at);
    if (text.compare(0, at, header(key, payload)) == 0) return payload;
  }
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  return std::nullopt;
}

void write_cached(const std::string& key, std::string_view kind, std::string_view payload) {
  std::string directory = cache_directory();
  if (directory.empty()) return;
  auto path = path_of(directory, key, kind);
  std::error_code error;
  bool fresh = !std::filesystem::exists(directory, error);
  std::filesystem::create_directories(path.parent_path(), error);
  if (error) return;
  if (fresh) chmod(directory.c_str(), 0700);
  if (!is_private(directory)) return;
  static std::atomic<int> count = 0;
  std::string temporary = path.string() + "." + std::to_string(getpid()) + "." + std::to_string(count++) + ".tmp";
  int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (file < 0) return;
  bool good = write_all(file, header(key, payload)) && write_all(file, payload) && fsync(file) == 0;
  close(file);
  if (!good || rename(temporary.c_str(), path.c_str()) != 0) unlink(temporary.c_str());
}

}  // namespace tessera::codegen
