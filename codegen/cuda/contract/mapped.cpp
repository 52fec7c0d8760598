#include <tessera/codegen/cuda/contract/mapped.h>

#include <tessera/codegen/cuda/contract/bounds.h>
#include <tessera/codegen/cuda/contract/schedule.h>
#include <tessera/codegen/cuda/contract/window_map.h>

namespace tessera::cuda {

using codegen::Access;

namespace {

constexpr size_t most_dims = 4;  // that the device header has stores of boxes for
constexpr int64_t furthest = int64_t{1} << 39;

// The tensor that `access` walks with neighbours along `inner` and lines along `outer`.
std::optional<Mapped> map_of(const Contraction& c, const Access& access, Side inner, Side outer) {
  if (!access.linear()) return std::nullopt;
  const std::optional<int64_t> inner_stride = stride_along(c, access, inner), line = stride_along(c, access, outer);
  if (inner_stride != 1 || !line) return std::nullopt;
  Mapped made;
  made.first = access.base;
  made.extents = {c.size(inner), c.size(outer)}, made.strides = {1, *line};
  for (int d = c.batch.end; d-- > c.batch.begin;) {
    made.extents.push_back(c.extent[static_cast<size_t>(d)]),
        made.strides.push_back(access.stride[static_cast<size_t>(d)]);
    made.batch.push_back(d);
  }
  if (made.extents.size() > most_dims) return std::nullopt;
  for (int d = c.batch.end; d < static_cast<int>(c.extent.size()); ++d) {
    const bool is_walked = (d >= inner.begin && d < inner.end) || (d >= outer.begin && d < outer.end);
    if (!is_walked && access.stride[static_cast<size_t>(d)] != 0) return std::nullopt;
  }
  return has_map(made) ? std::optional(std::move(made)) : std::nullopt;
}

std::optional<MappedOperand> map_boxes(const Contraction& c, const ContractOperand& operand, Side rows) {
  if (auto along_k = map_of(c, operand.access, c.k, rows)) return MappedOperand{.tensor = std::move(*along_k)};
  if (auto along_rows = map_of(c, operand.access, rows, c.k))
    return MappedOperand{.tensor = std::move(*along_rows), .along_k = false};
  return std::nullopt;
}

}  // namespace

bool has_map(const Mapped& tensor) {
  if (tensor.first < 0 || tensor.first % mapped_unit != 0) return false;
  for (size_t d = 0; d < tensor.extents.size(); ++d) {
    const int64_t stride = tensor.strides[d];
    const bool fits = d == 0 ? stride == 1 : stride > 0 && stride % mapped_unit == 0 && stride < furthest;
    if (!fits || tensor.extents[d] < 1 || tensor.extents[d] > INT32_MAX) return false;
  }
  return true;
}

bool can_be_dealt(const MappedOperand& operand) {
  return operand.along_k && !operand.tensor.is_window() && operand.taps.empty() && operand.tensor.rank() == 2 &&
         operand.tensor.extents[1] % dealt_lines == 0 && has_map(dealt(operand).tensor);
}

MappedOperand dealt(const MappedOperand& operand) {
  const int64_t k = operand.tensor.extents[0], lines = operand.tensor.extents[1], line = operand.tensor.strides[1];
  MappedOperand made = operand;
  made.is_dealt = true;
  made.tensor.extents = {k, dealt_box[0], dealt_box[1], dealt_box[2], lines / dealt_lines};
  made.tensor.strides = {1, line, 8 * line, 2 * line, dealt_lines * line};
  return made;
}

// `c` has dims that are one for all but the operands, so those are read as they stand.
std::optional<MappedOperands> map_operands(const Contraction& c) {
  const mlir::Type element = half_type(c, c.a);
  if (!element || element != half_type(c, c.b) || !c.sum_type().isF32()) return std::nullopt;
  const Contraction apart = read_contraction(c.kernel(), Joined::never);
  if (apart.k.count() == 0) return std::nullopt;
  const bool has_bounds = bounds_of(c.kernel(), c.a.argument) || bounds_of(c.kernel(), c.b.argument);
  if (!has_bounds) {
    auto a = map_boxes(apart, apart.a, apart.m), b = map_boxes(apart, apart.b, apart.n);
    if (a && b) return MappedOperands{element, std::move(*a), std::move(*b), c.size(c.k)};
  }
  if (auto found = map_window(apart, apart.a, apart.m, apart.b, apart.n))
    return MappedOperands{element,  std::move(found->window), std::move(found->other),
                          found->k, found->channels,          found->columns};
  if (auto found = map_window(apart, apart.b, apart.n, apart.a, apart.m))
    return MappedOperands{element,  std::move(found->other), std::move(found->window),
                          found->k, found->channels,         found->columns};
  return std::nullopt;
}

// Where tiles have columns filled up, those of one tap are a dim of their own.
Contraction read_mapped(fuse::KernelOp kernel) {
  Contraction c = read_contraction(kernel, Joined::where_results_alike);
  const std::optional<MappedOperands> operands = map_operands(c);
  if (!operands || operands->columns == 0 || c.n.count() != 1) return c;
  const auto n = static_cast<std::ptrdiff_t>(c.n.begin);
  auto split = [&](Access& access) {
    if (!access.stride.empty())
      access.stride.insert(access.stride.begin() + n, access.stride[static_cast<size_t>(n)] * operands->columns);
  };
  split(c.a.access), split(c.b.access);
  for (std::vector<Access>* accesses : {&c.in, &c.out, &c.index}) llvm::for_each(*accesses, split);
  c.extent.insert(c.extent.begin() + n, c.extent[static_cast<size_t>(n)] / operands->columns);
  c.extent[static_cast<size_t>(n) + 1] = operands->columns;
  ++c.n.end, ++c.k.begin, ++c.k.end;
  return c;
}

std::optional<Mapped> map_result(const Contraction& c, unsigned k) {
  mlir::Type type = mlir::cast<mlir::RankedTensorType>(c.kernel()->getResult(k).getType()).getElementType();
  if (!type.isBF16() && !type.isF16()) return std::nullopt;
  return map_of(c, c.out[k], c.n, c.m);
}

}  // namespace tessera::cuda
