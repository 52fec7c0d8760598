#include <tessera/codegen/executor/dump.h>

#include <atomic>
#include <cstdlib>
#include <fstream>

#include <fmt/format.h>

namespace tessera::codegen {
namespace {

std::string wanted_directory() {
  const char* set = std::getenv("TESSERA_DUMP");
  return set && *set && std::string(set) != "0" ? set : "";
}

}  // namespace

bool Dump::wanted() { return !wanted_directory().empty(); }

Dump::Dump(const std::string& program) {
  static std::atomic<int> programs = 0;
  if (!wanted()) return;
  directory_ = std::filesystem::path(wanted_directory()) / fmt::format("{}-{}", program, programs++);
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  if (error) directory_.clear();
}

void Dump::write(const std::string& name, const std::function<std::string()>& text) {
  if (!on()) return;
  std::ofstream(directory_ / fmt::format("{:02}-{}", count_++, name)) << text();
}

}  // namespace tessera::codegen
