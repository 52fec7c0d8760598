#include <tessera/codegen/cpu/cascade_piece.h>

#include <algorithm>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

#include <tessera/core/error.h>
#include <tessera/ir/fuse/Scatter.h>

namespace tessera::codegen {

using namespace mlir;

using Where = PieceOperand::Where;

PieceBuilder::PieceBuilder(const CascadeForm& cascade, std::vector<int64_t> walked, std::vector<int64_t> extents)
    : cascade_(cascade),
      walked_(std::move(walked)),
      extents_(std::move(extents)),
      block_(std::make_unique<Block>()),
      b_(OpBuilder(cascade.op->getContext())),
      loc_(cascade.op->getLoc()) {
  b_.setInsertionPointToEnd(block_.get());
}

PieceBuilder::~PieceBuilder() = default;

Value PieceBuilder::get(Value value) {
  if (Value known = known_.lookup(value)) return known;
  Value made = clone(value);
  known_[value] = made;
  return made;
}

Value PieceBuilder::clone(Value value) {
  if (auto from = dyn_cast<BlockArgument>(value)) return argument(from);
  Operation* op = value.getDefiningOp();
  if (auto of = dyn_cast<fuse::IndexOp>(op)) return index(of.getMap());
  if (isa<fuse::ReduceOp>(op)) return reduction(op);
  if (isa<fuse::ContractOp>(op)) return product(op);
  if (isa<fuse::ScatterAddOp>(op)) return table(op);
  if (auto select = dyn_cast<arith::SelectOp>(op)) {
    auto known = conditions_.find(select.getCondition());
    if (known != conditions_.end()) return get(known->second ? select.getTrueValue() : select.getFalseValue());
    llvm::APInt holds;
    if (!fixed_.empty() && matchPattern(get(select.getCondition()), m_ConstantInt(&holds)))
      return get(holds.isZero() ? select.getFalseValue() : select.getTrueValue());
  }
  IRMapping mapping;
  for (Value operand : op->getOperands()) mapping.map(operand, get(operand));
  Operation* copy = b_.clone(*op, mapping);
  return fixed_.empty() ? copy->getResult(0) : folded(copy);
}

// Floats stay to be computed as they are elsewhere.
Value PieceBuilder::folded(Operation* op) {
  SmallVector<Value, 1> results;
  if (isa<FloatType>(op->getResult(0).getType()) || failed(b_.tryFold(op, results))) return op->getResult(0);
  op->erase();
  return results.front();
}

Value PieceBuilder::table(Operation*) { throw InternalError("a piece of a cascade reads a table before it is summed"); }

// ---- operands ----

std::vector<int64_t> PieceBuilder::by_row() const {
  std::vector<int64_t> strides(walked_.size(), 0);
  strides[0] = 1;
  return strides;
}

AffineMap PieceBuilder::map_of(AffineExpr expr) const {
  return AffineMap::get(static_cast<unsigned>(walked_.size()), 0, expr);
}

AffineMap PieceBuilder::scratch_map(const std::vector<int64_t>& strides, int64_t start) {
  AffineExpr sum = b_.getAffineConstantExpr(start);
  for (auto [d, stride] : llvm::enumerate(strides)) sum = sum + b_.getAffineDimExpr(static_cast<unsigned>(d)) * stride;
  return map_of(sum);
}

std::vector<int64_t> PieceBuilder::scratch_origin(int64_t local) const {
  std::vector<int64_t> origin(static_cast<size_t>(cascade_.first_rest) + 1, 0);
  origin.back() = local;
  return origin;
}

AffineMap PieceBuilder::linear_map(const AffineTerms& terms) {
  for (auto d = static_cast<size_t>(cascade_.first_rest); d < terms.stride.size(); ++d) {
    const auto dim = static_cast<int64_t>(d);
    if (terms.stride[d] != 0 && !llvm::is_contained(walked_, dim) && !fixed_.contains(dim)) {
      throw InternalError("a value of a cascade depends on a rest dim where it has none");
    }
  }
  int64_t constant = terms.constant;
  for (auto [dim, at] : fixed_) constant += terms.stride[static_cast<size_t>(dim)] * at;
  AffineExpr sum = b_.getAffineConstantExpr(constant);
  for (auto [d, of] : llvm::enumerate(walked_)) {
    sum = sum + b_.getAffineDimExpr(static_cast<unsigned>(d)) * terms.stride[static_cast<size_t>(of)];
  }
  return map_of(sum);
}

std::vector<int64_t> PieceBuilder::origin_of(const AffineTerms& terms) const {
  std::vector<int64_t> origin(terms.stride.begin(), terms.stride.begin() + cascade_.first_rest);
  origin.push_back(0);
  return origin;
}

Value PieceBuilder::input(PieceOperand operand, Type type, AffineMap map, std::vector<int64_t> origin) {
  Value made = block_->addArgument(type, loc_);
  Type tensor = isa<RankedTensorType>(type) ? type : Type(RankedTensorType::get({1}, type));
  inputs_.push_back({operand, made, map, std::move(origin), tensor});
  return made;
}

Value PieceBuilder::scratch_input(PieceOperand operand, Type type, const std::vector<int64_t>& strides, int64_t local) {
  return input(operand, type, scratch_map(strides, 0), scratch_origin(local));
}

void PieceBuilder::scratch_result(PieceOperand operand, Value value, const std::vector<int64_t>& strides, int64_t local,
                                  int64_t start) {
  results_.push_back({operand, value, scratch_map(strides, start), scratch_origin(local),
                      RankedTensorType::get({1}, value.getType())});
}

AffineTerms PieceBuilder::place_of_result(int64_t number) const {
  AffineTerms terms(cascade_.out_maps[static_cast<size_t>(number)]);
  if (!terms.rest.empty()) throw InternalError("a result of a cascade is not addressed linearly");
  return terms;
}

Value PieceBuilder::written_before(int64_t number) {
  const AffineTerms terms = place_of_result(number);
  Type type = cascade_.body->getTerminator()->getOperand(static_cast<unsigned>(number)).getType();
  return input({Where::argument, static_cast<int64_t>(cascade_.in_maps.size()) + number}, type, linear_map(terms),
               origin_of(terms));
}

void PieceBuilder::result(int64_t number) {
  const AffineTerms terms = place_of_result(number);
  const auto place = static_cast<unsigned>(number);
  results_.push_back({{Where::argument, static_cast<int64_t>(cascade_.in_maps.size()) + number},
                      get(cascade_.body->getTerminator()->getOperand(place)),
                      linear_map(terms),
                      origin_of(terms),
                      cascade_.op->getResult(place).getType()});
}

Value PieceBuilder::argument(BlockArgument value) {
  const int64_t number = value.getArgNumber();
  AffineMap map = cascade_.in_maps[static_cast<size_t>(number)], none = AffineMap::get(b_.getContext());
  PieceOperand operand{Where::argument, number};
  if (fuse::is_whole_tensor(map)) return input(operand, value.getType(), none, scratch_origin(0));
  AffineTerms terms(map);
  if (terms.rest.empty()) return input(operand, value.getType(), linear_map(terms), origin_of(terms));
  // Not linear: the whole tensor as one dim, at an index that is computed.
  auto tensor = cast<RankedTensorType>(cascade_.op->getOperand(static_cast<unsigned>(number)).getType());
  auto flat = RankedTensorType::get({tensor.getNumElements()}, value.getType());
  Value source = input(operand, flat, none, scratch_origin(0)), at = index(map);
  return fuse::LoadAtOp::create(b_, loc_, value.getType(), source, ValueRange{at}, b_.getUnitAttr());
}

// ---- indices: only a linear one has an origin that adds up; others are computed from those of their dims ----

Value PieceBuilder::index(AffineMap map) {
  AffineTerms terms(map);
  Value sum = linear_index(terms);
  for (auto [factor, expr] : terms.rest) {
    Value by = arith::ConstantIndexOp::create(b_, loc_, factor);
    Value part = arith::MulIOp::create(b_, loc_, expand(expr), by);
    sum = arith::AddIOp::create(b_, loc_, sum, part);
  }
  return sum;
}

Value PieceBuilder::linear_index(const AffineTerms& terms) {
  bool varies = fixed_.empty();
  for (auto [d, stride] : llvm::enumerate(terms.stride))
    varies |= stride != 0 && !fixed_.contains(static_cast<int64_t>(d));
  if (!varies) {
    const AffineMap map = linear_map(terms);
    return arith::ConstantIndexOp::create(b_, loc_, cast<AffineConstantExpr>(map.getResult(0)).getValue());
  }
  indices_.push_back(origin_of(terms));
  return fuse::IndexOp::create(b_, loc_, b_.getIndexType(), AffineMapAttr::get(linear_map(terms)));
}

Value PieceBuilder::expand(AffineExpr expr) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
    return arith::ConstantIndexOp::create(b_, loc_, constant.getValue());
  }
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    return linear_index(AffineTerms(AffineMap::get(static_cast<unsigned>(cascade_.dims.size()), 0, dim)));
  }
  auto binary = cast<AffineBinaryOpExpr>(expr);
  Value x = expand(binary.getLHS()), y = expand(binary.getRHS());
  switch (expr.getKind()) {
    case AffineExprKind::Add: return arith::AddIOp::create(b_, loc_, x, y);
    case AffineExprKind::Mul: return arith::MulIOp::create(b_, loc_, x, y);
    case AffineExprKind::FloorDiv: return arith::DivSIOp::create(b_, loc_, x, y);  // never negative
    case AffineExprKind::Mod: return arith::RemSIOp::create(b_, loc_, x, y);
    default: throw InternalError("an index of a cascade is rounded up");
  }
}

// ---- the kernel ----

CascadePiece PieceBuilder::finish(ModuleOp holder, const std::string& name) {
  CascadePiece piece;
  SmallVector<Value> yielded, sources;
  SmallVector<AffineMap> in_maps, out_maps;
  SmallVector<Type> types;
  auto at = OpBuilder::atBlockEnd(holder.getBody());
  for (const Operand& one : inputs_) {
    auto tensor = cast<RankedTensorType>(one.tensor);
    sources.push_back(tensor::EmptyOp::create(at, loc_, tensor.getShape(), tensor.getElementType()));
    in_maps.push_back(one.map);
    piece.in.push_back(one.operand);
    piece.origin.push_back(one.origin);
  }
  for (const Operand& one : results_) {
    yielded.push_back(one.value);
    types.push_back(one.tensor);
    out_maps.push_back(one.map);
    piece.out.push_back(one.operand);
    piece.origin.push_back(one.origin);
  }
  piece.origin.insert(piece.origin.end(), indices_.begin(), indices_.end());
  fuse::YieldOp::create(b_, loc_, yielded);
  auto kernel = fuse::KernelOp::create(at, loc_, types, at.getStringAttr(name), at.getDenseI64ArrayAttr(extents_),
                                       at.getI64IntegerAttr(1), sources, at.getAffineMapArrayAttr(in_maps),
                                       ValueRange{}, DenseI64ArrayAttr(), at.getAffineMapArrayAttr(out_maps));
  kernel.getBody().push_back(block_.release());
  piece.form = read_form(kernel);
  if (piece.form.dims() > 1) {
    piece.form.vec = piece.form.dims() - 1;
    piece.form.vec_total = piece.form.extent.back();
  }
  piece.stages = make_stages(piece.form);
  return piece;
}

}  // namespace tessera::codegen
