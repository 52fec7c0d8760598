#include <tessera/codegen/cuda/contract/epilogue.h>

#include "llvm/ADT/DenseSet.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

#include <tessera/core/error.h>
#include <tessera/core/shape.h>

namespace tessera::cuda {
namespace {

using codegen::Access;

// base + Σ stride · dim over `dims` dims, of which the access may walk fewer.
mlir::AffineMap map_of(int64_t base, llvm::ArrayRef<int64_t> stride, size_t dims, mlir::OpBuilder& b) {
  mlir::AffineExpr sum = b.getAffineConstantExpr(base);
  for (size_t d = 0; d < std::min(dims, stride.size()); ++d)
    if (stride[d] != 0) sum = sum + b.getAffineDimExpr(static_cast<unsigned>(d)) * stride[d];
  return mlir::AffineMap::get(static_cast<unsigned>(dims), 0, sum, b.getContext());
}

class Maker {
 public:
  Maker(const Contraction& c, mlir::Block& place)
      : c_(c), b_(mlir::OpBuilder::atBlockEnd(&place)), loc_(c.contract_op->getLoc()) {
    kept_ = static_cast<size_t>(c.n.end);
    extent_.assign(c.extent.begin(), c.extent.begin() + c.n.end);
  }

  Epilogue with_body() {
    find_needed();
    Epilogue made;
    std::vector<mlir::Value> sources;
    std::vector<mlir::AffineMap> in, out;
    mlir::Block& old = c_.body();
    for (mlir::BlockArgument argument : old.getArguments()) {
      if (!needed_.contains(argument)) continue;
      const unsigned k = argument.getArgNumber();
      made.inputs.push_back(k);
      sources.push_back(stand_in(c_.kernel().getInputs()[k].getType()));
      in.push_back(mlir::isa<mlir::RankedTensorType>(argument.getType())
                       ? mlir::AffineMap::get(static_cast<unsigned>(kept_), 0, b_.getContext())
                       : map(c_.in[k], kept_));
    }
    sources.push_back(sums(1));
    in.push_back(map_of(0, row_major_strides(extent_), kept_, b_));
    for (const Access& access : c_.out) out.push_back(map(access, kept_));
    made.kernel = kernel(c_.kernel().getName().str(), kept_, c_.kernel().getResultTypes(), sources, in, out);
    fill(made, kept_);
    return made;
  }

  Epilogue without_body(int64_t parts) {
    extent_.insert(extent_.begin(), parts);
    const size_t dims = extent_.size();
    const mlir::AffineMap at = map_of(0, row_major_strides(extent_), dims, b_);
    mlir::Value from = sums(parts);
    Epilogue made;
    made.kernel = kernel(c_.kernel().getName().str(), dims, mlir::TypeRange{from.getType()}, {from}, {at}, {at});
    mlir::Block& body = made.kernel.getBody().emplaceBlock();
    mlir::Value sum = body.addArgument(c_.sum_type(), loc_);
    b_.setInsertionPointToEnd(&body);
    fuse::YieldOp::create(b_, loc_, mlir::ValueRange{sum});
    return made;
  }

 private:
  // Values that the results wait for, up to the contraction.
  void find_needed() {
    mlir::Operation* yield = c_.body().getTerminator();
    std::vector<mlir::Value> waiting(yield->operand_begin(), yield->operand_end());
    while (!waiting.empty()) {
      const mlir::Value value = waiting.back();
      waiting.pop_back();
      if (!needed_.insert(value).second) continue;
      mlir::Operation* op = value.getDefiningOp();
      if (op && op != c_.contract_op) waiting.insert(waiting.end(), op->operand_begin(), op->operand_end());
    }
  }

  mlir::AffineMap map(const Access& access, size_t dims) {
    for (int d = c_.k.begin; d < c_.k.end; ++d)
      check_internal(access.stride[static_cast<size_t>(d)] == 0, "the epilogue of a contraction depends on K");
    return map_of(access.base, llvm::ArrayRef(access.stride).take_front(kept_), dims, b_);
  }

  // What a synthetic kernel reads: only its type counts.
  mlir::Value stand_in(mlir::Type type) {
    auto tensor = mlir::cast<mlir::RankedTensorType>(type);
    return mlir::tensor::EmptyOp::create(b_, loc_, tensor.getShape(), tensor.getElementType());
  }
  mlir::Value sums(int64_t parts) {
    const int64_t count = parts * c_.size(c_.batch) * c_.size(c_.m) * c_.size(c_.n);
    return stand_in(mlir::RankedTensorType::get({count}, c_.sum_type()));
  }

  fuse::KernelOp kernel(const std::string& name, size_t outer, mlir::TypeRange types,
                        const std::vector<mlir::Value>& sources, const std::vector<mlir::AffineMap>& in,
                        const std::vector<mlir::AffineMap>& out) {
    return fuse::KernelOp::create(b_, c_.kernel().getLoc(), types, b_.getStringAttr(name),
                                  b_.getDenseI64ArrayAttr(extent_), b_.getI64IntegerAttr(static_cast<int64_t>(outer)),
                                  sources, b_.getAffineMapArrayAttr(in), mlir::ValueRange{}, mlir::DenseI64ArrayAttr(),
                                  b_.getAffineMapArrayAttr(out));
  }

  // The ops behind the contraction, which reads the sums where it was.
  void fill(Epilogue& made, size_t dims) {
    mlir::Block& old = c_.body();
    mlir::Block& body = made.kernel.getBody().emplaceBlock();
    mlir::IRMapping mapping;
    for (unsigned k : made.inputs)
      mapping.map(old.getArgument(k), body.addArgument(old.getArgument(k).getType(), old.getArgument(k).getLoc()));
    const mlir::Value sum = body.addArgument(c_.sum_type(), loc_);
    b_.setInsertionPointToEnd(&body);
    mapping.map(c_.contract_op->getResult(0), sum);
    size_t index = 0;
    for (mlir::Operation& op : old) {
      const bool is_index = mlir::isa<fuse::IndexOp>(op);
      const size_t number = index;
      index += is_index ? 1 : 0;
      const bool is_end = &op == old.getTerminator();
      if (&op == c_.contract_op ||
          (!is_end && !llvm::any_of(op.getResults(), [&](mlir::Value v) { return needed_.contains(v); })))
        continue;
      if (is_index)
        mapping.map(op.getResult(0), fuse::IndexOp::create(b_, op.getLoc(), b_.getIndexType(),
                                                           mlir::AffineMapAttr::get(map(c_.index[number], dims)))
                                         .getResult());
      else b_.clone(op, mapping);
    }
  }

  const Contraction& c_;
  mlir::OpBuilder b_;
  mlir::Location loc_;
  size_t kept_ = 0;  // dims of batch, M and N
  std::vector<int64_t> extent_;
  llvm::DenseSet<mlir::Value> needed_;
};

}  // namespace

Epilogue make_epilogue(const Contraction& c, mlir::Block& place) { return Maker(c, place).with_body(); }
Epilogue make_parts(const Contraction& c, int64_t parts, mlir::Block& place) {
  return Maker(c, place).without_body(parts);
}

}  // namespace tessera::cuda
