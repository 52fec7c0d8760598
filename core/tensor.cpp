#include <tessera/core/tensor.h>

#include <tessera/core/convert.h>
#include <tessera/core/error.h>
#include <tessera/core/evaluate.h>
#include <tessera/core/state.h>

namespace tessera {
namespace {

[[noreturn]] void throw_empty(Loc at) {
  throw ValueError({.code = "T-V002",
                    .fault = "use of an empty Tensor",
                    .at = at,
                    .hint = "it was default-constructed or moved from"});
}

}  // namespace

Tensor::Tensor(NodePtr node) : node_(std::move(node)) {
  if (node_) node_->handles.fetch_add(1, std::memory_order_relaxed);
}
Tensor::Tensor(const Tensor& other) : Tensor(other.node_) {}
Tensor::Tensor(Tensor&& other) noexcept : node_(std::move(other.node_)) {}
Tensor& Tensor::operator=(const Tensor& other) { return *this = Tensor(other); }
Tensor& Tensor::operator=(Tensor&& other) noexcept {
  std::swap(node_, other.node_);
  return *this;
}
Tensor::~Tensor() {
  if (node_) node_->handles.fetch_sub(1, std::memory_order_relaxed);
}

const NodePtr& Tensor::node() const {
  if (!node_) throw_empty({});
  return node_;
}

BufferPtr Tensor::buffer(Loc at) const {
  eval(at);
  return node_->value;
}

const Tensor& Tensor::eval(Loc at) const {
  if (!node_) throw_empty(at);
  if (!node_->value) evaluate({node_}, at);
  return *this;
}

void eval(std::span<const Tensor> tensors, Loc at) {
  std::vector<NodePtr> nodes;
  for (const Tensor& t : tensors) nodes.push_back(t.node());
  evaluate(nodes, at);
}

Operand::Operand(const State& state, Loc at) : tensor_(state.value()), at_(at) {}

Tensor tensor_from(const void* data, DType dtype, Shape shape, Loc at) {
  auto buffer = std::make_shared<Buffer>(static_cast<size_t>(shape.numel()) * size_of(dtype));
  if (buffer->bytes()) std::memcpy(buffer->data(), data, buffer->bytes());
  return tensor_from(std::move(buffer), dtype, std::move(shape), at);
}

Tensor tensor_from(BufferPtr buffer, DType dtype, Shape shape, Loc at) {
  check_data_size(static_cast<int64_t>(buffer->bytes() / size_of(dtype)), shape, at);
  auto node = std::make_shared<Node>();
  node->dtype = dtype;
  node->shape = std::move(shape);
  node->at = at;
  node->scope = current_scope();
  node->value = std::move(buffer);
  return Tensor(std::move(node));
}

void read_elements(const Buffer& buffer, DType from, void* to, DType to_type, int64_t count) {
  convert(buffer.data(), from, to, to_type, count);
}

void check_item(const Tensor& t, Loc at) {
  if (!t.valid()) throw_empty(at);
  if (t.numel() == 1) return;
  throw ShapeError({.code = "T-S001",
                    .fault = "item() needs one element, the tensor has " + std::to_string(t.numel()),
                    .at = at,
                    .operands = {{"tensor", describe(*t.node())}},
                    .hint = "to_vector<T>() reads all elements"});
}

void check_data_size(int64_t have, const Shape& shape, Loc at) {
  for (int64_t extent : shape)
    if (extent < 0)
      throw ShapeError({.code = "T-S002",
                        .fault = "negative extent in shape " + shape.str(),
                        .at = at,
                        .hint = "extents are 0 or more"});
  if (have == shape.numel()) return;
  throw ShapeError({.code = "T-S003",
                    .fault = "shape " + shape.str() + " has " + std::to_string(shape.numel()) +
                             " elements, the data has " + std::to_string(have),
                    .at = at,
                    .hint = "give one number per element, in row-major order"});
}

}  // namespace tessera
