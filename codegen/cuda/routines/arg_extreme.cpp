// argmax and argmin: a block for each row of neighbours, a thread for each other one; long rows in parts.

#include <algorithm>

#include <fmt/format.h>

#include <tessera/codegen/cuda/routines/routine.h>

namespace tessera::cuda {
namespace {

constexpr int64_t long_row = 32768;        // elements of neighbours that a block takes
constexpr int64_t enough_threads = 65536;  // where each thread has a row

}  // namespace

void add_arg_extreme(Routine& routine) {
  const RoutineFacts& f = routine.facts;
  if (f.rows() == 0) return;
  const bool neighbours = f.inner == 1;
  const std::string which = f.name == "argmax" ? "Largest" : "Smallest", type = storage_text(f.dtype);
  computed_text(f.dtype);  // may it be compared?
  const int64_t parts = std::max<int64_t>(
      1, neighbours ? ceil_div(f.extent, long_row) : std::min(f.extent / 64, enough_threads / f.rows()));
  const int width = neighbours ? widest_run(f.dtype, f.extent) : 1;
  const int64_t each = ceil_div(ceil_div(f.extent, parts), width) * width;
  const RoutineValue places = parts == 1 ? Routine::result() : routine.temporary(f.rows() * parts, 8);
  const std::string out = parts == 1 ? f.result : "places",
                    end = fmt::format("min(begin + {}, i64({}))", each, f.extent);
  RoutineKernel& find = routine.kernel(parts == 1 ? "" : "parts");
  find.reads(type, f.operands[0], Routine::operand(0));
  find.writes("i64", out, places);
  Lines& body = find.body;
  if (neighbours) {
    find.threads = f.extent <= 64 * width ? 32 : f.extent <= 512 * width ? 128 : 256;
    find.blocks = f.rows() * parts;
    body.push_back(parts == 1 ? "const i64 row = blockIdx.x;" : fmt::format("const i64 row = blockIdx.x / {};", parts));
  } else {
    find.thread_each(f.rows() * parts);
    body.push_back(parts == 1 ? "const auto row = t;" : fmt::format("const auto row = t / {};", parts));
  }
  body.push_back(row_start(f));
  const std::string number = neighbours ? "blockIdx.x" : "t";
  body.push_back(parts == 1 ? "const i64 begin = 0;"
                            : fmt::format("const i64 begin = {} % {} * {};", number, parts, each));
  body.push_back(neighbours ? fmt::format("find_in_row<{}, {}, {}>({} + start, begin, {}, {} + {});", which,
                                          find.threads, width, f.operands[0], end, out, number)
                            : fmt::format("find_in_lane<{}>({} + start, {}, begin, {}, {} + {});", which, f.operands[0],
                                          f.inner, end, out, number));
  routine.schedule = fmt::format("{} of {} elements, {}", neighbours ? "a block for each row" : "a thread for each row",
                                 f.extent, parts == 1 ? "whole" : fmt::format("in {} parts", parts));
  if (parts == 1) return;
  RoutineKernel& choose = routine.kernel("choose");
  choose.reads(type, f.operands[0], Routine::operand(0));
  choose.reads("i64", "places", places);
  choose.writes("i64", f.result, Routine::result());
  choose.thread_each(f.rows());
  choose.body.push_back("const auto row = t;");
  choose.body.push_back(row_start(f));
  choose.body.push_back(fmt::format("find_among<{0}>({1} + start, {2}, places + row * {3}, {3}, {4} + row);", which,
                                    f.operands[0], f.inner, parts, f.result));
}

}  // namespace tessera::cuda
