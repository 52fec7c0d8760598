// The constraints of structured ops; the labels stand in TsrOps.td.

#include <tessera/ir/tsr/Tsr.h>

#include <array>
#include <map>

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallBitVector.h"

#include <tessera/ir/tsr/Einsum.h>

namespace tessera::tsr {

using llvm::ArrayRef;
using llvm::SmallVector;
using mlir::LogicalResult;
using mlir::success;
using mlir::Value;

namespace {

using Extents = SmallVector<int64_t, 6>;

Extents extents_of(Value x) { return llvm::to_vector<6>(shape_of(x)); }

// What every constraint below comes down to: the result is tensor<shape x element>.
LogicalResult expect(mlir::Operation* op, const char* label, ArrayRef<int64_t> shape, mlir::Type element) {
  auto wanted = mlir::RankedTensorType::get(shape, element);
  if (op->getResult(0).getType() == wanted) return success();
  return op->emitOpError() << label << " gives " << wanted << ", not " << op->getResult(0).getType();
}

LogicalResult expect_dims(mlir::Operation* op, const char* label, ArrayRef<int64_t> dims, int64_t rank) {
  llvm::SmallBitVector seen(static_cast<unsigned>(rank));
  for (int64_t d : dims) {
    if (d < 0 || d >= rank) return op->emitOpError() << label << " dim " << d << " is outside rank " << rank;
    if (seen.test(static_cast<unsigned>(d))) return op->emitOpError() << label << " names dim " << d << " twice";
    seen.set(static_cast<unsigned>(d));
  }
  return success();
}

LogicalResult expect_entries(mlir::Operation* op, size_t wanted, std::initializer_list<size_t> have) {
  for (size_t n : have)
    if (n != wanted) return op->emitOpError() << "(C1) needs " << wanted << " entries in each list, not " << n;
  return success();
}

Extents without(ArrayRef<int64_t> shape, ArrayRef<int64_t> dims) {
  Extents kept;
  for (auto [d, n] : llvm::enumerate(shape))
    if (!llvm::is_contained(dims, static_cast<int64_t>(d))) kept.push_back(n);
  return kept;
}

Extents replaced(ArrayRef<int64_t> shape, int64_t dim, ArrayRef<int64_t> by) {
  Extents out(shape.begin(), shape.end());
  out.erase(out.begin() + dim);
  out.insert(out.begin() + dim, by.begin(), by.end());
  return out;
}

template <class Op> LogicalResult verify_dim_leaves(Op op, mlir::Type element) {
  const int64_t dim = static_cast<int64_t>(op.getDim());
  if (mlir::failed(expect_dims(op, "(C1)", dim, type_of(op.getX()).getRank()))) return mlir::failure();
  return expect(op, "(C1)", without(shape_of(op.getX()), dim), element);
}

// Extents of a windowed tensor, or nothing when a window does not fit.
template <class Op> LogicalResult verify_windows(Op op, Value whole, Value windows) {
  const int64_t rank = type_of(whole).getRank();
  if (mlir::failed(expect_dims(op, "(C1)", op.getDims(), rank)) ||
      mlir::failed(expect_entries(op, op.getDims().size(),
                                  {op.getSize().size(), op.getStride().size(), op.getDilation().size()})))
    return mlir::failure();
  Extents shape = extents_of(whole);
  for (auto [dim, size, stride, dilation] : llvm::zip(op.getDims(), op.getSize(), op.getStride(), op.getDilation())) {
    if (size <= 0 || stride <= 0 || dilation <= 0) return op.emitOpError("(C1) has an entry that is not positive");
    int64_t& n = shape[static_cast<size_t>(dim)];
    const int64_t span = dilation * (size - 1) + 1;
    n = n < span ? 0 : (n - span) / stride + 1;
    shape.push_back(size);
  }
  auto wanted = mlir::RankedTensorType::get(shape, element_of(whole));
  if (windows.getType() == wanted) return success();
  return op.emitOpError() << "(C2) windows of " << whole.getType() << " are " << wanted << ", not "
                          << windows.getType();
}

}  // namespace

LogicalResult IotaOp::verify() {
  return expect_dims(*this, "(C1)", static_cast<int64_t>(getDim()), getY().getType().getRank());
}

LogicalResult RandomOp::verify() {
  mlir::Type element = element_of(getY());
  const bool fits = getKind() == "bits" ? element.isUnsignedInteger(32) : element.isF32();
  if (!fits) return emitOpError() << "(C1) of kind " << getKind() << " cannot give " << element;
  return success();
}

LogicalResult BroadcastOp::verify() {
  ArrayRef<int64_t> from = shape_of(getX()), to = shape_of(getY());
  if (mlir::failed(expect_entries(*this, from.size(), {getDims().size()})) ||
      mlir::failed(expect_dims(*this, "(C1)", getDims(), static_cast<int64_t>(to.size()))))
    return mlir::failure();
  for (auto [n, dim] : llvm::zip(from, getDims()))
    if (n != 1 && n != to[static_cast<size_t>(dim)])
      return emitOpError() << "(C2) extent " << n << " cannot become " << to[static_cast<size_t>(dim)];
  return expect(*this, "(C3)", to, element_of(getX()));
}

LogicalResult ReshapeOp::verify() {
  if (type_of(getX()).getNumElements() != type_of(getY()).getNumElements())
    return emitOpError() << "(C1) " << getX().getType() << " and " << getY().getType() << " differ in size";
  return expect(*this, "(C1)", shape_of(getY()), element_of(getX()));
}

LogicalResult TransposeOp::verify() {
  ArrayRef<int64_t> from = shape_of(getX());
  if (mlir::failed(expect_entries(*this, from.size(), {getDims().size()})) ||
      mlir::failed(expect_dims(*this, "(C1)", getDims(), static_cast<int64_t>(from.size()))))
    return mlir::failure();
  Extents shape;
  for (int64_t d : getDims()) shape.push_back(from[static_cast<size_t>(d)]);
  return expect(*this, "(C2)", shape, element_of(getX()));
}

LogicalResult SliceOp::verify() {
  ArrayRef<int64_t> from = shape_of(getX());
  if (mlir::failed(expect_entries(*this, from.size(), {getStart().size(), getStop().size(), getStep().size()})))
    return mlir::failure();
  Extents shape;
  for (auto [n, start, stop, step] : llvm::zip(from, getStart(), getStop(), getStep())) {
    if (step <= 0 || start < 0 || start > stop || stop > n)
      return emitOpError() << "(C1) cannot take [" << start << ", " << stop << ") by " << step << " of " << n;
    shape.push_back((stop - start + step - 1) / step);
  }
  return expect(*this, "(C2)", shape, element_of(getX()));
}

LogicalResult PadOp::verify() {
  ArrayRef<int64_t> from = shape_of(getX());
  if (mlir::failed(expect_entries(*this, from.size(), {getLow().size(), getHigh().size(), getInterior().size()})))
    return mlir::failure();
  Extents shape;
  for (auto [n, low, high, interior] : llvm::zip(from, getLow(), getHigh(), getInterior())) {
    if (low < 0 || high < 0 || interior < 0) return emitOpError("(C1) has a negative entry");
    shape.push_back(low + n + std::max<int64_t>(n - 1, 0) * interior + high);
  }
  return expect(*this, "(C2)", shape, element_of(getX()));
}

LogicalResult ConcatOp::verify() {
  if (getParts().empty()) return emitOpError("(C1) has no operand");
  Extents shape = extents_of(getParts()[0]);
  const auto dim = static_cast<size_t>(getDim());
  if (mlir::failed(expect_dims(*this, "(C1)", static_cast<int64_t>(dim), static_cast<int64_t>(shape.size()))))
    return mlir::failure();
  int64_t total = 0;
  for (Value part : getParts()) {
    Extents own = extents_of(part);
    if (own.size() == shape.size()) {
      total += own[dim];
      own[dim] = shape[dim];
    }
    if (own != shape)
      return emitOpError() << "(C1) cannot join " << part.getType() << " to " << getParts()[0].getType();
  }
  shape[dim] = total;
  return expect(*this, "(C2)", shape, element_of(getParts()[0]));
}

LogicalResult ReverseOp::verify() { return expect_dims(*this, "(C1)", getDims(), type_of(getX()).getRank()); }

LogicalResult GatherOp::verify() {
  const int64_t dim = static_cast<int64_t>(getDim());
  if (mlir::failed(expect_dims(*this, "(C1)", dim, type_of(getX()).getRank()))) return mlir::failure();
  return expect(*this, "(C2)", replaced(shape_of(getX()), dim, shape_of(getIndices())), element_of(getX()));
}

LogicalResult ScatterOp::verify() {
  const int64_t dim = static_cast<int64_t>(getDim());
  if (mlir::failed(expect_dims(*this, "(C1)", dim, type_of(getBase()).getRank()))) return mlir::failure();
  auto wanted =
      mlir::RankedTensorType::get(replaced(shape_of(getBase()), dim, shape_of(getIndices())), element_of(getBase()));
  if (getUpdates().getType() != wanted)
    return emitOpError() << "(C1) updates must be " << wanted << ", not " << getUpdates().getType();
  return expect(*this, "(C2)", shape_of(getBase()), element_of(getBase()));
}

LogicalResult DynamicSliceOp::verify() {
  ArrayRef<int64_t> from = shape_of(getX()), to = shape_of(getY());
  if (mlir::failed(expect_entries(*this, from.size(), {getStart().size(), to.size()}))) return mlir::failure();
  for (auto [n, size] : llvm::zip(from, to))
    if (size > n) return emitOpError() << "(C1) " << size << " elements do not fit into " << n;
  return expect(*this, "(C1)", to, element_of(getX()));
}

LogicalResult DynamicUpdateSliceOp::verify() {
  ArrayRef<int64_t> whole = shape_of(getX()), part = shape_of(getUpdate());
  if (mlir::failed(expect_entries(*this, whole.size(), {getStart().size(), part.size()}))) return mlir::failure();
  for (auto [n, size] : llvm::zip(whole, part))
    if (size > n) return emitOpError() << "(C1) " << size << " elements do not fit into " << n;
  if (element_of(getUpdate()) != element_of(getX())) return emitOpError("(C1) update has another dtype");
  return expect(*this, "(C1)", whole, element_of(getX()));
}

LogicalResult ReduceOp::verify() {
  if (mlir::failed(expect_dims(*this, "(C1)", getDims(), type_of(getX()).getRank()))) return mlir::failure();
  if (!llvm::is_sorted(getDims())) return emitOpError("(C1) dims are not sorted");
  return expect(*this, "(C2)", without(shape_of(getX()), getDims()), element_of(getX()));
}

LogicalResult ArgMaxOp::verify() { return verify_dim_leaves(*this, mlir::IntegerType::get(getContext(), 64)); }
LogicalResult ArgMinOp::verify() { return verify_dim_leaves(*this, mlir::IntegerType::get(getContext(), 64)); }
LogicalResult LogSumExpOp::verify() { return verify_dim_leaves(*this, element_of(getX())); }

LogicalResult ScanOp::verify() {
  return expect_dims(*this, "(C1)", static_cast<int64_t>(getDim()), type_of(getX()).getRank());
}
LogicalResult SoftmaxOp::verify() {
  return expect_dims(*this, "(C1)", static_cast<int64_t>(getDim()), type_of(getX()).getRank());
}

LogicalResult ArgSortOp::verify() {
  if (mlir::failed(expect_dims(*this, "(C1)", static_cast<int64_t>(getDim()), type_of(getX()).getRank())))
    return mlir::failure();
  return expect(*this, "(C1)", shape_of(getX()), mlir::IntegerType::get(getContext(), 64));
}

LogicalResult VarianceOp::verify() {
  if (mlir::failed(expect_dims(*this, "(C1)", getDims(), type_of(getX()).getRank()))) return mlir::failure();
  return expect(*this, "(C1)", without(shape_of(getX()), getDims()), element_of(getX()));
}

LogicalResult WindowOp::verify() { return verify_windows(*this, getX(), getY()); }
LogicalResult FoldOp::verify() { return verify_windows(*this, getY(), getX()); }

LogicalResult ContractOp::verify() {
  const std::optional<Einsum> words = parse_einsum(std::string_view(getEinsum()));
  if (!words) return emitOpError() << "(C1) cannot read the einsum \"" << getEinsum() << '"';
  std::map<char, int64_t> extents;
  const std::array<std::pair<const std::string*, Value>, 3> tensors = {
      {{&words->a, getA()}, {&words->b, getB()}, {&words->out, getY()}}};
  for (const auto& [word, tensor] : tensors) {
    if (word->size() != shape_of(tensor).size())
      return emitOpError() << "(C1) \"" << *word << "\" does not name the dims of " << tensor.getType();
    for (auto [letter, n] : llvm::zip(*word, shape_of(tensor)))
      if (auto [at, is_new] = extents.try_emplace(letter, n); !is_new && at->second != n)
        return emitOpError() << "(C2) letter " << std::string(1, letter) << " is " << at->second << " and " << n;
    if (element_of(tensor) != element_of(getA())) return emitOpError("(C3) operands and result differ in dtype");
  }
  for (mlir::Attribute text : getWindows()) {
    const auto relation = parse_relation(llvm::cast<mlir::StringAttr>(text).getValue());
    if (!relation || !extents.contains(relation->in) || !extents.contains(relation->out) ||
        !extents.contains(relation->tap) || relation->stride <= 0 || relation->dilation <= 0)
      return emitOpError() << "(C4) " << text << " is no relation between letters of the einsum";
  }
  return success();
}

}  // namespace tessera::tsr
