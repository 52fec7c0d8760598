#include "tests/support/host_data.h"

namespace tessera::testing {

Tensor random_tensor(Draw& draw, DType dtype, const Shape& shape, Domain domain) {
  auto buffer = std::make_shared<Buffer>(static_cast<size_t>(shape.numel()) * size_of(dtype));
  for (int64_t i = 0; i < shape.numel(); ++i) {
    if (is_float(dtype)) store_double(buffer->data(), dtype, i, draw.uniform(domain.low, domain.high));
    else if (dtype == boolean) store_int(buffer->data(), dtype, i, draw.below(2));
    else store_int(buffer->data(), dtype, i, is_unsigned(dtype) ? draw.below(10) : draw.below(19) - 9);
  }
  return tensor_from(std::move(buffer), dtype, shape);
}

Tensor random_tensor(Draw& draw, DType storage, DType dtype, const Shape& shape, Domain domain) {
  const BufferPtr stored = random_tensor(draw, storage, shape, domain).node()->value;
  std::vector<double> values;
  values.reserve(static_cast<size_t>(shape.numel()));
  for (int64_t i = 0; i < shape.numel(); ++i) values.push_back(load_double(stored->data(), storage, i));
  return from_doubles(values, dtype, shape);
}

Tensor from_doubles(const std::vector<double>& values, DType dtype, const Shape& shape) {
  auto buffer = std::make_shared<Buffer>(values.size() * size_of(dtype));
  for (size_t i = 0; i < values.size(); ++i) store_double(buffer->data(), dtype, static_cast<int64_t>(i), values[i]);
  return tensor_from(std::move(buffer), dtype, shape);
}

}  // namespace tessera::testing
