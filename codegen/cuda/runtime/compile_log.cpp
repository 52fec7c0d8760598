#include <tessera/codegen/cuda/runtime/compile_log.h>

#include <cctype>
#include <charconv>

#include <fmt/format.h>

namespace tessera::cuda {
namespace {

// The number that stands right before `word`; 0 where the line has none.
int number_before(std::string_view line, std::string_view word) {
  size_t end = line.find(word);
  if (end == std::string_view::npos) return 0;
  size_t begin = end;
  while (begin > 0 && std::isdigit(static_cast<unsigned char>(line[begin - 1]))) --begin;
  int value = 0;
  std::from_chars(line.data() + begin, line.data() + end, value);
  return value;
}

bool is_lost_schedule(std::string_view line) {
  for (std::string_view sign : {"(C75", "wgmma", "setmaxnreg"})
    if (line.find(sign) != std::string_view::npos) return true;
  return line.find("warning") != std::string_view::npos;
}

}  // namespace

CompileLog read_compile_log(std::string_view log, Stack stack) {
  CompileLog read;
  while (!log.empty()) {
    std::string_view line = log.substr(0, log.find('\n'));
    log.remove_prefix(std::min(log.size(), line.size() + 1));
    if (line.find("Compiling entry function '") != std::string_view::npos) {
      size_t begin = line.find('\'') + 1;
      read.entries.push_back({.name = std::string(line.substr(begin, line.find('\'', begin) - begin))});
      continue;
    }
    if (line.find("bytes stack frame") != std::string_view::npos && !read.entries.empty()) {
      EntryFacts& entry = read.entries.back();
      entry.stack_bytes = number_before(line, " bytes stack frame");
      entry.spill_stores = number_before(line, " bytes spill stores");
      entry.spill_loads = number_before(line, " bytes spill loads");
      const bool has_stack = entry.stack_bytes > 0 && stack == Stack::refused;
      if (has_stack || entry.spill_stores || entry.spill_loads)
        read.refused.push_back(fmt::format("{} keeps values in memory: {} bytes of stack, {} stored, {} loaded",
                                           entry.name, entry.stack_bytes, entry.spill_stores, entry.spill_loads));
      continue;
    }
    if (line.find("Used ") != std::string_view::npos && !read.entries.empty()) {
      read.entries.back().registers = number_before(line, " registers");
      continue;
    }
    if (!is_lost_schedule(line)) continue;
    read.refused.emplace_back(line);
    read.only_spills &= line.find("Registers are spilled") != std::string_view::npos;
  }
  return read;
}

}  // namespace tessera::cuda
