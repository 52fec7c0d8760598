#include <tessera/codegen/plan/facts.h>

#include <algorithm>

#include "llvm/ADT/StringExtras.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

#include <tessera/codegen/cpu/launch.h>
#include <tessera/codegen/cpu/runtime/library.h>
#include <tessera/core/dtype.h>
#include <tessera/core/error.h>
#include <tessera/ir/fuse/Scatter.h>
#include <tessera/ir/fuse/body_dims.h>
#include <tessera/ir/import/origin.h>
#include <tessera/ir/plane/find_liveness.h>
#include <tessera/ir/precision.h>

namespace tessera::codegen {

using namespace mlir;

namespace {

// The instruction behind one op; the last of several that became one.
int origin_of(Location location) {
  std::vector<int> origins;
  ir::add_origins(location, origins);
  return origins.empty() ? -1 : origins.back();
}

DType dtype_of_type(Type type) {
  bool is_unsigned = type.isUnsignedInteger();
  if (type.isF64()) return f64;
  if (type.isF32()) return f32;
  if (type.isF16()) return f16;
  if (type.isBF16()) return bf16;
  if (isa<Float8E4M3FNType>(type)) return f8e4m3;
  if (isa<Float8E5M2Type>(type)) return f8e5m2;
  switch (type.getIntOrFloatBitWidth()) {
    case 1: return boolean;
    case 8: return is_unsigned ? u8 : i8;
    case 16: return i16;
    case 32: return is_unsigned ? u32 : i32;
    default: return i64;
  }
}

int64_t attribute(fuse::LibraryOp op, llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> words = {}) {
  Attribute value = op->getAttr(name);
  if (auto flag = dyn_cast_or_null<BoolAttr>(value)) return flag.getValue() ? 1 : 0;
  if (auto integer = dyn_cast_or_null<IntegerAttr>(value)) return integer.getInt();
  if (auto text = dyn_cast_or_null<StringAttr>(value)) {
    auto found = std::find(words.begin(), words.end(), text.getValue());
    if (found != words.end()) return found - words.begin();
  }
  return 0;
}

}  // namespace

std::vector<int> origins_of(Operation& op) {
  std::vector<int> origins;
  ir::add_origins(op.getLoc(), origins);
  op.walk([&](Operation* inside) { ir::add_origins(inside->getLoc(), origins); });
  std::sort(origins.begin(), origins.end());
  return origins;
}

std::vector<PlanWrite> writes_of(Block& body) {
  bool infinite = llvm::any_of(body.getOps<arith::ConstantOp>(), [](arith::ConstantOp constant) {
    auto number = dyn_cast<FloatAttr>(constant.getValue());
    return number && number.getValue().isInfinity();
  });
  auto init_of = body.getParentOp()->getAttrOfType<DenseI64ArrayAttr>("init_of");
  std::vector<PlanWrite> writes;
  for (auto [value, result] : llvm::zip(body.getTerminator()->getOperands(), body.getParentOp()->getResults())) {
    const bool is_part = init_of && init_of[static_cast<int64_t>(writes.size())] != -1;
    writes.push_back(
        {-1, origin_of(value.getLoc()), cast<RankedTensorType>(result.getType()).getNumElements(), is_part, infinite});
  }
  return writes;
}

PlanTypes types_of(Operation& op) {
  struct Formats {
    std::vector<std::string> names;
    void add(Type type) {
      if (auto tensor = dyn_cast<RankedTensorType>(type)) type = tensor.getElementType();
      if (!isa<FloatType>(type)) return;
      const std::string found(name(dtype_of_type(type)));
      if (!llvm::is_contained(names, found)) names.push_back(found);
    }
    std::string str() const { return llvm::join(names, ", "); }
  } reads, multiplies, sums, writes;
  if (!isa<fuse::KernelOp, fuse::CascadeOp>(op)) return {};
  for (Value input : op.getOperands()) reads.add(input.getType());
  for (Value result : op.getResults()) writes.add(result.getType());
  for (Operation& inner : op.getRegion(0).front()) {
    if (auto contract = dyn_cast<fuse::ContractOp>(inner)) multiplies.add(contract.getLhs().getType());
    if (isa<fuse::ContractOp, fuse::ReduceOp, fuse::ScatterAddOp>(inner)) sums.add(inner.getResult(0).getType());
  }
  return {reads.str(), multiplies.str(), sums.str(), writes.str()};
}

std::string moves_of(Operation& op) {
  auto kernel = dyn_cast<fuse::KernelOp>(op);
  if (!kernel || kernel.getInputs().empty() || kernel.getNumResults() == 0) return "";
  bool rounds = false, widens = false, rearranges = !kernel.getInits().empty();
  for (auto [k, yielded] : llvm::enumerate(kernel.getBody().front().getTerminator()->getOperands())) {
    Value value = yielded;
    SmallVector<Type> through;
    while (Operation* step = value.getDefiningOp()) {
      if (!isa<arith::ExtFOp, arith::TruncFOp>(step)) return "";
      through.push_back(value.getType());
      value = step->getOperand(0);
    }
    const unsigned input = cast<BlockArgument>(value).getArgNumber();
    rounds |= llvm::any_of(through, [&](Type format) { return !ir::holds(format, value.getType()); });
    widens |= yielded.getType().getIntOrFloatBitWidth() > value.getType().getIntOrFloatBitWidth();
    rearranges |= kernel.getInMaps()[input] != kernel.getOutMaps()[static_cast<unsigned>(k)];
  }
  std::string text = rounds ? "rounds" : widens ? "widens" : "";
  if (rearranges) text += text.empty() ? "rearranges" : " and rearranges";
  return text.empty() ? "copies" : text;
}

std::vector<PlanCheck> index_checks(Block& body) {
  std::vector<PlanCheck> checks;
  for (const ErrorSite& site : error_sites(body)) {
    auto load = cast<fuse::LoadAtOp>(site.op);
    auto shape = cast<RankedTensorType>(load.getSource().getType()).getShape();
    for (int d = 0; d < static_cast<int>(shape.size()); ++d) {
      PlanCheck check;
      check.word = site.first_word + 2 * d;
      check.extent = shape[static_cast<size_t>(d)];
      check.dim = d;
      check.op = origin_of(load.getLoc());
      checks.push_back(check);
    }
  }
  return checks;
}

PlanCheck library_check(fuse::LibraryOp op) {
  PlanCheck check;
  check.dim = static_cast<int>(attribute(op, "dim"));
  check.extent = cast<RankedTensorType>(op.getInputs()[0].getType()).getShape()[static_cast<size_t>(check.dim)];
  check.op = origin_of(op.getLoc());
  return check;
}

std::vector<int64_t> library_parameters(fuse::LibraryOp op) {
  auto type = cast<RankedTensorType>(op.getInputs()[0].getType());
  int64_t dim = attribute(op, "dim"), outer = 1, inner = 1;
  for (int64_t d = 0; d < type.getRank(); ++d) {
    if (d < dim) outer *= type.getDimSize(static_cast<unsigned>(d));
    if (d > dim) inner *= type.getDimSize(static_cast<unsigned>(d));
  }
  std::vector<int64_t> parameters(library_parameter_count, 0);
  parameters[library_dtype] = static_cast<int64_t>(dtype_of_type(type.getElementType()));
  parameters[library_outer] = outer;
  parameters[library_extent] = type.getRank() == 0 ? 1 : type.getDimSize(static_cast<unsigned>(dim));
  parameters[library_inner] = inner;
  if (op.getName() == "argsort") parameters[library_option] = attribute(op, "descending");
  if (op.getName() == "scan") {
    parameters[library_option] = attribute(op, "kind", {"sum", "max", "prod"});
    parameters[library_reverse] = attribute(op, "reverse");
  }
  if (op.getName() == "scatter") {
    auto indices = cast<RankedTensorType>(op.getInputs()[1].getType());
    parameters[library_option] = attribute(op, "mode", {"set", "add", "max"});
    parameters[library_index_dtype] = static_cast<int64_t>(dtype_of_type(indices.getElementType()));
    parameters[library_index_count] = indices.getNumElements();
  }
  if (op.getName() == "dynamic_update_slice") {
    if (op.getInputs().size() > 2)
      parameters[library_index_dtype] =
          static_cast<int64_t>(dtype_of_type(cast<RankedTensorType>(op.getInputs()[2].getType()).getElementType()));
    for (unsigned k : {0u, 1u})
      for (int64_t extent : cast<RankedTensorType>(op.getInputs()[k].getType()).getShape())
        parameters.push_back(extent);
  }
  return parameters;
}

bool holds_contract(fuse::KernelOp kernel) { return !kernel.getBody().front().getOps<fuse::ContractOp>().empty(); }

int64_t bytes_of_type(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return tensor.getNumElements() * std::max<int64_t>(1, tensor.getElementType().getIntOrFloatBitWidth() / 8);
}

int64_t flops_of(fuse::KernelOp kernel) {
  int64_t all = 1, flops = 0;
  for (int64_t extent : kernel.getDims()) all *= extent;
  int64_t points = all;  // a contraction's epilogue is computed once a sum
  for (auto contract : kernel.getBody().front().getOps<fuse::ContractOp>())
    for (int64_t d : contract.getOver()) points /= kernel.getDims()[static_cast<size_t>(d)];
  const fuse::BodyDims dims(kernel.getBody().front(), kernel.getInMaps());
  // The sum of an operand is over that operand's points.
  auto summed = [&](fuse::ReduceOp reduce) {
    int64_t count = 1;
    for (auto [d, extent] : llvm::enumerate(kernel.getDims()))
      count *= (dims.of(reduce.getValue()) >> d & 1) != 0 ? extent : 1;
    return count;
  };
  for (Operation& op : kernel.getBody().front().without_terminator()) {
    if (isa<fuse::ContractOp>(op)) flops += 2 * all;
    else if (auto reduce = dyn_cast<fuse::ReduceOp>(op)) flops += holds_contract(kernel) ? summed(reduce) : points;
    else if (isa<FloatType>(op.getResult(0).getType()) && !isa<arith::ConstantOp, fuse::LoadAtOp>(op)) flops += points;
  }
  return flops;
}

int64_t flops_of(fuse::CascadeOp cascade) {
  Block& body = cascade.getBody().front();
  const fuse::BodyDims dims(body, cascade.getInMaps());
  auto points = [&](fuse::DimBits set) {
    int64_t count = 1;
    for (auto [d, extent] : llvm::enumerate(cascade.getDims())) count *= (set >> d & 1) != 0 ? extent : 1;
    return count;
  };
  int64_t flops = 0;
  for (Operation& op : body.without_terminator()) {
    if (op.getNumResults() == 0 || !isa<FloatType>(op.getResult(0).getType())) continue;
    fuse::DimBits set = isa<fuse::ScatterAddOp>(op) ? 0 : dims.of(op.getResult(0));
    for (Value operand : op.getOperands()) set |= dims.of(operand);
    if (isa<fuse::ContractOp>(op)) flops += 2 * points(set);
    else if (!isa<arith::ConstantOp, fuse::LoadAtOp>(op)) flops += points(set);
  }
  const std::optional<ir::BlockCount> blocks = ir::count_blocks(cascade, ir::find_liveness(cascade).blocks);
  if (blocks)
    flops -= static_cast<int64_t>(static_cast<double>(flops) * static_cast<double>(blocks->empty) /
                                  static_cast<double>(blocks->all));
  return flops;
}

std::string dense_bytes(DenseElementsAttr attr) {
  std::string bytes;
  Type element = attr.getElementType();
  auto add = [&](const APInt& value) {
    unsigned width = std::max(1u, value.getBitWidth() / 8);
    uint64_t word = value.getZExtValue();
    bytes.append(reinterpret_cast<const char*>(&word), width);
  };
  if (isa<FloatType>(element)) {
    for (const APFloat& value : attr.getValues<APFloat>()) add(value.bitcastToAPInt());
  } else {
    for (const APInt& value : attr.getValues<APInt>()) add(value);
  }
  return bytes;
}

}  // namespace tessera::codegen
