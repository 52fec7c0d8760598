#include <tessera/codegen/executor/check_reference.h>

#include <cmath>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include <tessera/core/convert.h>
#include <tessera/core/error.h>
#include <tessera/core/executor.h>

namespace tessera::codegen {
namespace {

// Relative to the size of the whole result: elements that cancel to almost nothing carry the error of their terms.
double tolerance(DType dtype, const Precision& precision) {
  if (dtype == DType::f32 && precision.is_mixed()) dtype = DType::bf16;  // the reference stores nothing rounded
  // … and multiplies no tf32, which has as many bits as f16.
  if (dtype == DType::f32 && precision.policy == Precision::Policy::tf32) dtype = DType::f16;
  switch (dtype) {
    case DType::f64: return 1e-10;
    case DType::f32: return 1e-4;
    case DType::f16: return 5e-3;
    case DType::bf16: return 3e-2;
    case DType::f8e4m3:
    case DType::f8e5m2: return 0.3;
    default: return 0;
  }
}

}  // namespace

bool checks_against_reference() {
  static const bool on = [] {
    const char* set = std::getenv("TESSERA_CHECK");
    return set && std::string_view(set) == "reference";
  }();
  return on;
}

std::vector<BufferPtr> run_reference_beside(const Program& program, const std::vector<BufferPtr>& arguments) {
  std::vector<BufferPtr> shared = arguments;  // held twice, so that nothing is donated
  return reference_executor().get(program)->run(program, shared);
}

void compare_with_reference(const Program& program, const std::vector<BufferPtr>& results,
                            const std::vector<BufferPtr>& expected) {
  for (size_t k = 0; k < results.size(); ++k) {
    const Instruction& made = program.instructions[static_cast<size_t>(program.outputs[k])];
    int64_t count = made.shape.numel();
    double square = 0;
    for (int64_t i = 0; i < count; ++i) {
      double value = load_double(expected[k]->read(), made.dtype, i);
      if (std::isfinite(value)) square += value * value;
    }
    double size = count > 0 ? std::sqrt(square / static_cast<double>(count)) : 0;
    for (int64_t i = 0; i < count; ++i) {
      double got = load_double(results[k]->read(), made.dtype, i),
             want = load_double(expected[k]->read(), made.dtype, i);
      bool same = got == want || (got != got && want != want);
      if (same || std::fabs(got - want) <= tolerance(made.dtype, program.precision) * (std::fabs(want) + size))
        continue;
      throw InternalError(fmt::format("result {} of {} differs from the reference at element {}: {} instead of {}", k,
                                      program.name, i, got, want),
                          made.at);
    }
  }
}

}  // namespace tessera::codegen
