#include "tests/support/compare_executors.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include <tessera/core/convert.h>
#include <tessera/core/error.h>
#include <tessera/core/program.h>

namespace tessera::testing {

double epsilon(DType dtype) {
  switch (dtype) {
    case DType::f64: return 0x1p-52;
    case DType::f32: return 0x1p-23;
    case DType::f16: return 0x1p-10;
    case DType::bf16: return 0x1p-7;
    case DType::f8e4m3: return 0x1p-3;
    case DType::f8e5m2: return 0x1p-2;
    case DType::i64:
    case DType::i32:
    case DType::i16:
    case DType::i8:
    case DType::u32:
    case DType::u8:
    case DType::boolean: return 0;
  }
  throw InternalError("unknown dtype");
}

std::string difference(const Buffer& tested, const Buffer& reference, DType dtype, int64_t count, Tolerance tolerance,
                       const std::vector<double>& apart) {
  std::ostringstream out;
  if (!is_float(dtype)) {
    for (int64_t i = 0; i < count; ++i) {
      int64_t a = load_int(tested.data(), dtype, i), b = load_int(reference.data(), dtype, i);
      if (a == b) continue;
      out << "element " << i << " is " << a << ", reference " << b;
      return out.str();
    }
    return "";
  }
  double scale = 0;
  for (int64_t i = 0; i < count; ++i) {
    double b = load_double(reference.data(), dtype, i);
    if (std::isfinite(b)) scale = std::max(scale, std::fabs(b));
  }
  double unit = tolerance.ulps * epsilon(dtype);
  for (int64_t i = 0; i < count; ++i) {
    double a = load_double(tested.data(), dtype, i), b = load_double(reference.data(), dtype, i);
    if (std::isnan(a) && std::isnan(b)) continue;
    if (a == b) continue;
    double bound = unit * (std::fabs(b) + 0.1 * scale) + tolerance.floor;
    if (!apart.empty()) {
      if (std::isinf(apart[static_cast<size_t>(i)])) continue;
      bound += apart[static_cast<size_t>(i)];
    }
    if (std::isfinite(a) && std::isfinite(b) && std::fabs(a - b) <= bound) continue;
    out.precision(17);
    out << "element " << i << " of " << count << " is " << a << ", reference " << b << " (bound " << bound << ")";
    return out.str();
  }
  return "";
}

std::string kernel_differences(const std::vector<Tensor>& results, const std::vector<BufferPtr>& tested,
                               const std::vector<BufferPtr>& reference, double ulps_of_16_bits) {
  std::string found;
  for (size_t k = 0; k < results.size(); ++k) {
    const Tensor& result = results[k];
    const double ulps = size_of(result.dtype()) == 2 ? ulps_of_16_bits : 64;
    const std::string text = difference(*tested[k], *reference[k], result.dtype(), result.numel(), {ulps});
    if (!text.empty()) found += "result " + std::to_string(k) + ": " + text + "\n";
  }
  return found;
}

std::vector<std::string> differences(const std::vector<Checked>& values, Executor& tested, Executor& reference,
                                     MayBeApart* may_be_apart) {
  std::vector<NodePtr> outputs, captured;
  for (const Checked& c : values) outputs.push_back(c.value.node());
  Program program = flatten({}, outputs, /*lift_constants=*/false, &captured);
  std::vector<BufferPtr> data;
  for (const NodePtr& node : captured) data.push_back(node->value);
  std::vector<BufferPtr> for_tested = data, for_reference = data;
  std::vector<BufferPtr> a = tested.get(program)->run(program, for_tested);
  std::vector<BufferPtr> b = reference.compile(program)->run(program, for_reference);
  std::vector<std::string> out;
  for (int runs : {16, 256}) {  // few say it, as a rule
    std::vector<std::vector<double>> apart(values.size());
    if (may_be_apart) apart = may_be_apart(program, data, b, runs);
    out.clear();
    for (size_t i = 0; i < values.size(); ++i) {
      const Tensor& t = values[i].value;
      std::string text = difference(*a[i], *b[i], t.dtype(), t.numel(), values[i].tolerance, apart[i]);
      if (!text.empty()) out.push_back(values[i].name + ": " + text);
    }
    if (out.empty() || !may_be_apart) break;
  }
  return out;
}

}  // namespace tessera::testing
