#include <tessera/codegen/cuda/contract/bounds.h>

#include <algorithm>

#include "llvm/ADT/SetVector.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"

#include <tessera/codegen/cuda/contract/contraction.h>

namespace tessera::cuda {

using codegen::Access;
using codegen::Form;

namespace {

// Numbers of one operand: which, the origin, then extent, stride and first coordinate of each dim.
constexpr const char* attribute = "tessera.bounds";

// What a value is but for widening it and rounding it back.
mlir::Value before_widening(mlir::Value value) {
  auto rounded = value.getDefiningOp<mlir::arith::TruncFOp>();
  auto widened = rounded ? rounded.getIn().getDefiningOp<mlir::arith::ExtFOp>() : mlir::arith::ExtFOp();
  return widened && widened.getIn().getType() == value.getType() ? widened.getIn() : value;
}

bool fills_with_zeros(mlir::Value value) {
  auto kernel = value.getDefiningOp<fuse::KernelOp>();
  if (!kernel || !kernel.getInputs().empty() || kernel.getNumResults() != 1) return false;
  mlir::Value filled = kernel.getBody().front().getTerminator()->getOperand(0);
  if (auto rounded = filled.getDefiningOp<mlir::arith::TruncFOp>()) filled = rounded.getIn();
  return mlir::matchPattern(filled, mlir::m_AnyZeroFloat());
}

// A kernel that copies a tensor into zeros, a dim of the one for a dim of the other.
struct Padding {
  mlir::Value source;
  std::vector<int64_t> shape, pitch;  // of the padded tensor: extents, strides
  int64_t origin = 0;                 // of the source
  std::vector<BoundedDim> dims;       // of the source, for each dim of the padded one; `first` is that of its element 0
};

std::optional<Padding> read_padding(mlir::Value value) {
  auto kernel = value.getDefiningOp<fuse::KernelOp>();
  if (!kernel || kernel.getNumResults() != 1 || kernel.getInputs().size() != 1 || !kernel.getInitOf())
    return std::nullopt;
  if ((*kernel.getInitOf())[0] < 0 || !fills_with_zeros(kernel.getInits()[0])) return std::nullopt;
  mlir::Block& body = kernel.getBody().front();
  if (before_widening(body.getTerminator()->getOperand(0)) != body.getArgument(0)) return std::nullopt;
  const Form form = codegen::read_form(kernel);
  const Access &from = form.in[0], &to = form.out[0];
  if (!from.linear() || !to.linear()) return std::nullopt;
  Padding made{.source = kernel.getInputs()[0], .shape = {}, .pitch = {}, .origin = from.base, .dims = {}};
  made.shape = mlir::cast<mlir::RankedTensorType>(value.getType()).getShape().vec();
  const auto pitch = mlir::computeSuffixProduct(made.shape);
  made.pitch.assign(pitch.begin(), pitch.end());
  size_t found = 0;
  for (size_t t = 0; t < made.shape.size(); ++t) {
    BoundedDim& dim = made.dims.emplace_back();
    dim.first = -(to.base / made.pitch[t] % made.shape[t]);
    if (made.shape[t] == 1) continue;
    for (size_t d = 0; d < form.extent.size(); ++d)
      if (to.stride[d] == made.pitch[t] && form.extent[d] > 1)
        dim.extent = form.extent[d], dim.stride = from.stride[d], ++found;
    if (dim.extent == 1) return std::nullopt;
  }
  const auto several = llvm::count_if(form.extent, [](int64_t extent) { return extent > 1; });
  return found == static_cast<size_t>(several) ? std::optional(std::move(made)) : std::nullopt;
}

// An access to the padded tensor as one to the source, and where its point 0 is.
struct Moved {
  Access access;
  Bounds bounds;
};

std::optional<Moved> move_access(const Padding& padding, const Access& access, llvm::ArrayRef<int64_t> extents) {
  if (!access.linear() || access.base < 0) return std::nullopt;
  Moved made;
  made.bounds.origin = made.access.base = padding.origin;
  std::vector<int64_t> last(padding.shape.size());  // coordinates of the furthest point
  for (size_t t = 0; t < padding.shape.size(); ++t) {
    BoundedDim dim = padding.dims[t];
    last[t] = access.base / padding.pitch[t] % padding.shape[t];
    dim.first += last[t];
    made.access.base += dim.first * dim.stride;
    made.bounds.dims.push_back(dim);
  }
  made.access.stride.assign(extents.size(), 0);
  for (size_t d = 0; d < extents.size(); ++d) {
    const int64_t stride = access.stride[d];
    if (stride == 0 || extents[d] == 1) continue;
    size_t t = 0;
    while (t < padding.shape.size() && (padding.shape[t] == 1 || stride % padding.pitch[t] != 0)) ++t;
    if (t == padding.shape.size() || stride < 0) return std::nullopt;
    last[t] += (extents[d] - 1) * (stride / padding.pitch[t]);
    made.access.stride[d] = stride / padding.pitch[t] * padding.dims[t].stride;
  }
  for (size_t t = 0; t < padding.shape.size(); ++t)
    if (last[t] >= padding.shape[t]) return std::nullopt;
  std::erase_if(made.bounds.dims, [](const BoundedDim& dim) { return dim.extent == 1 && dim.first == 0; });
  std::ranges::stable_sort(made.bounds.dims, std::greater(), &BoundedDim::stride);
  return made;
}

mlir::AffineMap map_of(const Access& access, mlir::MLIRContext* context) {
  mlir::AffineExpr sum = mlir::getAffineConstantExpr(access.base, context);
  for (unsigned d = 0; d < access.stride.size(); ++d)
    if (access.stride[d] != 0) sum = sum + mlir::getAffineDimExpr(d, context) * access.stride[d];
  return mlir::AffineMap::get(static_cast<unsigned>(access.stride.size()), 0, sum, context);
}

void read_source(fuse::KernelOp kernel, unsigned k, const Padding& padding, const Moved& moved) {
  mlir::OpBuilder b(kernel);
  std::vector<int64_t> numbers{k, moved.bounds.origin};
  for (const BoundedDim& dim : moved.bounds.dims)
    for (int64_t x : {dim.extent, dim.stride, dim.first}) numbers.push_back(x);
  auto all = llvm::to_vector(kernel->hasAttr(attribute) ? kernel->getAttrOfType<mlir::ArrayAttr>(attribute).getValue()
                                                        : llvm::ArrayRef<mlir::Attribute>());
  all.push_back(b.getDenseI64ArrayAttr(numbers));
  kernel->setAttr(attribute, b.getArrayAttr(all));
  auto maps = llvm::to_vector(kernel.getInMaps().getValue());
  maps[k] = mlir::AffineMapAttr::get(map_of(moved.access, b.getContext()));
  kernel.setInMapsAttr(b.getArrayAttr(maps));
  kernel.getInputsMutable()[k].assign(padding.source);
}

// Nothing but the product reads this input.
bool is_operand_alone(const Contraction& c, unsigned k) {
  return llvm::all_of(c.body().getArgument(k).getUsers(), [&](mlir::Operation* op) {
    return op == c.contract_op || op->use_empty() || llvm::is_contained(c.a.widening, op) ||
           llvm::is_contained(c.b.widening, op);
  });
}

}  // namespace

std::optional<Bounds> bounds_of(fuse::KernelOp kernel, unsigned input) {
  auto all = kernel->getAttrOfType<mlir::ArrayAttr>(attribute);
  if (!all) return std::nullopt;
  for (mlir::Attribute one : all) {
    llvm::ArrayRef<int64_t> numbers = mlir::cast<mlir::DenseI64ArrayAttr>(one).asArrayRef();
    if (numbers[0] != input) continue;
    Bounds made{numbers[1], {}};
    for (size_t i = 2; i < numbers.size(); i += 3) made.dims.push_back({numbers[i], numbers[i + 1], numbers[i + 2]});
    return made;
  }
  return std::nullopt;
}

Bounds bounds_of_shape(llvm::ArrayRef<int64_t> shape, int64_t base) {
  Bounds made;
  const llvm::SmallVector<int64_t> strides = mlir::computeSuffixProduct(shape);
  for (size_t t = 0; t < shape.size(); ++t)
    if (shape[t] > 1) made.dims.push_back({shape[t], strides[t], base / strides[t] % shape[t]});
  return made;
}

void read_beyond_ends(mlir::func::FuncOp function, const std::function<bool(fuse::KernelOp)>& can) {
  llvm::SetVector<mlir::Operation*> left;  // paddings that somebody read
  for (fuse::KernelOp kernel : function.getOps<fuse::KernelOp>()) {
    if (kernel.getBody().getOps<fuse::ContractOp>().empty()) continue;
    const Contraction c = read_contraction(kernel);
    for (unsigned k : {c.a.argument, c.b.argument}) {
      const mlir::Value padded = kernel.getInputs()[k];
      const std::optional<Padding> padding = read_padding(padded);
      if (!padding || !is_operand_alone(c, k)) continue;
      const Form form = codegen::read_form(kernel);
      const std::optional<Moved> moved = move_access(*padding, form.in[k], form.extent);
      if (!moved) continue;
      const mlir::ArrayAttr maps = kernel.getInMapsAttr();
      const mlir::Attribute bounds = kernel->getAttr(attribute);
      read_source(kernel, k, *padding, *moved);
      if (can(kernel)) {
        left.insert(padded.getDefiningOp());
        continue;
      }
      kernel.getInputsMutable()[k].assign(padded);
      kernel.setInMapsAttr(maps);
      if (bounds) kernel->setAttr(attribute, bounds);
      else kernel->removeAttr(attribute);
    }
  }
  for (mlir::Operation* padding : left) {
    if (!padding->use_empty()) continue;
    mlir::Operation* zeros = mlir::cast<fuse::KernelOp>(padding).getInits()[0].getDefiningOp();
    padding->erase();
    if (zeros->use_empty()) zeros->erase();
  }
}

}  // namespace tessera::cuda
