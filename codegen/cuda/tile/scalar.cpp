#include <tessera/codegen/cuda/tile/scalar.h>

#include <algorithm>
#include <cmath>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace tessera::tile {
namespace {

using namespace mlir;

bool compare(arith::CmpIPredicate predicate, int64_t a, int64_t b) {
  using P = arith::CmpIPredicate;
  switch (predicate) {
    case P::eq: return a == b;
    case P::ne: return a != b;
    case P::slt:
    case P::ult: return a < b;
    case P::sle:
    case P::ule: return a <= b;
    case P::sgt:
    case P::ugt: return a > b;
    case P::sge:
    case P::uge: return a >= b;
  }
  return false;
}

}  // namespace

void Numbers::copy(ValueRange from, ValueRange to) {
  llvm::SmallVector<std::optional<Number>> numbers;
  for (Value value : from) numbers.push_back(get(value));
  for (auto [value, number] : llvm::zip(to, numbers))
    if (number) known_[value] = *number;
}

std::optional<Number> Numbers::get(Value value) const {
  auto found = known_.find(value);
  return found == known_.end() ? std::nullopt : std::optional(found->second);
}

bool Numbers::evaluate(Operation& op) {
  if (auto constant = llvm::dyn_cast<arith::ConstantOp>(op)) {
    if (auto integer = llvm::dyn_cast<IntegerAttr>(constant.getValue()))
      set_integer(constant, integer.getType().isInteger(1) ? !integer.getValue().isZero() : integer.getInt());
    else if (auto real = llvm::dyn_cast<FloatAttr>(constant.getValue()))
      set_real(constant, static_cast<float>(real.getValueAsDouble()));
    return true;
  }
  if (op.getNumResults() != 1 || op.getNumOperands() == 0 || op.getNumOperands() > 3) return false;
  Number n[3];
  for (auto [i, operand] : llvm::enumerate(op.getOperands())) {
    std::optional<Number> number = get(operand);
    if (!number) return false;
    n[i] = *number;
  }
  const int64_t a = n[0].integer, b = n[1].integer;
  const float x = n[0].real, y = n[1].real;
  Value result = op.getResult(0);
  auto integer = [&](int64_t number) {
    set_integer(result, number);
    return true;
  };
  auto real = [&](float number) {
    set_real(result, number);
    return true;
  };
  return llvm::TypeSwitch<Operation*, bool>(&op)
      .Case([&](arith::AddIOp) { return integer(a + b); })
      .Case([&](arith::SubIOp) { return integer(a - b); })
      .Case([&](arith::MulIOp) { return integer(a * b); })
      .Case([&](arith::DivSIOp) { return b != 0 && integer(a / b); })
      .Case([&](arith::RemSIOp) { return b != 0 && integer(a % b); })
      .Case([&](arith::MinSIOp) { return integer(std::min(a, b)); })
      .Case([&](arith::MaxSIOp) { return integer(std::max(a, b)); })
      .Case([&](arith::AndIOp) { return integer(a & b); })
      .Case([&](arith::CmpIOp o) { return integer(compare(o.getPredicate(), a, b)); })
      .Case([&](arith::SelectOp) {
        known_[result] = a ? n[1] : n[2];
        return true;
      })
      .Case([&](arith::AddFOp) { return real(x + y); })
      .Case([&](arith::SubFOp) { return real(x - y); })
      .Case([&](arith::MulFOp) { return real(x * y); })
      .Case([&](arith::DivFOp) { return real(x / y); })
      .Case([&](arith::NegFOp) { return real(-x); })
      .Case([&](arith::MaximumFOp) { return real(std::isnan(x) || x > y ? x : y); })
      .Case([&](math::Exp2Op) { return real(std::exp2(x)); })
      .Case([&](math::Log2Op) { return real(std::log2(x)); })
      .Case([&](math::FmaOp) { return real(std::fma(x, y, n[2].real)); })
      .Default([](Operation*) { return false; });
}

void TilePlace::hand_to(ForTilesOp loop, Numbers& numbers) const {
  const int64_t all[] = {row, column, plane};
  for (mlir::BlockArgument argument : loop.getBody().getArguments())
    numbers.set_integer(argument, all[argument.getArgNumber()]);
}

std::optional<std::vector<TilePlace>> tiles_in_order(ForTilesOp loop, const Numbers& numbers) {
  std::vector<TilePlace> places;
  if (auto raster = loop.getOrder().getDefiningOp<RasterOp>()) {
    auto rows = numbers.get(raster.getRows()), columns = numbers.get(raster.getColumns());
    auto planes = raster.getPlanes() ? numbers.get(raster.getPlanes()) : Number{.integer = 1};
    if (!rows || !columns || !planes) return std::nullopt;
    const auto group = static_cast<int64_t>(raster.getGroup());
    for (int64_t plane = 0; plane < planes->integer; ++plane)
      for (int64_t tile = 0; tile < rows->integer * columns->integer; ++tile) {
        const int64_t per_group = group * columns->integer;
        const int64_t first = tile / per_group * group, inside = tile % per_group;
        const int64_t height = std::min(group, rows->integer - first);
        places.push_back({first + inside % height, inside / height, plane});
      }
    return places;
  }
  auto longest = loop.getOrder().getDefiningOp<LongestFirstOp>();
  if (!longest) return std::nullopt;
  auto rows = numbers.get(longest.getRows()), planes = numbers.get(longest.getPlanes()),
       section = numbers.get(longest.getSection());
  if (!rows || !planes || !section || section->integer <= 0) return std::nullopt;
  for (int64_t tile = 0; tile < rows->integer * planes->integer; ++tile) {
    const int64_t per_section = rows->integer * section->integer;
    const int64_t first = tile / per_section * section->integer, inside = tile % per_section;
    const int64_t width = std::min(section->integer, planes->integer - first);
    places.push_back({rows->integer - 1 - inside / width, first + inside % width});
  }
  return places;
}

}  // namespace tessera::tile
