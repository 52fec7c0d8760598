#include <tessera/codegen/cuda/contract/mapped.h>

#include "llvm/Support/MathExtras.h"

#include <tessera/codegen/cuda/contract/bounds.h>
#include <tessera/codegen/cuda/contract/window_map.h>

namespace tessera::cuda {

using codegen::Access;

namespace {

constexpr size_t most_dims = 4;  // that the device header has stores of boxes for
constexpr int64_t furthest = int64_t{1} << 39;

// Starts and strides are multiples of `unit`, extents such as maps have.
bool has_lines(const Mapped& tensor, int64_t unit) {
  if (tensor.first < 0 || tensor.first % unit != 0) return false;
  for (size_t d = 0; d < tensor.extents.size(); ++d) {
    const int64_t stride = tensor.strides[d];
    const bool fits = d == 0 ? stride == 1 : stride > 0 && stride % unit == 0 && stride < furthest;
    if (!fits || tensor.extents[d] < 1 || tensor.extents[d] > INT32_MAX) return false;
  }
  return true;
}

// The tensor that `access` walks with neighbours along `inner` and lines along `outer`.
std::optional<Mapped> lines_of(const Contraction& c, const Access& access, Side inner, Side outer, int bytes) {
  if (!access.linear()) return std::nullopt;
  const std::optional<int64_t> inner_stride = stride_along(c, access, inner), line = stride_along(c, access, outer);
  if (inner_stride != 1 || !line) return std::nullopt;
  Mapped made;
  made.first = access.base;
  made.bytes = bytes;
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
  return has_lines(made, 1) ? std::optional(std::move(made)) : std::nullopt;
}

std::optional<Mapped> map_of(const Contraction& c, const Access& access, Side inner, Side outer, int bytes = 2) {
  std::optional<Mapped> made = lines_of(c, access, inner, outer, bytes);
  return made && has_map(*made) ? made : std::nullopt;
}

std::optional<MappedOperand> map_boxes(const Contraction& c, const ContractOperand& operand, Side rows) {
  if (auto along_k = map_of(c, operand.access, c.k, rows)) return MappedOperand{.tensor = std::move(*along_k)};
  if (auto along_rows = map_of(c, operand.access, rows, c.k))
    return MappedOperand{.tensor = std::move(*along_rows), .along_k = false};
  return std::nullopt;
}

std::optional<MappedOperand> map_f32(const Contraction& c, const ContractOperand& operand, Side rows, bool is_thrice) {
  constexpr int bytes = 4;
  MappedOperand made;
  OperandCopy copy{.splits = is_thrice};
  if (auto along_k = lines_of(c, operand.access, c.k, rows, bytes)) copy.from = *along_k;
  else if (auto along_rows = lines_of(c, operand.access, rows, c.k, bytes)) copy.from = *along_rows, copy.turns = true;
  else return std::nullopt;
  made.tensor = copy.has_values() ? copied(copy) : copy.from;
  if (is_thrice) made.rests = copied(copy);
  if (copy.has_values() || is_thrice) made.copy = std::move(copy);
  return made;
}

std::optional<MappedOperands> map_f32_operands(const Contraction& c, bool is_thrice) {
  for (const ContractOperand* operand : {&c.a, &c.b})
    if (!c.stored_type(*operand).isF32() || bounds_of(c.kernel(), operand->argument)) return std::nullopt;
  const Contraction apart = read_contraction(c.kernel(), Joined::never);
  if (apart.k.count() == 0) return std::nullopt;
  auto a = map_f32(apart, apart.a, apart.m, is_thrice), b = map_f32(apart, apart.b, apart.n, is_thrice);
  if (!a || !b) return std::nullopt;
  return MappedOperands{mlir::FloatTF32Type::get(c.kernel()->getContext()), std::move(*a), std::move(*b), c.size(c.k)};
}

Mapped dealt(const Mapped& tensor) {
  const int64_t k = tensor.extents[0], lines = tensor.extents[1], line = tensor.strides[1];
  const int64_t neighbours = dealt_neighbours(tensor.bytes), all = dealt_lines(tensor.bytes);
  const auto [pair, lanes, pairs] = dealt_box(tensor.bytes);
  Mapped made = tensor;
  made.extents = {k, pair, lanes, pairs, lines / all};
  made.strides = {1, line, neighbours * line, pair * line, all * line};
  return made;
}

}  // namespace

Mapped copied(const OperandCopy& copy) {
  const Mapped& from = copy.from;
  const int64_t unit = 16 / from.bytes, k = from.extents[copy.turns ? 1 : 0], rows = from.extents[copy.turns ? 0 : 1];
  Mapped to;
  to.bytes = from.bytes, to.batch = from.batch;
  to.extents = {k, rows}, to.strides = {1, llvm::divideCeilSigned(k, unit) * unit};
  for (size_t d = 2; d < from.extents.size(); ++d) {
    to.strides.push_back(to.strides.back() * to.extents.back());
    to.extents.push_back(from.extents[d]);
  }
  return to;
}

bool has_map(const Mapped& tensor) { return has_lines(tensor, 16 / tensor.bytes); }

bool can_be_dealt(const MappedOperand& operand) {
  return operand.along_k && !operand.tensor.is_window() && operand.taps.empty() && operand.tensor.rank() == 2 &&
         operand.tensor.extents[1] % dealt_lines(operand.tensor.bytes) == 0 && has_map(dealt(operand).tensor);
}

MappedOperand dealt(const MappedOperand& operand) {
  MappedOperand made = operand;
  made.is_dealt = true;
  made.tensor = dealt(operand.tensor);
  if (operand.rests) made.rests = dealt(*operand.rests);
  return made;
}

// `c` has dims that are one for all but the operands, so those are read as they stand.
std::optional<MappedOperands> map_operands(const Contraction& c, F32Products f32) {
  if (!c.sum_type().isF32()) return std::nullopt;
  const mlir::Type element = half_type(c, c.a);
  if (!element && f32 != F32Products::by_fma) return map_f32_operands(c, f32 == F32Products::on_tensor_cores);
  if (!element || element != half_type(c, c.b)) return std::nullopt;
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
  const std::optional<MappedOperands> operands = map_operands(c, F32Products::by_fma);  // windows are of 16 bits
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
  if (!type.isBF16() && !type.isF16() && !type.isF32()) return std::nullopt;
  return map_of(c, c.out[k], c.n, c.m, type.isF32() ? 4 : 2);
}

std::optional<Mapped> map_beside(const Contraction& c, size_t k) {
  const mlir::Type type = c.body().getArgument(static_cast<unsigned>(k)).getType();
  if (!type.isBF16() && !type.isF16()) return std::nullopt;
  return map_of(c, c.in[k], c.n, c.m);
}

}  // namespace tessera::cuda
