#include <tessera/core/shape.h>

#include <algorithm>

namespace tessera {

int64_t Shape::numel() const {
  int64_t n = 1;
  for (int64_t d : dims_) n *= d;
  return n;
}

std::string Shape::str() const {
  std::string out = "[";
  for (size_t i = 0; i < dims_.size(); ++i) out += (i ? ", " : "") + std::to_string(dims_[i]);
  return out + "]";
}

Dims row_major_strides(const Shape& shape) {
  Dims strides(static_cast<size_t>(shape.rank()));
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[static_cast<size_t>(i)] = step;
    step *= shape[i];
  }
  return strides;
}

std::optional<Shape> broadcast(const Shape& a, const Shape& b) {
  int rank = std::max(a.rank(), b.rank());
  Dims out(static_cast<size_t>(rank));
  for (int i = 1; i <= rank; ++i) {
    int64_t x = i <= a.rank() ? a[-i] : 1, y = i <= b.rank() ? b[-i] : 1;
    if (x != y && x != 1 && y != 1) return std::nullopt;
    out[static_cast<size_t>(rank - i)] = x == 1 ? y : x;
  }
  return Shape(std::move(out));
}

}  // namespace tessera
