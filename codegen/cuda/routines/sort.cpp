#include <tessera/codegen/cuda/routines/sort.h>

#include <algorithm>

#include <fmt/format.h>

#include <tessera/codegen/cuda/rows/unsupported.h>

namespace tessera::cuda {
namespace {

constexpr int64_t longest_counted = 64;  // elements of a row that are placed by counting
constexpr int items = 8;                 // elements of a thread of a tile
constexpr int64_t few_tiles = 16;        // whose counts the kernel that moves adds up itself

std::string sorted_key(DType dtype) {
  switch (size_of(dtype)) {
    case 1: return "u8";
    case 2: return "u16";
    case 4: return "u32";
    default: return "u64";
  }
}

}  // namespace

void add_long_sort(Routine& routine, const LongSort& sort, RoutineValue keys,
                   const std::function<void(RoutineKernel&)>& add_results, const std::string& put) {
  const int64_t tiles = ceil_div(sort.extent, items * sort_threads), elements = sort.rows * sort.extent;
  const RoutineValue counts = routine.temporary(sort.rows * 256 * tiles, 4);
  const RoutineValue totals = tiles > few_tiles ? routine.temporary(sort.rows * 256, 4) : counts;
  RoutineValue places = keys;  // of the pass before; the first has none
  const RoutineValue other_keys[] = {routine.temporary(elements, sort.key_bytes), keys};
  const RoutineValue other_places[] = {routine.temporary(elements, 4), routine.temporary(elements, 4)};
  auto begin_tile = [&](RoutineKernel& kernel) {
    kernel.threads = sort_threads;
    kernel.blocks = sort.rows * tiles;
    kernel.body.push_back(fmt::format("const int tile = blockIdx.x % {};", tiles));
    kernel.body.push_back(fmt::format("const i64 row = blockIdx.x / {};", tiles));
  };
  for (int pass = 0; pass < sort.passes; ++pass) {
    const bool is_last = pass + 1 == sort.passes;
    RoutineKernel& count = routine.kernel("count");
    count.reads(sort.key, "keys", keys);
    count.writes("int", "counts", counts);
    begin_tile(count);
    count.body.push_back(fmt::format("count_digits<{}>(keys + row * {}, {}, tile, {}, /*pass=*/{}, counts + row * {});",
                                     items, sort.extent, sort.extent, tiles, pass, 256 * tiles));

    if (tiles > few_tiles) {
      RoutineKernel& add = routine.kernel("add_up");
      add.writes("int", "counts", counts);
      add.writes("int", "totals", totals);
      add.threads = sort_threads;
      add.blocks = sort.rows * 256;
      add.body.push_back(fmt::format("const i64 digit = blockIdx.x;  // of a row: 256 of each"));
      add.body.push_back(fmt::format("add_up_counts(counts + digit * {0}, {0}, totals + digit);", tiles));
    }

    RoutineKernel& move = routine.kernel("move");
    move.reads(sort.key, "keys", keys);
    if (pass > 0) move.reads("int", "places", places);
    move.reads("int", "counts", counts);
    if (tiles > few_tiles) move.reads("int", "totals", totals);
    begin_tile(move);
    std::string statement = put;
    keys = other_keys[pass % 2], places = other_places[pass % 2];
    if (is_last) {
      add_results(move);
    } else {
      move.writes(sort.key, "moved_keys", keys);
      move.writes("int", "moved_places", places);
      statement = fmt::format("moved_keys[row * {0} + to] = key, moved_places[row * {0} + to] = from;", sort.extent);
    }
    move.body.push_back(fmt::format(
        "move_tile<{}>(keys + row * {}, {}, {}, tile, {}, /*pass=*/{}, counts + row * {},", items, sort.extent,
        pass > 0 ? fmt::format("places + row * {}", sort.extent) : "static_cast<const int*>(nullptr)", sort.extent,
        tiles, pass, 256 * tiles));
    move.body.push_back(fmt::format("             {}, [&](int to, {} key, int from) {{ {} }});",
                                    tiles > few_tiles ? "totals + row * 256" : "static_cast<const int*>(nullptr)",
                                    sort.key, statement));
  }
}

void add_argsort(Routine& routine) {
  const RoutineFacts& f = routine.facts;
  if (f.rows() * f.extent == 0) return;
  const std::string type = storage_text(f.dtype);
  computed_text(f.dtype);  // may it be compared?
  const std::string& x = f.operands[0];
  const int64_t in_row = f.inner;
  if (f.extent <= longest_counted) {
    RoutineKernel& kernel = routine.kernel("");
    kernel.reads(type, x, Routine::operand(0));
    kernel.writes("i64", f.result, Routine::result());
    kernel.thread_each(f.rows() * f.extent);
    // Threads side by side have elements side by side.
    kernel.body.push_back(fmt::format("const int mine = static_cast<int>(t / {} % {});", f.inner, f.extent));
    kernel.body.push_back(fmt::format("const auto start = t / {0} * {0} + t % {1};", f.extent * f.inner, f.inner));
    kernel.body.push_back(fmt::format("const i64 place = place_by_counting<{}>({} + start, {}, {}, mine);",
                                      f.descending, x, f.extent, in_row));
    kernel.body.push_back(fmt::format("{}[start + place * {}] = mine;", f.result, in_row));
    routine.schedule = fmt::format("a thread for each element counts what comes before it of {}", f.extent);
    return;
  }
  if (f.extent <= longest_in_block) {
    const bool is_wide = size_of(f.dtype) == 8;
    const int threads = is_wide ? sort_threads : row_threads;
    const int64_t held = ceil_div(f.extent, threads);
    RoutineKernel& kernel = routine.kernel("");
    kernel.reads(type, x, Routine::operand(0));
    kernel.writes("i64", f.result, Routine::result());
    kernel.threads = threads;
    // Each step of a thread waits for the one before, so what counts is how many threads there are.
    if (!is_wide) kernel.blocks_at_once = size_of(f.dtype) < 4 ? 5 : 4;
    kernel.blocks = f.rows();
    kernel.body.push_back("const int row = blockIdx.x;");
    kernel.body.push_back(row_start(f));
    kernel.body.push_back(fmt::format("argsort{}_in_block<{}, {}>({}, start, {}, {}, {});", is_wide ? "_wide" : "",
                                      f.descending, held, x, f.extent, in_row, f.result));
    const int64_t bits = 8 * static_cast<int64_t>(size_of(f.dtype));
    routine.schedule = fmt::format("{} threads sort a row of {} in {} passes, {} elements each", threads, f.extent,
                                   ceil_div(bits, is_wide ? 8 : digit_bits), held);
    return;
  }
  if (f.extent > INT32_MAX - 65536) throw Unsupported{"a sort of more than 2^31 elements"};
  const LongSort sort{f.rows(), f.extent, sorted_key(f.dtype), static_cast<int64_t>(size_of(f.dtype)),
                      static_cast<int>(size_of(f.dtype))};
  const RoutineValue keys = routine.temporary(f.rows() * f.extent, sort.key_bytes);
  RoutineKernel& kernel = routine.kernel("keys");
  kernel.reads(type, x, Routine::operand(0));
  kernel.writes(sort.key, "keys", keys);
  kernel.thread_each(f.rows() * f.extent);
  kernel.body.push_back(fmt::format("const auto row = t / {};", f.extent));
  kernel.body.push_back(row_start(f));
  kernel.body.push_back(
      fmt::format("keys[t] = key_of<{}>({}[start + t % {} * {}]);", f.descending, x, f.extent, in_row));
  add_long_sort(
      routine, sort, keys,
      [&](RoutineKernel& last) {
        last.writes("i64", f.result, Routine::result());
        last.body.push_back(row_start(f));
      },
      fmt::format("{}[start + static_cast<i64>(to) * {}] = from;", f.result, in_row));
  routine.schedule =
      fmt::format("{} passes over rows of {} in tiles of {}", sort.passes, f.extent, items * sort_threads);
}

}  // namespace tessera::cuda
