#pragma once
// One op on the reference executor, with host numbers in and out.

#include <memory>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include <tessera/core/convert.h>
#include <tessera/core/reference.h>

namespace tessera {

struct Host {
  Instruction type;
  BufferPtr buffer;

  std::vector<double> values() const {
    std::vector<double> out(static_cast<size_t>(type.shape.numel()));
    convert(buffer->data(), type.dtype, out.data(), f64, type.shape.numel());
    return out;
  }
};

inline Host host(DType dtype, Shape shape, const std::vector<double>& values) {
  EXPECT_EQ(static_cast<int64_t>(values.size()), shape.numel());
  Host out{{.dtype = dtype, .shape = std::move(shape)}, nullptr};
  out.buffer = std::make_shared<Buffer>(values.size() * size_of(dtype));
  convert(values.data(), f64, out.buffer->data(), dtype, out.type.shape.numel());
  return out;
}

inline Host run_host(Op op, Attrs attrs, const std::vector<Host>& operands, DType dtype, Shape shape) {
  Host out{{.op = op, .dtype = dtype, .shape = std::move(shape), .attrs = std::move(attrs)}, nullptr};
  std::vector<const Instruction*> types;
  std::vector<BufferPtr> buffers;
  for (const Host& operand : operands) {
    types.push_back(&operand.type);
    buffers.push_back(operand.buffer);
  }
  out.buffer = run_reference(out.type, types, buffers);
  return out;
}
inline std::vector<double> run_one(Op op, Attrs attrs, const std::vector<Host>& operands, DType dtype, Shape shape) {
  return run_host(op, std::move(attrs), operands, dtype, std::move(shape)).values();
}

// The same doubles; NaN equals NaN.
inline auto same(const std::vector<double>& wanted) {
  return ::testing::Pointwise(::testing::NanSensitiveDoubleEq(), wanted);
}

}  // namespace tessera
