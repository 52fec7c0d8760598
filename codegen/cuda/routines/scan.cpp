// cumsum, cumprod, cummax: a block for each row of neighbours, a thread for each group of other ones. Where those are too
// few to fill a card, rows are cut into parts. Of neighbours, a first kernel combines each, a second one scans it behind those
// before; of other rows, one kernel does both, and reads x once.

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include <tessera/codegen/cuda/routines/routine.h>

namespace tessera::cuda {
namespace {

constexpr int64_t enough_rows = 512;  // blocks
constexpr int64_t enough_threads = 65536;
constexpr int64_t tiles_of_part = 8;
constexpr int64_t part_warps = 8, rows_of_warp = 16;  // as in device/scan.cuh

const char* how_text(ScanKind kind) {
  return kind == ScanKind::sum ? "Sum" : kind == ScanKind::max ? "Max" : "Product";
}

std::string ordered(const RoutineFacts& f, const std::string& type, const std::string& name) {
  return fmt::format("Ordered<{}, {}>{{{} + start, {}, {}}}", f.reverse, type, name, f.extent, f.inner);
}

void scan_neighbours(Routine& routine) {
  const RoutineFacts& f = routine.facts;
  const std::string how = how_text(f.scan), type = storage_text(f.dtype), wide = computed_text(f.dtype);
  const int width = widest_run(f.dtype, f.extent);
  const auto threads =
      static_cast<int>(std::clamp<int64_t>(std::bit_ceil(static_cast<uint64_t>(ceil_div(f.extent, width))), 32, 512));
  const int64_t each = f.rows() < enough_rows ? std::min(f.extent, tiles_of_part * threads * width) : f.extent,
                parts = ceil_div(f.extent, each);
  routine.schedule = fmt::format("{} threads a row, {} at once", threads, width);
  if (parts > 1) routine.schedule += fmt::format(", in {} parts of {}", parts, each);
  // Blocks side by side have parts of one row.
  auto begin_part = [&](RoutineKernel& kernel) {
    kernel.threads = threads;
    kernel.blocks = f.rows() * parts;
    kernel.body.push_back(
        fmt::format("const i64 row = static_cast<i64>(blockIdx.x{});", parts > 1 ? fmt::format(" / {}", parts) : ""));
    kernel.body.push_back(row_start(f));
    if (parts == 1) return;
    kernel.body.push_back(fmt::format("const int part = static_cast<int>(blockIdx.x % {});", parts));
    kernel.body.push_back(fmt::format("const i64 begin = static_cast<i64>(part) * {};", each));
  };
  const std::string x = ordered(f, "const " + type, f.operands[0]), y = ordered(f, type, f.result);
  std::string begin = "0", end = std::to_string(f.extent),
              before = fmt::format("static_cast<const {}*>(nullptr), 0", wide);
  RoutineValue totals = Routine::result();
  if (parts > 1) {
    begin = "begin", end = fmt::format("min(begin + {}, i64({}))", each, f.extent);
    before = fmt::format("totals + row * {}, part", parts);
    totals = routine.temporary(f.rows() * parts, computed_bytes(f.dtype));
    RoutineKernel& total = routine.kernel("totals");
    total.reads(type, f.operands[0], Routine::operand(0));
    total.writes(wide, "totals", totals);
    begin_part(total);
    total.body.push_back(
        fmt::format("total_of_row<{}, {}, {}>({}, begin, {}, totals + blockIdx.x);", how, threads, width, x, end));
  }
  RoutineKernel& scan = routine.kernel("");
  scan.reads(type, f.operands[0], Routine::operand(0));
  if (parts > 1) scan.reads(wide, "totals", totals);
  scan.writes(type, f.result, Routine::result());
  begin_part(scan);
  scan.body.push_back(fmt::format("scan_row<{}, {}, {}>({}, {},", how, threads, width, x, y));
  scan.body.push_back(fmt::format("    {}, {}, {});", begin, end, before));
}

void scan_others(Routine& routine) {
  const RoutineFacts& f = routine.facts;
  const std::string how = how_text(f.scan), type = storage_text(f.dtype);
  // Values of one byte come to take a register each: of them a thread has four at once.
  const int width = std::min(widest_run(f.dtype, f.inner), size_of(f.dtype) == 1 ? 4 : 8);
  RoutineKernel& kernel = routine.kernel("");
  kernel.reads(type, f.operands[0], Routine::operand(0));
  kernel.writes(type, f.result, Routine::result());
  if (f.rows() / width >= enough_threads || f.extent <= rows_of_warp) {
    routine.schedule = fmt::format("a thread for each row, {} at once", width);
    kernel.thread_each(f.rows() / width);
    kernel.body.push_back(
        fmt::format("const i64 row = static_cast<i64>(t){};", width > 1 ? fmt::format(" * {}", width) : ""));
    kernel.body.push_back(row_start(f));
    kernel.body.push_back(fmt::format("scan_lanes<{}, {}>({}, {});", how, width,
                                      ordered(f, "const " + type, f.operands[0]), ordered(f, type, f.result)));
    return;
  }
  const int64_t each = part_warps * rows_of_warp, parts = ceil_div(f.extent, each),
                groups = f.outer * ceil_div(f.inner, 32 * width);
  routine.schedule = fmt::format("{} warps share {} elements of {} rows, {} at once, in {} parts", part_warps, each,
                                 32 * width, width, parts);
  kernel.writes(computed_text(f.dtype), "totals", routine.temporary(f.rows() * parts, computed_bytes(f.dtype)));
  kernel.writes("u32", "words", routine.count_with(2 + groups * parts));
  kernel.threads = static_cast<int>(32 * part_warps);
  kernel.blocks_at_once = 2;
  kernel.blocks = groups * parts;
  kernel.body.push_back(fmt::format("scan_parts_of_lanes<{}, {}, {}, {}>({}, {}, {}, {}, {}, totals, words);", how,
                                    width, kernel.blocks, f.reverse, f.operands[0], f.result, f.outer, f.extent,
                                    f.inner));
}

}  // namespace

void add_scan(Routine& routine) {
  if (routine.facts.rows() * routine.facts.extent == 0) return;
  routine.facts.inner == 1 ? scan_neighbours(routine) : scan_others(routine);
}

}  // namespace tessera::cuda
