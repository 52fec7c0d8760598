// cumsum, cumprod, cummax: a block for each row of neighbours, a thread for each group of other ones. Where those are too
// few to fill a card, rows are cut into parts: a first kernel combines each, a second one scans it behind those before.

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include <tessera/codegen/cuda/routines/routine.h>

namespace tessera::cuda {
namespace {

constexpr int64_t enough_rows = 512;  // blocks
constexpr int64_t enough_threads = 65536;
constexpr int64_t tiles_of_part = 8;

const char* how_text(ScanKind kind) {
  return kind == ScanKind::sum ? "Sum" : kind == ScanKind::max ? "Max" : "Product";
}

struct Cut {
  bool neighbours;
  int width, threads;
  int64_t groups;  // of rows: one each, or `width` of them
  int64_t each, parts;
};

Cut cut_of(const RoutineFacts& f) {
  Cut c{f.inner == 1, widest_run(f.dtype, f.inner == 1 ? f.extent : f.inner), 256, 0, f.extent, 1};
  if (c.neighbours) {
    c.groups = f.rows();
    c.threads = static_cast<int>(std::clamp<int64_t>(
        static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(ceil_div(f.extent, c.width)))), 32, 512));
    if (c.groups < enough_rows) c.each = std::min(f.extent, tiles_of_part * c.threads * c.width);
  } else {
    c.groups = f.rows() / c.width;
    c.each = std::max<int64_t>(std::min<int64_t>(32, f.extent), ceil_div(f.extent, ceil_div(enough_threads, c.groups)));
  }
  c.parts = ceil_div(f.extent, c.each);
  return c;
}

// Where a block or a thread stands: its row, its part of it, and the part's ends.
void begin_part(const RoutineFacts& f, const Cut& c, RoutineKernel& kernel) {
  std::string number = "blockIdx.x";
  if (c.neighbours) {
    kernel.threads = c.threads;
    kernel.blocks = c.groups * c.parts;
  } else {
    kernel.thread_each(c.groups * c.parts);
    number = "t";
  }
  // Threads side by side have rows side by side; blocks side by side have parts of one row.
  const std::string group = c.parts == 1   ? number
                            : c.neighbours ? fmt::format("{} / {}", number, c.parts)
                                           : fmt::format("{} % {}", number, c.groups);
  const std::string part =
      c.neighbours ? fmt::format("{} % {}", number, c.parts) : fmt::format("{} / {}", number, c.groups);
  kernel.body.push_back(fmt::format("const i64 row = static_cast<i64>({}){};", group,
                                    !c.neighbours && c.width > 1 ? fmt::format(" * {}", c.width) : ""));
  kernel.body.push_back(row_start(f));
  if (c.parts == 1) return;
  kernel.body.push_back(fmt::format("const int part = static_cast<int>({});", part));
  kernel.body.push_back(fmt::format("const i64 begin = static_cast<i64>(part) * {};", c.each));
}

std::string ordered(const RoutineFacts& f, const std::string& type, const std::string& name) {
  return fmt::format("Ordered<{}, {}>{{{} + start, {}, {}}}", f.reverse, type, name, f.extent, f.inner);
}

}  // namespace

void add_scan(Routine& routine) {
  const RoutineFacts& f = routine.facts;
  if (f.rows() * f.extent == 0) return;
  const Cut c = cut_of(f);
  const std::string how = how_text(f.scan), type = storage_text(f.dtype), wide = computed_text(f.dtype);
  const bool in_parts = c.parts > 1;
  const std::string begin = in_parts ? "begin" : "0",
                    end =
                        in_parts ? fmt::format("min(begin + {}, i64({}))", c.each, f.extent) : std::to_string(f.extent);
  RoutineValue totals = Routine::result();
  routine.schedule = fmt::format("{}, {} at once{}",
                                 c.neighbours ? fmt::format("{} threads a row", c.threads) : "a thread for each row",
                                 c.width, in_parts ? fmt::format(", in {} parts of {}", c.parts, c.each) : "");
  if (in_parts) {
    totals = routine.temporary(f.rows() * c.parts, computed_bytes(f.dtype));
    RoutineKernel& total = routine.kernel("totals");
    total.reads(type, f.operands[0], Routine::operand(0));
    total.writes(wide, "totals", totals);
    begin_part(f, c, total);
    const std::string x = ordered(f, "const " + type, f.operands[0]);
    total.body.push_back(
        c.neighbours ? fmt::format("total_of_row<{}, {}, {}>({}, begin, {}, totals + blockIdx.x);", how, c.threads,
                                   c.width, x, end)
                     : fmt::format("total_of_lanes<{}, {}>({}, begin, {}, totals + static_cast<i64>(part) * {} + row);",
                                   how, c.width, x, end, f.rows()));
  }
  RoutineKernel& scan = routine.kernel("");
  scan.reads(type, f.operands[0], Routine::operand(0));
  if (in_parts) scan.reads(wide, "totals", totals);
  scan.writes(type, f.result, Routine::result());
  begin_part(f, c, scan);
  const std::string x = ordered(f, "const " + type, f.operands[0]), y = ordered(f, type, f.result);
  if (c.neighbours) {
    const std::string before = in_parts ? fmt::format("totals + row * {}, part", c.parts)
                                        : fmt::format("static_cast<const {}*>(nullptr), 0", wide);
    scan.body.push_back(fmt::format("scan_row<{}, {}, {}>({}, {},", how, c.threads, c.width, x, y));
    scan.body.push_back(fmt::format("    {}, {}, {});", begin, end, before));
  } else {
    const std::string before = in_parts ? fmt::format("totals + row, {}, part", f.rows())
                                        : fmt::format("static_cast<const {}*>(nullptr), 0, 0", wide);
    scan.body.push_back(fmt::format("scan_lanes<{}, {}>({}, {},", how, c.width, x, y));
    scan.body.push_back(fmt::format("    {}, {}, {});", begin, end, before));
  }
}

}  // namespace tessera::cuda
