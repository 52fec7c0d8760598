// scatter: sorted indices, then runs of equal ones combined by threads that have a few neighbours of a row each.

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include <tessera/codegen/cuda/routines/sort.h>
#include <tessera/codegen/cuda/rows/unsupported.h>

namespace tessera::cuda {
namespace {

constexpr int64_t chunk = 16;  // sorted updates that a thread combines

// Adds the kernels that leave the sorted indices in `sorted`, and in `order` where each was.
void sort_indices(Routine& routine, RoutineValue sorted, RoutineValue order) {
  const RoutineFacts& f = routine.facts;
  const std::string index = storage_text(f.index_dtype);
  const int passes = static_cast<int>(ceil_div(std::bit_width(static_cast<uint64_t>(f.extent)), 8));
  if (f.index_count <= longest_in_block) {
    RoutineKernel& sort = routine.kernel("sort");
    sort.reads(index, f.operands[1], Routine::operand(1));
    sort.writes("KeyOfIndex", "sorted", sorted);
    sort.writes("int", "order", order);
    sort.notes_indices = true;
    sort.threads = sort_threads;
    sort.blocks = 1;
    sort.body.push_back(fmt::format("sort_indices_in_block<{}, {}>({}, {}, {}, sorted, order, errors);",
                                    ceil_div(f.index_count, sort_threads), passes, f.operands[1], f.index_count,
                                    f.extent));
    return;
  }
  const RoutineValue keys = routine.temporary(f.index_count, 4);
  RoutineKernel& make = routine.kernel("keys");
  make.reads(index, f.operands[1], Routine::operand(1));
  make.writes("KeyOfIndex", "keys", keys);
  make.notes_indices = true;
  make.thread_each(f.index_count);
  make.body.push_back(fmt::format("keys[t] = key_of_index({}[t], {}, errors);", f.operands[1], f.extent));
  add_long_sort(
      routine, {1, f.index_count, "KeyOfIndex", 4, passes}, keys,
      [&](RoutineKernel& last) {
        last.writes("KeyOfIndex", "sorted", sorted);
        last.writes("int", "order", order);
      },
      "sorted[to] = key, order[to] = from;");
}

}  // namespace

void add_scatter(Routine& routine) {
  const RoutineFacts& f = routine.facts;
  routine.starts_as_copy = true;
  if (f.index_count == 0) return;
  if (f.extent >= int64_t{1} << 31 || f.index_count > INT32_MAX - 65536)
    throw Unsupported{"a scatter of more than 2^31 indices"};
  const bool sets = f.scatter == ScatterMode::set;
  const std::string type = storage_text(f.dtype), wide = sets ? type : computed_text(f.dtype);
  const char* how = f.scatter == ScatterMode::add ? "Sum" : "Max";
  const RoutineValue sorted = routine.temporary(f.index_count, 4), order = routine.temporary(f.index_count, 4);
  sort_indices(routine, sorted, order);
  if (f.rows() * f.extent == 0) return;  // the indices are checked all the same

  const int width = widest_run(f.dtype, f.inner);
  const int64_t lanes = f.rows() / width, chunks = ceil_div(f.index_count, sets ? 1 : chunk);
  const bool meet = !sets && chunks > 1;
  const RoutineValue heads = meet ? routine.temporary(chunks * f.rows(), computed_bytes(f.dtype)) : sorted,
                     tails = meet ? routine.temporary(chunks * f.rows(), computed_bytes(f.dtype)) : sorted;
  auto begin = [&](const char* step) -> RoutineKernel& {
    RoutineKernel& kernel = routine.kernel(step);
    kernel.reads("KeyOfIndex", "sorted", sorted);
    kernel.reads("int", "order", order);
    kernel.reads(type, f.operands[2], Routine::operand(2));
    kernel.writes(type, f.result, Routine::result());
    kernel.thread_each(lanes * chunks);
    kernel.body.push_back(fmt::format("const Target<{}> to = {{{}, {}, {}, {}, {}{}}};", type, f.result, f.operands[2],
                                      f.extent, f.inner, f.index_count,
                                      f.into_zeros && f.scatter == ScatterMode::add ? ", /*is_zero=*/true" : ""));
    kernel.body.push_back(fmt::format("const Runs runs = {{sorted, order, {}}};", f.index_count));
    kernel.body.push_back(width > 1 ? fmt::format("const i64 lane = static_cast<i64>(t % {}) * {};", lanes, width)
                                    : fmt::format("const i64 lane = t % {};", lanes));
    return kernel;
  };
  routine.schedule = fmt::format("{} neighbours a thread, {}", width,
                                 sets ? "the last of each index" : fmt::format("{} sorted updates each", chunk));
  if (sets) {
    begin("").body.push_back(fmt::format("set_last<{}>(to, runs, lane, static_cast<int>(t / {}));", width, lanes));
    return;
  }
  RoutineKernel& combine = begin("combine");
  combine.body.push_back(fmt::format("const int first = static_cast<int>(t / {}) * {};", lanes, chunk));
  const std::string last = fmt::format("min(first + {}, {})", chunk, f.index_count);
  if (!meet) {
    combine.body.push_back(
        fmt::format("combine_chunk<{}, {}>(to, runs, lane, first, {}, nullptr, nullptr);", how, width, last));
    return;
  }
  const std::string place = fmt::format("const i64 place = static_cast<i64>(t / {}) * {} + lane;", lanes, f.rows());
  combine.writes(wide, "heads", heads);
  combine.writes(wide, "tails", tails);
  combine.body.push_back(place);
  combine.body.push_back(
      fmt::format("combine_chunk<{}, {}>(to, runs, lane, first, {}, heads + place, tails + place);", how, width, last));
  RoutineKernel& finish = begin("long_runs");
  finish.reads(wide, "heads", heads);
  finish.reads(wide, "tails", tails);
  finish.body.push_back(fmt::format("const int first = static_cast<int>(t / {}) * {};", lanes, chunk));
  finish.body.push_back(place);
  finish.body.push_back(
      fmt::format("combine_long_run<{}, {}, {}>(to, runs, lane, first, heads + place, tails + place, {});", how, width,
                  chunk, f.rows()));
}

}  // namespace tessera::cuda
