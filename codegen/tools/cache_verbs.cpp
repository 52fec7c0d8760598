#include <tessera/codegen/tools/cache_verbs.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <stdexcept>

#include <fmt/format.h>

#include <tessera/codegen/cpu/object_cache.h>
#include <tessera/codegen/plan/stored_plan.h>
#include <tessera/codegen/tools/units.h>
#include <tessera/core/error.h>

namespace tessera::tools {
namespace {

using namespace codegen;

std::string directory() {
  std::string found = cache_directory();
  if (found.empty()) throw std::runtime_error("the cache is off: TESSERA_CACHE_DIR is 0, or there is no HOME");
  return found;
}

// Programs of one name: signatures and versions of a model, or all one-off expressions.
struct Row {
  std::string name;
  int programs = 1;
  size_t launches = 0;  // of the longest
  int64_t bytes = 0, used = 0;
};

// Nothing for a plan that is damaged or of another version: the next run that wants it builds it again.
bool read_row(const CachedFile& file, const std::map<std::string, int64_t>& objects, Row& row) {
  auto text = peek_cached(file.key, "plan");
  if (!text) return false;
  try {
    Plan plan = read_stored_plan(*text);
    row = {plan.name, 1, plan.launches.size(), file.bytes, file.used};
    for (const PlanKernel& kernel : plan.kernels)
      if (auto found = objects.find(kernel.key); found != objects.end()) row.bytes += found->second;
    return true;
  } catch (const InternalError&) {
    return false;
  }
}

}  // namespace

void cache_path() { fmt::print("{}\n", directory()); }

void cache_clear() {
  std::string where = directory();
  if (std::string refusal = cache_refusal(); !refusal.empty()) throw std::runtime_error(refusal);
  size_t before = cached_files().size();
  int64_t removed = trim_cache(0, /*wait=*/true);
  fmt::print("removed {} files, {}, from {}\n", before - cached_files().size(), size_text(removed), where);
}

void cache_list() {
  std::string where = directory();
  if (std::string refusal = cache_refusal(); !refusal.empty()) throw std::runtime_error(refusal);
  std::vector<CachedFile> files = cached_files();
  std::map<std::string, int64_t> objects;
  int64_t total = 0;
  for (const CachedFile& file : files) {
    total += file.bytes;
    if (file.kind == "o") objects[file.key] = file.bytes;
  }
  fmt::print("{}: {} of {}, {} files\n", where, size_text(total), size_text(cache_limit), files.size());
  std::vector<Row> rows;
  int foreign = 0;
  for (const CachedFile& file : files) {
    if (file.kind != "plan") continue;
    Row row;
    if (!read_row(file, objects, row)) {
      ++foreign;
      continue;
    }
    auto same = std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.name == row.name; });
    if (same == rows.end()) {
      rows.push_back(row);
      continue;
    }
    ++same->programs;
    same->launches = std::max(same->launches, row.launches);
    same->bytes += row.bytes;
    same->used = std::max(same->used, row.used);
  }
  if (foreign > 0) fmt::print("{} programs of other versions leave when room is needed\n", foreign);
  if (rows.empty()) return;
  // The one used last first; kernels that programs share count for each of them.
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.used > b.used; });
  const int64_t now =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  fmt::print("\n{:<40} {:>9} {:>9} {:>10}  {}\n", "name", "programs", "launches", "size", "used");
  for (const Row& row : rows)
    fmt::print("{:<40} {:>9} {:>9} {:>10}  {} ago\n", row.name.substr(0, 40), row.programs, row.launches,
               size_text(row.bytes), age_text((now - row.used) / 1'000'000'000));
}

}  // namespace tessera::tools
