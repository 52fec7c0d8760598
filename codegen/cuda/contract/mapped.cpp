#include <tessera/codegen/cuda/contract/mapped.h>

#include <tessera/codegen/cuda/contract/schedule.h>

namespace tessera::cuda {

using codegen::Access;

namespace {

constexpr int64_t unit = 8;      // elements in the 16 bytes that every start and stride is a multiple of
constexpr size_t most_dims = 4;  // that the device header has copies for
constexpr int64_t furthest = int64_t{1} << 39;

// The tensor that `access` walks with neighbours along `inner` and lines along `outer`.
std::optional<Mapped> map_of(const Contraction& c, const Access& access, Side inner, Side outer) {
  if (!access.linear() || inner.count() != 1 || outer.count() != 1) return std::nullopt;
  if (access.base < 0 || access.base % unit != 0) return std::nullopt;
  Mapped made;
  made.first = access.base;
  std::vector<int> dims{inner.begin, outer.begin};
  for (int d = c.batch.end; d-- > c.batch.begin;) dims.push_back(d), made.batch.push_back(d);
  if (dims.size() > most_dims) return std::nullopt;
  for (int d = 0; d < static_cast<int>(c.extent.size()); ++d) {
    const int64_t stride = access.stride[static_cast<size_t>(d)];
    if (!llvm::is_contained(dims, d) && stride != 0) return std::nullopt;
  }
  for (int d : dims) {
    const int64_t stride = access.stride[static_cast<size_t>(d)], extent = c.extent[static_cast<size_t>(d)];
    const bool fits = d == inner.begin ? stride == 1 : stride > 0 && stride % unit == 0 && stride < furthest;
    if (!fits || extent > INT32_MAX) return std::nullopt;
    made.extents.push_back(extent), made.strides.push_back(stride);
  }
  return made;
}

std::optional<MappedOperand> map_operand(const Contraction& c, const ContractOperand& operand, Side rows) {
  if (auto along_k = map_of(c, operand.access, c.k, rows)) return MappedOperand{std::move(*along_k), true};
  if (auto along_rows = map_of(c, operand.access, rows, c.k)) return MappedOperand{std::move(*along_rows), false};
  return std::nullopt;
}

}  // namespace

std::optional<MappedOperands> map_operands(const Contraction& c) {
  const mlir::Type element = half_type(c, c.a);
  if (!element || element != half_type(c, c.b) || !c.sum_type().isF32()) return std::nullopt;
  auto a = map_operand(c, c.a, c.m), b = map_operand(c, c.b, c.n);
  if (!a || !b) return std::nullopt;
  return MappedOperands{element, std::move(*a), std::move(*b)};
}

std::optional<Mapped> map_result(const Contraction& c, unsigned k) {
  mlir::Type type = mlir::cast<mlir::RankedTensorType>(c.kernel()->getResult(k).getType()).getElementType();
  if (!type.isBF16() && !type.isF16()) return std::nullopt;
  return map_of(c, c.out[k], c.n, c.m);
}

}  // namespace tessera::cuda
