#pragma once
// Tensor: a cheap, immutable handle to a recorded value (D1). Nothing runs when an op is called: shapes and dtypes
// are checked, a node is appended. Reading (item, to_vector, printing) runs the compiler and the program.
//
// A read computes every value that a handle still holds; a computed value is a leaf and its history is released.
// Recording is per thread; a Tensor may be read from any thread once it is computed.

#include <concepts>
#include <cstring>
#include <iosfwd>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tessera/core/node.h>

namespace tessera {

class Tensor {
 public:
  Tensor() = default;  // no value: valid() is false and every use throws
  explicit Tensor(NodePtr node);
  Tensor(const Tensor&);
  Tensor(Tensor&&) noexcept;
  Tensor& operator=(const Tensor&);
  Tensor& operator=(Tensor&&) noexcept;
  ~Tensor();

  bool valid() const { return node_ != nullptr; }
  const Shape& shape() const { return node()->shape; }
  DType dtype() const { return node()->dtype; }
  int rank() const { return shape().rank(); }
  int64_t size(int dim) const { return shape()[dim]; }
  int64_t numel() const { return shape().numel(); }

  // Reading. Each computes the value first if needed.
  template <class T> T item(Loc at = Loc::here()) const;                    // one element
  template <class T> std::vector<T> to_vector(Loc at = Loc::here()) const;  // all, row-major, converted to T
  BufferPtr buffer(Loc at = Loc::here()) const;                             // raw storage in dtype()
  const Tensor& eval(Loc at = Loc::here()) const;

  const NodePtr& node() const;  // throws ValueError when !valid()

 private:
  NodePtr node_;
};

void eval(std::span<const Tensor> tensors, Loc at = Loc::here());  // several in one program
// The values, at most a few hundred of them. Streams are fed on the caller's side: a program and the library may each
// have a standard library of their own.
std::string str(const Tensor&, Loc at = Loc::here());
// What is given to a stream, with the caller's line, since printing reads.
class Printed {
 public:
  Printed(const Tensor& tensor, Loc at = Loc::here()) : text_(tessera::str(tensor, at)) {}
  Printed(const State& state, Loc at = Loc::here());
  const std::string& str() const { return text_; }

 private:
  std::string text_;
};
inline std::ostream& operator<<(std::ostream& out, const Printed& printed) { return out << printed.str(); }

// An argument of an op: a tensor, a State, or a number, with the caller's line. Numbers are weak (D18): they take the
// dtype of the tensor they meet; a float that meets an integer tensor makes both f32.
class Operand {
 public:
  Operand(Tensor tensor, Loc at = Loc::here()) : tensor_(std::move(tensor)), at_(at) {}
  Operand(const State& state, Loc at = Loc::here());
  template <class T>
  requires std::is_arithmetic_v<T>
  Operand(T number, Loc at = Loc::here()) : is_number_(true), at_(at) {
    if constexpr (std::is_floating_point_v<T>) number_ = static_cast<double>(number);
    else number_ = static_cast<int64_t>(number);
  }

  bool is_number() const { return is_number_; }
  const Number& number() const { return number_; }
  const Tensor& tensor() const { return tensor_; }  // Requires: !is_number()
  Loc at() const { return at_; }

 private:
  Tensor tensor_;
  Number number_ = int64_t{0};
  bool is_number_ = false;
  Loc at_;
};

// Making tensors from host data. The data is copied.
Tensor tensor_from(const void* data, DType, Shape, Loc at = Loc::here());
Tensor tensor_from(BufferPtr, DType, Shape, Loc at = Loc::here());  // shares the buffer; do not write to it afterwards
template <class T>
Tensor tensor(const std::vector<T>& data, Shape shape, Loc at = Loc::here());
template <class T>
Tensor tensor(std::initializer_list<T> data, Loc at = Loc::here());  // rank 1

// ---- inline ----

// Copies `count` elements of `buffer` (of `from`) to `to`, converting.
void read_elements(const Buffer& buffer, DType from, void* to, DType to_type, int64_t count);
void check_item(const Tensor&, Loc at);  // ValueError unless exactly one element

template <class T> T Tensor::item(Loc at) const {
  check_item(*this, at);
  T out{};
  read_elements(*buffer(at), dtype(), &out, dtype_of_v<T>, 1);
  return out;
}
template <class T> std::vector<T> Tensor::to_vector(Loc at) const {
  static_assert(!std::is_same_v<T, bool>, "read a bool tensor as uint8_t: std::vector<bool> has no data()");
  const BufferPtr from = buffer(at);
  std::vector<T> out(static_cast<size_t>(numel()));
  read_elements(*from, dtype(), out.data(), dtype_of_v<T>, numel());
  return out;
}
void check_data_size(int64_t have, const Shape&, Loc at);  // ShapeError when data and shape differ
template <class T> Tensor tensor(const std::vector<T>& data, Shape shape, Loc at) {
  static_assert(!std::is_same_v<T, bool>, "give bool data as std::vector<uint8_t> and cast");
  check_data_size(static_cast<int64_t>(data.size()), shape, at);
  return tensor_from(data.data(), dtype_of_v<T>, std::move(shape), at);
}
template <class T> Tensor tensor(std::initializer_list<T> data, Loc at) {
  return tensor_from(data.begin(), dtype_of_v<T>, Shape{static_cast<int64_t>(data.size())}, at);
}

}  // namespace tessera
