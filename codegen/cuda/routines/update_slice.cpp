// dynamic_update_slice: the update over x, from starts that move so that it fits.

#include <fmt/format.h>

#include <tessera/codegen/cuda/routines/routine.h>

namespace tessera::cuda {

void add_update_slice(Routine& routine) {
  const RoutineFacts& f = routine.facts;
  routine.starts_as_copy = true;
  int64_t elements = 1, inner = 1;
  for (int64_t extent : f.part) elements *= extent;
  if (elements == 0) return;
  size_t cut = f.part.size();  // dims behind are whole
  while (cut > 0 && f.part[cut - 1] == f.extents[cut - 1]) inner *= f.part[--cut];
  const int width = widest_run(f.dtype, inner);
  const std::string type = storage_text(f.dtype), index = storage_text(f.index_dtype);
  RoutineKernel& kernel = routine.kernel("");
  kernel.reads(type, f.operands[1], Routine::operand(1));
  for (size_t d = 0; d < cut; ++d) kernel.reads(index, f.operands[2 + d], Routine::operand(static_cast<int>(2 + d)));
  kernel.writes(type, f.result, Routine::result());
  kernel.thread_each(elements / width);
  std::string at = inner == 1   ? ""
                   : width == 1 ? fmt::format("t % {}", inner)
                                : fmt::format("t % {} * {}", inner / width, width);
  int64_t stride = inner;
  std::string rest = inner == width ? "t" : fmt::format("t / {}", inner / width);
  for (size_t d = cut; d-- > 0;) {
    kernel.body.push_back(fmt::format("const i64 d{} = clamped({}[0], {}) + {};", d, f.operands[2 + d],
                                      f.extents[d] - f.part[d] + 1,
                                      d == 0 ? rest : fmt::format("{} % {}", rest, f.part[d])));
    const std::string term = stride == 1 ? fmt::format("d{}", d) : fmt::format("d{} * {}", d, stride);
    at = at.empty() ? term : term + " + " + at;
    rest += fmt::format(" / {}", f.part[d]);
    stride *= f.extents[d];
  }
  if (at.empty()) at = "0";
  kernel.body.push_back(width == 1 ? fmt::format("{}[{}] = {}[t];", f.result, at, f.operands[1])
                                   : fmt::format("store({} + {}, load<{}>({} + static_cast<i64>(t) * {}));", f.result,
                                                 at, width, f.operands[1], width));
  routine.schedule = fmt::format("{} neighbours a thread", width);
}

}  // namespace tessera::cuda
