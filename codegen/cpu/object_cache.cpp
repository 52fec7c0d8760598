#include <tessera/codegen/cpu/object_cache.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>

#include <tessera/codegen/cpu/key.h>
#include <tessera/core/log.h>

namespace tessera::codegen {
namespace {

constexpr std::string_view magic = "TESSERA-CACHE 1\n";

std::filesystem::path path_of(const std::string& directory, const std::string& key, std::string_view kind) {
  return std::filesystem::path(directory) / key.substr(0, 2) / (key + "." + std::string(kind));
}

std::string header(const std::string& key, std::string_view payload) {
  return std::string(magic) + key + "\n" + std::to_string(payload.size()) + "\n" + blake3_hex(payload) + "\n";
}

std::string refusal_of(const std::string& directory) {
  struct stat facts;
  if (stat(directory.c_str(), &facts) != 0) return directory + ": " + std::strerror(errno);
  if (!S_ISDIR(facts.st_mode)) return directory + " is not a directory";
  if (facts.st_uid != geteuid()) return directory + " belongs to another user";
  if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return directory + " may be written by others: chmod go-w " + directory;
  return "";
}

bool is_usable(const std::string& directory) {
  const std::string refusal = refusal_of(directory);
  std::error_code error;
  if (!refusal.empty() && std::filesystem::exists(directory, error)) {
    static std::once_flag said;
    std::call_once(said, [&] { log_line("cache", "not used: " + refusal); });
  }
  return refusal.empty();
}

// Holds <dir>/lock while it lives.
class Lock {
 public:
  Lock(const std::string& directory, bool wait) : file_(open((directory + "/lock").c_str(), O_RDWR | O_CREAT, 0600)) {
    held_ = file_ >= 0 && flock(file_, wait ? LOCK_EX : LOCK_EX | LOCK_NB) == 0;
  }
  ~Lock() {
    if (file_ >= 0) close(file_);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  bool held() const { return held_; }

 private:
  int file_;
  bool held_;
};

void trim_now_and_then(int64_t written) {
  constexpr int64_t every = int64_t{64} << 20;
  static std::atomic<int64_t> since = every;  // so that the first write looks
  if ((since += written) < every) return;
  since = 0;
  trim_cache(cache_limit, /*wait=*/false);
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

std::optional<std::string> peek_cached(const std::string& key, std::string_view kind) {
  std::string directory = cache_directory();
  if (directory.empty() || !is_usable(directory)) return std::nullopt;
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

std::optional<std::string> read_cached(const std::string& key, std::string_view kind) {
  auto payload = peek_cached(key, kind);
  if (payload) utimensat(AT_FDCWD, path_of(cache_directory(), key, kind).c_str(), nullptr, 0);  // used now
  return payload;
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
  if (!is_usable(directory)) return;
  static std::atomic<int> count = 0;
  std::string temporary = path.string() + "." + std::to_string(getpid()) + "." + std::to_string(count++) + ".tmp";
  int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (file < 0) return;
  bool good = write_all(file, header(key, payload)) && write_all(file, payload) && fsync(file) == 0;
  close(file);
  if (!good || rename(temporary.c_str(), path.c_str()) != 0) unlink(temporary.c_str());
  else trim_now_and_then(static_cast<int64_t>(payload.size()));
}

std::string cache_refusal() {
  std::string directory = cache_directory();
  if (directory.empty()) return "off: TESSERA_CACHE_DIR=0, or there is no HOME";
  std::error_code error;
  return std::filesystem::exists(directory, error) ? refusal_of(directory) : "";  // the first write makes it
}

std::vector<CachedFile> cached_files() {
  std::vector<CachedFile> files;
  std::error_code error;
  std::filesystem::recursive_directory_iterator each(cache_directory(), error), end;
  for (; !error && each != end; each.increment(error)) {
    struct stat facts;
    if (each.depth() != 1 || stat(each->path().c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) continue;
    std::string kind = each->path().extension().string();
    files.push_back({.path = each->path().string(),
                     .key = each->path().stem().string(),
                     .kind = kind.empty() ? kind : kind.substr(1),
                     .bytes = facts.st_size,
                     .used = facts.st_mtim.tv_sec * 1'000'000'000 + facts.st_mtim.tv_nsec});
  }
  return files;
}

int64_t trim_cache(int64_t limit, bool wait) {
  std::string directory = cache_directory();
  if (directory.empty() || !refusal_of(directory).empty()) return 0;
  Lock lock(directory, wait);
  if (!lock.held()) return 0;
  std::vector<CachedFile> files = cached_files();
  std::sort(files.begin(), files.end(), [](const CachedFile& a, const CachedFile& b) { return a.used < b.used; });
  int64_t total = 0, removed = 0;
  for (const CachedFile& file : files) total += file.bytes;
  if (total <= limit) return 0;
  for (const CachedFile& file : files) {
    if (total - removed <= limit / 10 * 9) break;
    if (unlink(file.path.c_str()) == 0) removed += file.bytes;
  }
  return removed;
}

}  // namespace tessera::codegen
