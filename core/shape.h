#pragma once
// Shape: the logical extents of a tensor, outermost first. Tensors are dense and row-major (D14), so strides are
// never stored: row_major_strides() derives them where code needs addresses.
//
// Broadcasting follows NumPy: align shapes at the right, an extent of 1 stretches to meet the other.
//   [8, 1, 6] with [7, 1]  gives [8, 7, 6]
//   []        with [4, 3]  gives [4, 3]
//   [3]       with [4]     is an error

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace tessera {

using Dims = std::vector<int64_t>;

class Shape {
 public:
  Shape() = default;  // rank 0: a scalar
  Shape(std::initializer_list<int64_t> dims) : dims_(dims) {}
  Shape(Dims dims) : dims_(std::move(dims)) {}

  int rank() const { return static_cast<int>(dims_.size()); }
  int64_t operator[](int dim) const { return dims_[static_cast<size_t>(dim < 0 ? dim + rank() : dim)]; }
  int64_t& operator[](int dim) { return dims_[static_cast<size_t>(dim < 0 ? dim + rank() : dim)]; }
  int64_t numel() const;
  const Dims& dims() const { return dims_; }
  auto begin() const { return dims_.begin(); }
  auto end() const { return dims_.end(); }
  std::string str() const;  // "[8, 128, 512]"
  bool operator==(const Shape&) const = default;

 private:
  Dims dims_;
};

Dims row_major_strides(const Shape&);                        // in elements
std::optional<Shape> broadcast(const Shape&, const Shape&);  // nullopt when they do not meet
inline std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.str(); }

}  // namespace tessera
