#include <tessera/ir/form/body.h>

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

#include <tessera/core/error.h>
#include <tessera/ir/fuse/Scatter.h>
#include <tessera/ir/tsr/Einsum.h>
#include <tessera/ir/tsr/Scalar.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

namespace arith = mlir::arith;
using llvm::ArrayRef;
using mlir::AffineMap;
using mlir::Location;
using mlir::Operation;
using mlir::Value;

namespace {

llvm::SmallVector<int64_t, 6> strides_of(ArrayRef<int64_t> shape) {
  llvm::SmallVector<int64_t, 6> strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

// "contract_add_tanh", at most four words, the contraction first: what a person looks for in a list of kernels.
std::string kernel_name(ArrayRef<Operation*> members) {
  llvm::SmallSetVector<llvm::StringRef, 8> words;
  for (Operation* op : members)
    if (llvm::isa<tsr::ContractOp>(op)) words.insert(op->getName().stripDialect());
  for (Operation* op : members) {
    // What rounds another order of elements moves them, though a view has no kernel.
    Operation* read = members.size() == 1 && llvm::isa<tsr::CastOp>(op) ? op->getOperand(0).getDefiningOp() : nullptr;
    if (llvm::isa_and_nonnull<tsr::TransposeOp>(read)) words.insert(read->getName().stripDialect());
    words.insert(op->getName().stripDialect());
  }
  std::string name;
  for (llvm::StringRef word : words.getArrayRef().take_front(4)) name += (name.empty() ? "" : "_") + word.str();
  if (words.size() > 4) name += "_etc";
  return name.empty() ? "fill" : name;
}

Location location(mlir::MLIRContext* context, ArrayRef<Operation*> members) {
  llvm::SmallSetVector<Location, 4> all;
  for (Operation* op : members)
    if (all.size() < 8) all.insert(op->getLoc());
  return mlir::FusedLoc::get(context, all.getArrayRef());
}

// Does its result tell values apart that differ in their last bit?
bool decides(Operation* op) {
  auto cast = llvm::dyn_cast<tsr::CastOp>(op);
  return llvm::isa<tsr::EqualOp, tsr::NotEqualOp, tsr::LessOp, tsr::LessEqualOp, tsr::GreaterOp, tsr::GreaterEqualOp,
                   tsr::IsFiniteOp>(op) ||
         (cast && !llvm::isa<mlir::FloatType>(tsr::element_of(cast.getY())));
}

// An element as its dtype has it. What decides something is that: a kernel that goes on with more bits would find a maximum,
// which another one has stored, nowhere, and 70,000 in f16 finite.
Value as_stored(mlir::OpBuilder& b, Location loc, Value x, Value tensor) {
  const mlir::Type storage = fuse::body_type(tsr::element_of(tensor));
  if (auto widening = x.getDefiningOp<arith::ExtFOp>(); widening && widening.getIn().getType() == storage) return x;
  return tsr::widen(b, loc, tsr::narrow(b, loc, x, storage));
}

}  // namespace

KernelWriter::KernelWriter(mlir::OpBuilder& b, const FreeOps& free, const mlir::IRMapping& memory, const Space& space)
    : b_(b),
      free_(free),
      memory_(memory),
      space_(space),
      strict_(b.getInsertionBlock()->getParentOp()->hasAttr("tsr.strict")) {}

// ---- coordinates ----

Coordinates KernelWriter::at(const Places& places) const {
  Coordinates all;
  for (const Place& place : places) {
    Linear index;
    for (unsigned d : place) index = index * space_.extents[d] + Linear::dim(d);
    all.push_back({index, place, true});
  }
  return all;
}

Coordinates KernelWriter::everywhere(ArrayRef<int64_t> shape) const {
  Places places;
  unsigned next = 0;
  for (int64_t n : shape) places.push_back(n == 1 ? Place{} : Place{next++});
  return at(places);
}

Linear KernelWriter::offset(const Coordinates& at, ArrayRef<int64_t> shape) const {
  Linear sum;
  for (auto [coordinate, stride, n] : llvm::zip(at, strides_of(shape), shape))
    if (n != 1) sum = sum + coordinate.index * stride;
  return sum;
}

AffineMap KernelWriter::map_of(const Linear& x) const {
  return x.map(static_cast<unsigned>(space_.extents.size()), b_.getContext());
}

bool KernelWriter::in_memory(Value value) const {
  Operation* op = value.getDefiningOp();
  return !op || (!free_.is_free(op) && !members_.contains(op));
}

// Row-major neighbours join and part again along the products that find_space made.
Coordinates KernelWriter::through_reshape(Operation* op, const Coordinates& at) {
  Coordinates from;
  ArrayRef<int64_t> shape = tsr::shape_of(op->getOperand(0)), shape_after = tsr::shape_of(op->getResult(0));
  llvm::SmallVector<size_t> given;  // result dims left, minor last
  for (size_t d = 0; d < at.size(); ++d)
    if (shape_after[d] != 1) given.push_back(d);
  // A dim that stays itself keeps its index, whatever that is; others are products.
  Place open;
  for (size_t d = shape.size(); d-- > 0;) {
    if (shape[d] == 1) {
      from.push_back({0, {}, true});
      continue;
    }
    if (open.empty() && shape_after[given.back()] == shape[d]) {
      from.push_back(at[given.pop_back_val()]);
      continue;
    }
    Place taken;
    for (int64_t have = 1; have < shape[d];) {
      if (open.empty()) open = at[given.pop_back_val()].dims;
      have *= space_.extents[open.back()];
      taken.push_back(open.pop_back_val());
    }
    std::reverse(taken.begin(), taken.end());
    from.push_back(this->at(Places{taken}).front());
  }
  std::reverse(from.begin(), from.end());
  return from;
}

Coordinates KernelWriter::through_view(Operation* op, const Coordinates& at) {
  Coordinates from;
  llvm::TypeSwitch<Operation*>(op)
      .Case([&](tsr::BroadcastOp x) {
        for (auto [dim, n] : llvm::zip(x.getDims(), tsr::shape_of(x.getX())))
          from.push_back(n == 1 ? Coordinate{0, {}, true} : at[static_cast<size_t>(dim)]);
      })
      .Case([&](tsr::TransposeOp x) {
        from.resize(at.size());
        for (auto [d, dim] : llvm::enumerate(x.getDims())) from[static_cast<size_t>(dim)] = at[d];
      })
      .Case([&](tsr::SliceOp x) {
        for (auto [d, c] : llvm::enumerate(at))
          from.push_back(moves_dim(op, d) ? Coordinate{c.index * x.getStep()[d] + x.getStart()[d]} : c);
      })
      .Case([&](tsr::ReverseOp x) {
        from = at;
        for (int64_t d : x.getDims())
          from[static_cast<size_t>(d)] = {Linear(tsr::shape_of(x.getX())[static_cast<size_t>(d)] - 1) -
                                          at[static_cast<size_t>(d)].index};
      })
      .Case([&](tsr::WindowOp x) {
        const size_t rank = tsr::shape_of(x.getX()).size();
        from.assign(at.begin(), at.begin() + static_cast<ptrdiff_t>(rank));
        for (auto [i, dim] : llvm::enumerate(x.getDims()))
          from[static_cast<size_t>(dim)] = {at[static_cast<size_t>(dim)].index * x.getStride()[i] +
                                            at[rank + i].index * x.getDilation()[i]};
      })
      .Case([&](tsr::ReshapeOp) { from = through_reshape(op, at); })
      .Default([&](Operation*) { from = at; });
  return from;
}

// ---- values ----

Value KernelWriter::load(Value memory, const Linear& offset) {
  AffineMap map = map_of(offset);
  Value tensor = memory_.lookupOrDefault(memory);
  Value& argument = loaded_[{tensor, map}];
  if (!argument) {
    inputs_.push_back(tensor);
    in_maps_.push_back(mlir::AffineMapAttr::get(map));
    argument = block_->addArgument(fuse::body_type(tsr::element_of(tensor)), memory.getLoc());
  }
  return argument;
}

Value KernelWriter::whole(Value memory) {
  AffineMap map = AffineMap::get(b_.getContext());
  Value tensor = memory_.lookupOrDefault(memory);
  Value& argument = loaded_[{tensor, map}];
  if (!argument) {
    inputs_.push_back(tensor);
    in_maps_.push_back(mlir::AffineMapAttr::get(map));
    argument = block_->addArgument(tensor.getType(), memory.getLoc());
  }
  return argument;
}

Value KernelWriter::index(Location loc, const Linear& x) {
  return fuse::IndexOp::create(b_, loc, b_.getIndexType(), mlir::AffineMapAttr::get(map_of(x)));
}

Value KernelWriter::emit(Value value, const Coordinates& at) {
  llvm::SmallVector<int64_t, 16> key;
  for (const Coordinate& c : at) c.index.append_key(key);
  auto [it, is_new] = emitted_.try_emplace({value.getAsOpaquePointer(), std::vector<int64_t>(key.begin(), key.end())});
  if (!is_new) return it->second;
  // `it` stays valid: nothing is erased from a map.
  if (in_memory(value)) {
    it->second = tsr::widen(b_, value.getLoc(), load(value, offset(at, tsr::shape_of(value))));
  } else {
    Value x = compute(value.getDefiningOp(), at);
    if (strict_ && !is_view(value.getDefiningOp()))
      x = tsr::widen(b_, value.getLoc(), tsr::narrow(b_, value.getLoc(), x, tsr::element_of(value)));
    it->second = x;
  }
  return it->second;
}

Value KernelWriter::compute(Operation* op, const Coordinates& at) {
  Location loc = op->getLoc();
  mlir::Type element = tsr::element_of(op->getResult(0)), type = tsr::compute_type(element);
  if (auto reshape = llvm::dyn_cast<tsr::ReshapeOp>(op); reshape && in_memory(reshape.getX()))
    return tsr::widen(b_, loc, load(reshape.getX(), offset(at, tsr::shape_of(reshape.getY()))));
  if (is_view(op)) return emit(op->getOperand(0), through_view(op, at));
  if (auto scalar = llvm::dyn_cast<tsr::ScalarBody>(op)) {
    llvm::SmallVector<Value, 3> elements;
    for (Value operand : op->getOperands()) elements.push_back(emit(operand, at));
    if (decides(op))
      for (auto [x, operand] : llvm::zip(elements, op->getOperands())) x = as_stored(b_, loc, x, operand);
    return scalar.emitScalar(b_, loc, elements);
  }
  return llvm::TypeSwitch<Operation*, Value>(op)
      .Case([&](tsr::ConstantOp constant) {
        if (auto whole = llvm::dyn_cast<mlir::IntegerAttr>(constant.getValue()))
          return tsr::cast(b_, loc, tsr::constant(b_, loc, b_.getI64Type(), whole.getInt()), b_.getI64Type(), element);
        return tsr::constant(b_, loc, type, llvm::cast<mlir::FloatAttr>(constant.getValue()).getValueAsDouble());
      })
      .Case([&](tsr::IotaOp iota) {
        Value i = index(loc, at[static_cast<size_t>(iota.getDim())].index);
        Value wide = arith::IndexCastOp::create(b_, loc, b_.getI64Type(), i);
        return tsr::cast(b_, loc, wide, b_.getI64Type(), element);
      })
      .Case([&](tsr::ReduceOp) { return reduce(op); })
      .Case([&](tsr::ContractOp) { return contract(op); })
      .Case([&](tsr::ConcatOp) { return concat(op, at); })
      .Case([&](tsr::GatherOp) { return gather(op, at); })
      .Case([&](tsr::ScatterOp) { return scatter(op); })
      .Case([&](tsr::DynamicSliceOp) { return dynamic_slice(op, at); })
      .Case([&](tsr::RandomOp) { return random(op, at); });
}

Value KernelWriter::reduce(Operation* op) {
  auto reduce = llvm::cast<tsr::ReduceOp>(op);
  Location loc = op->getLoc();
  const Places& places = space_.operands.find(op)->second;
  Value x = emit(reduce.getX(), at(places));
  llvm::SmallVector<int64_t, 4> over;
  for (int64_t d : reduce.getDims())
    for (unsigned dim : places[static_cast<size_t>(d)]) over.push_back(dim);
  llvm::sort(over);
  const fuse::ReduceKind kind = *fuse::symbolizeReduceKind(reduce.getKind());
  auto reduced = [&](Value value, llvm::ArrayRef<int64_t> dims) -> Value {
    if (dims.empty()) return value;
    return fuse::ReduceOp::create(b_, loc, value.getType(), fuse::ReduceKindAttr::get(b_.getContext(), kind), value,
                                  b_.getDenseI64ArrayAttr(dims));
  };
  // Where others reduce a part of the row, that part comes first: one loop then serves them all.
  llvm::SmallVector<int64_t, 4> part, remain;
  for (int64_t d : over) (llvm::is_contained(space_.part_of_row, d) ? part : remain).push_back(d);
  const bool is_row = llvm::none_of(over, [&](int64_t d) { return d < space_.outer; });
  if (!is_row || part.size() != space_.part_of_row.size()) return reduced(x, over);
  return reduced(reduced(x, part), remain);
}

Value KernelWriter::contract(Operation* op) {
  auto contract = llvm::cast<tsr::ContractOp>(op);
  Location loc = op->getLoc();
  const Einsum words = *parse_einsum(std::string_view(contract.getEinsum()));
  const auto& letters = space_.letters.find(op)->second;
  llvm::DenseMap<char, Coordinate> positions;
  for (const auto& [letter, place] : letters) positions[letter] = at({place}).front();
  for (const WindowRelation& w : tsr::relations_of(contract.getWindows()))
    positions[w.in] = {positions[w.out].index * w.stride + positions[w.tap].index * w.dilation - w.pad};
  auto element = [&](const std::string& word, Value tensor) {
    Coordinates where;
    for (char letter : word) where.push_back(positions[letter]);
    return emit(tensor, where);
  };
  Value a = element(words.a, contract.getA()), b = element(words.b, contract.getB());
  // The machine's units take narrow operands: undo the widening, unless the other operand is computed here.
  auto narrow = [&](Value wide) {
    auto widening = wide.getDefiningOp<arith::ExtFOp>();
    return widening && llvm::isa<mlir::BlockArgument>(widening.getIn()) ? Value(widening.getIn()) : Value();
  };
  if (Value x = narrow(a), y = narrow(b); x && y && x.getType() == y.getType()) a = x, b = y;
  llvm::SmallVector<int64_t, 4> over;
  for (const auto& [letter, place] : letters)
    if (words.out.find(letter) == std::string::npos)
      for (unsigned d : place) over.push_back(d);
  llvm::sort(over);
  // What is computed here comes first: a plane value that is accumulated.
  if (Operation* from = base_of(contract.getB()).getDefiningOp(); members_.contains(from)) std::swap(a, b);
  mlir::Type accumulator = tsr::compute_type(tsr::element_of(contract.getY()));
  return fuse::ContractOp::create(b_, loc, accumulator, a, b, b_.getDenseI64ArrayAttr(over));
}

Value KernelWriter::gather(Operation* op, const Coordinates& at) {
  auto gather = llvm::cast<tsr::GatherOp>(op);
  Location loc = op->getLoc();
  const size_t dim = static_cast<size_t>(gather.getDim()), count = tsr::shape_of(gather.getIndices()).size();
  Value chosen = emit(gather.getIndices(), Coordinates(ArrayRef(at).slice(dim, count)));
  llvm::SmallVector<Value, 4> where;
  for (size_t d = 0; d < tsr::shape_of(gather.getX()).size(); ++d) {
    if (d == dim) where.push_back(arith::IndexCastOp::create(b_, loc, b_.getIndexType(), chosen));
    else where.push_back(index(loc, at[d < dim ? d : d + count - 1].index));
  }
  Value source = whole(gather.getX());
  mlir::Type element = fuse::body_type(tsr::element_of(source));
  return tsr::widen(b_, loc, fuse::LoadAtOp::create(b_, loc, element, source, where, /*clamp=*/false));
}

// Each part at the same place, and a choice between them: the leading dims of the coordinate say which part it is,
// those that follow where in it.
Value KernelWriter::concat(Operation* op, const Coordinates& at) {
  auto concat = llvm::cast<tsr::ConcatOp>(op);
  Location loc = op->getLoc();
  const size_t dim = static_cast<size_t>(concat.getDim());
  const auto count = static_cast<int64_t>(concat.getParts().size());
  check_internal(at[dim].is_product, "a kernel computes a concatenation that others look at a part of");
  Place which, within = at[dim].dims;
  for (int64_t have = 1; have < count; within.erase(within.begin())) {
    which.push_back(within.front());
    have *= space_.extents[within.front()];
  }
  Coordinates here = at;
  here[dim] = this->at(Places{within}).front();
  Value number = index(loc, this->at(Places{which}).front().index), chosen = emit(concat.getParts().back(), here);
  for (int64_t k = count - 1; k-- > 0;) {
    Value part = emit(concat.getParts()[static_cast<size_t>(k)], here);
    Value is_it =
        arith::CmpIOp::create(b_, loc, arith::CmpIPredicate::eq, number, arith::ConstantIndexOp::create(b_, loc, k));
    chosen = arith::SelectOp::create(b_, loc, is_it, part, chosen);
  }
  return chosen;
}

// Of a cascade. What is summed over batches first goes into the table at once, and nothing is rounded in between.
Value KernelWriter::scatter(Operation* op) {
  auto scatter = llvm::cast<tsr::ScatterOp>(op);
  Location loc = op->getLoc();
  const Places& places = space_.operands.find(op)->second;
  const size_t dim = static_cast<size_t>(scatter.getDim()), count = tsr::shape_of(scatter.getIndices()).size();
  const Coordinates at = this->at(places);
  Value x = emit(scatter.getUpdates(), at), source = x;
  llvm::SmallVector<int64_t, 4> over;
  while (Operation* cast = source.getDefiningOp()) {
    if (!llvm::isa<arith::ExtFOp, arith::TruncFOp>(cast)) break;
    source = cast->getOperand(0);
  }
  if (auto batches = source.getDefiningOp<fuse::ReduceOp>()) {
    x = batches.getValue();
    over.append(batches.getOver().begin(), batches.getOver().end());
  }
  for (const Place& place : ArrayRef(places).slice(dim, count)) over.append(place.begin(), place.end());
  llvm::sort(over);
  Value chosen = emit(scatter.getIndices(), Coordinates(ArrayRef(at).slice(dim, count)));
  Value entry = arith::IndexCastOp::create(b_, loc, b_.getIndexType(), chosen);
  const unsigned of = space_.places.find(scatter.getY())->second[dim].front();
  return fuse::ScatterAddOp::create(b_, loc, x.getType(), x, entry, b_.getI64IntegerAttr(of),
                                    b_.getDenseI64ArrayAttr(over));
}

// A start moves so that what begins there fits: no index is ever out of range.
Value KernelWriter::clamped(Location loc, Value start, int64_t most) {
  Value s = arith::IndexCastOp::create(b_, loc, b_.getIndexType(), emit(start, {}));
  s = arith::MaxSIOp::create(b_, loc, s, arith::ConstantIndexOp::create(b_, loc, 0));
  return arith::MinSIOp::create(b_, loc, s, arith::ConstantIndexOp::create(b_, loc, most));
}

Value KernelWriter::dynamic_slice(Operation* op, const Coordinates& at) {
  auto slice = llvm::cast<tsr::DynamicSliceOp>(op);
  Location loc = op->getLoc();
  llvm::SmallVector<Value, 4> where;
  for (auto [start, c, n, size] :
       llvm::zip(slice.getStart(), at, tsr::shape_of(slice.getX()), tsr::shape_of(slice.getY())))
    where.push_back(arith::AddIOp::create(b_, loc, clamped(loc, start, n - size), index(loc, c.index)));
  Value source = whole(slice.getX());
  mlir::Type element = fuse::body_type(tsr::element_of(source));
  return tsr::widen(b_, loc, fuse::LoadAtOp::create(b_, loc, element, source, where, /*clamp=*/true));
}

Value KernelWriter::random(Operation* op, const Coordinates& at) {
  auto random = llvm::cast<tsr::RandomOp>(op);
  Location loc = op->getLoc();
  Value seed = emit(random.getSeed(), {}), step = emit(random.getStep(), {});
  Value element = index(loc, offset(at, tsr::shape_of(random.getY())));
  mlir::Type type = random.getKind() == "bits" ? mlir::Type(b_.getI32Type()) : mlir::Type(b_.getF32Type());
  return fuse::RandomOp::create(b_, loc, type, seed, step, element, random.getStreamAttr());
}

// ---- the kernel ----

KernelWriter::Written KernelWriter::write_body(ArrayRef<Operation*> members, ArrayRef<Root> roots) {
  members_.insert(members.begin(), members.end());
  mlir::OpBuilder::InsertionGuard outside(b_);
  block_ = new mlir::Block;  // the kernel owns it as soon as there is one
  b_.setInsertionPointToEnd(block_);
  Written out;
  llvm::SmallVector<Value, 4> yielded;
  for (const Root& root : roots) {
    Location loc = root.value.getLoc();
    Value x = emit(root.value, root.at);
    auto add = [&](Value more) {
      x = llvm::isa<mlir::FloatType>(x.getType()) ? arith::AddFOp::create(b_, loc, x, more).getResult()
                                                  : arith::AddIOp::create(b_, loc, x, more).getResult();
    };
    for (const Coordinates& other : root.also) add(emit(root.value, other));
    if (root.accumulate) {
      AffineMap map = map_of(root.offset);
      inputs_.push_back(root.init);
      in_maps_.push_back(mlir::AffineMapAttr::get(map));
      Value before = block_->addArgument(fuse::body_type(root.type.getElementType()), loc);
      add(tsr::widen(b_, loc, before));
    }
    yielded.push_back(tsr::narrow(b_, loc, x, root.type.getElementType()));
    out.out_maps.push_back(mlir::AffineMapAttr::get(map_of(root.offset)));
    out.types.push_back(root.type);
    out.init_of.push_back(root.init ? static_cast<int64_t>(out.inits.size()) : -1);
    if (root.init) out.inits.push_back(root.init);
  }
  fuse::YieldOp::create(b_, location(b_.getContext(), members), yielded);
  return out;
}

fuse::KernelOp KernelWriter::write(ArrayRef<Operation*> members, ArrayRef<Root> roots) {
  const Written body = write_body(members, roots);
  auto kernel = fuse::KernelOp::create(
      b_, location(b_.getContext(), members), body.types, b_.getStringAttr(kernel_name(members)),
      b_.getDenseI64ArrayAttr(space_.extents), b_.getI64IntegerAttr(space_.outer), inputs_, b_.getArrayAttr(in_maps_),
      body.inits, body.inits.empty() ? mlir::DenseI64ArrayAttr() : b_.getDenseI64ArrayAttr(body.init_of),
      b_.getArrayAttr(body.out_maps));
  kernel.getBody().push_back(block_);
  return kernel;
}

fuse::CascadeOp KernelWriter::write_cascade(ArrayRef<Operation*> members, ArrayRef<Root> roots, int64_t batch,
                                            int64_t streams) {
  const Written body = write_body(members, roots);
  auto cascade = fuse::CascadeOp::create(
      b_, location(b_.getContext(), members), body.types, b_.getStringAttr(kernel_name(members)),
      b_.getDenseI64ArrayAttr(space_.extents), b_.getI64IntegerAttr(batch), b_.getI64IntegerAttr(streams), inputs_,
      b_.getArrayAttr(in_maps_), mlir::ValueRange(), mlir::DenseI64ArrayAttr(), b_.getArrayAttr(body.out_maps));
  cascade.getBody().push_back(block_);
  return cascade;
}

llvm::DenseMap<Operation*, Value> KernelWriter::sources() const {
  llvm::DenseMap<Operation*, Value> out;
  for (const auto& [key, written] : emitted_) {
    Value source = Value::getFromOpaquePointer(key.first);
    Operation* op = written.getDefiningOp();
    if (op && members_.contains(source.getDefiningOp())) out.try_emplace(op, source);
  }
  return out;
}

}  // namespace tessera::ir
