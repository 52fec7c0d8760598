#include "tests/ir/fuse_body.h"

#include <cmath>
#include <stdexcept>

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <tessera/core/convert.h>
#include <tessera/core/error.h>

namespace tessera::testing {
namespace {

int64_t signless(const Tensor& t, int64_t offset) {
  const int64_t x = load_int(t.data->data(), t.dtype, offset);
  return t.dtype == boolean ? wrapped(x, 1) : wrapped(x, static_cast<unsigned>(size_of(t.dtype) * 8));
}

int64_t offset_at(mlir::AffineExpr e, const Point& at) {
  if (auto c = llvm::dyn_cast<mlir::AffineConstantExpr>(e)) return c.getValue();
  if (auto d = llvm::dyn_cast<mlir::AffineDimExpr>(e)) return at[d.getPosition()];
  auto b = llvm::cast<mlir::AffineBinaryOpExpr>(e);
  const int64_t x = offset_at(b.getLHS(), at), y = offset_at(b.getRHS(), at);
  check_internal(b.getKind() == mlir::AffineExprKind::Add || b.getKind() == mlir::AffineExprKind::Mul,
                 "offsets are linear");
  return b.getKind() == mlir::AffineExprKind::Add ? x + y : x * y;
}
int64_t offset_at(mlir::AffineMap map, const Point& at) { return offset_at(map.getResult(0), at); }
int64_t offset_of(fuse::LoadAtOp op, const Tensor& from, const int64_t* indices) {
  int64_t offset = 0;
  for (int d = 0; d < from.shape.rank(); ++d) {
    const int64_t n = from.shape[d], i = indices[d];
    if ((i < 0 || i >= n) && !op.getClamp()) throw std::out_of_range("fuse.load_at");
    offset = offset * n + std::clamp<int64_t>(i, 0, n - 1);
  }
  return offset;
}

}  // namespace

Shape shape_of(mlir::Type t) { return Shape(Dims(llvm::cast<mlir::RankedTensorType>(t).getShape().vec())); }
DType dtype_of(mlir::Type t) { return dtype_of_element(llvm::cast<mlir::RankedTensorType>(t).getElementType()); }

Tensor empty_tensor(mlir::Type t) {
  const Shape shape = shape_of(t);
  const DType dtype = dtype_of(t);
  return {std::make_shared<Buffer>(static_cast<size_t>(std::max<int64_t>(shape.numel(), 1)) * size_of(dtype)), dtype,
          shape};
}

namespace {

template <class T> T combination(fuse::ReduceKind kind, T a, T b) {
  switch (kind) {
    case fuse::ReduceKind::sum: return a + b;
    case fuse::ReduceKind::prod: return a * b;
    case fuse::ReduceKind::max: return a != a || b != b ? a + b : std::max(a, b);
    case fuse::ReduceKind::min: return a != a || b != b ? a + b : std::min(a, b);
  }
  throw InternalError("unknown kind");
}

}  // namespace

double combined(fuse::ReduceKind kind, double a, double b) { return combination(kind, a, b); }
int64_t combined(fuse::ReduceKind kind, int64_t a, int64_t b) { return combination(kind, a, b); }

void each_point(const std::vector<int64_t>& dims, const std::vector<bool>& depends,
                const std::function<void(const Point&, int64_t)>& body) {
  Point at(dims.size(), 0);
  for (int64_t i = 0;; ++i) {
    body(at, i);
    size_t d = dims.size();
    while (d-- > 0) {
      if (!depends[d]) continue;
      if (++at[d] < dims[d]) break;
      at[d] = 0;
    }
    if (d == static_cast<size_t>(-1)) return;
  }
}

size_t position(const Values& v, const Point& at) {
  int64_t p = 0;
  for (size_t d = 0; d < at.size(); ++d) p += at[d] * v.strides[d];
  return static_cast<size_t>(p);
}

void BodyRun::run() {
  load_inputs();
  for (mlir::Operation& op : block_.without_terminator())
    if (op.getNumResults() == 1) values_[op.getResult(0)] = evaluate(&op);
}

void BodyRun::load_inputs() {
  for (auto [argument, attr, input] : llvm::zip(block_.getArguments(), in_maps_, inputs_)) {
    mlir::AffineMap map = llvm::cast<mlir::AffineMapAttr>(attr).getValue();
    if (fuse::is_whole_tensor(map)) {
      whole_[argument] = &input;
      continue;
    }
    Values v = over(mentioned(map), argument.getType());
    const Tensor& tensor = input;
    each_point(dims_, v.depends, [&](const Point& at, int64_t i) {
      const int64_t offset = offset_at(map, at);
      check_internal(offset >= 0 && offset < tensor.shape.numel(), "a kernel reads outside its input");
      if (v.is_real) v.real[static_cast<size_t>(i)] = load_double(tensor.data->data(), tensor.dtype, offset);
      else v.whole[static_cast<size_t>(i)] = signless(tensor, offset);
    });
    values_[argument] = std::move(v);
  }
}

std::vector<bool> BodyRun::mentioned(mlir::AffineMap map) const {
  std::vector<bool> out(dims_.size());
  for (size_t d = 0; d < out.size(); ++d) out[d] = map.isFunctionOfDim(static_cast<unsigned>(d));
  return out;
}

Values BodyRun::over(std::vector<bool> depends, mlir::Type type) const {
  Values v;
  v.depends = std::move(depends);
  v.strides.assign(dims_.size(), 0);
  int64_t n = 1;
  for (size_t d = dims_.size(); d-- > 0;)
    if (v.depends[d]) {
      v.strides[d] = n;
      n *= dims_[d];
    }
  v.is_real = llvm::isa<mlir::FloatType>(type);
  (v.is_real ? (void)v.real.resize(static_cast<size_t>(n)) : (void)v.whole.resize(static_cast<size_t>(n)));
  return v;
}

std::vector<bool> BodyRun::joined(mlir::ValueRange operands) const {
  std::vector<bool> out(dims_.size());
  for (mlir::Value x : operands)
    if (!whole_.contains(x))
      for (size_t d = 0; d < out.size(); ++d) out[d] = out[d] || values_.find(x)->second.depends[d];
  return out;
}

Values BodyRun::evaluate(mlir::Operation* op) {
  if (auto index = llvm::dyn_cast<fuse::IndexOp>(op)) {
    Values v = over(mentioned(index.getMap()), index.getType());
    each_point(dims_, v.depends,
               [&](const auto& at, int64_t i) { v.whole[static_cast<size_t>(i)] = offset_at(index.getMap(), at); });
    return v;
  }
  auto given = [&](Values v) { return found ? found(op, std::move(v)) : v; };
  if (auto reduce = llvm::dyn_cast<fuse::ReduceOp>(op)) return given(run_reduce(reduce));
  if (auto contract = llvm::dyn_cast<fuse::ContractOp>(op)) return given(run_contract(contract));
  if (auto scatter = llvm::dyn_cast<fuse::ScatterAddOp>(op)) return given(run_scatter(scatter));
  Values v = over(joined(op->getOperands()), op->getResult(0).getType());
  each_point(dims_, v.depends, [&](const Point& at, int64_t i) {
    double reals[3];
    int64_t wholes[8];
    size_t k = 0;
    for (mlir::Value x : op->getOperands()) {
      if (whole_.contains(x)) continue;  // of fuse.load_at
      const Values& operand = values_.find(x)->second;
      if (operand.is_real) reals[k] = operand.real[position(operand, at)];
      else wholes[k] = operand.whole[position(operand, at)];
      ++k;
    }
    if (auto load = llvm::dyn_cast<fuse::LoadAtOp>(op)) {
      const Tensor& from = *whole_.find(load.getSource())->second;
      const int64_t offset = offset_of(load, from, wholes);
      if (v.is_real) v.real[static_cast<size_t>(i)] = load_double(from.data->data(), from.dtype, offset);
      else v.whole[static_cast<size_t>(i)] = signless(from, offset);
    } else if (v.is_real) {
      v.real[static_cast<size_t>(i)] = real_result(op, reals, wholes);
    } else {
      v.whole[static_cast<size_t>(i)] = whole_result(op, reals, wholes);
    }
  });
  return v;
}

Values BodyRun::run_reduce(fuse::ReduceOp op) {
  const Values& x = values_.find(op.getValue())->second;
  std::vector<bool> kept = x.depends;
  for (int64_t d : op.getOver()) kept[static_cast<size_t>(d)] = false;
  Values v = over(kept, op.getType());
  std::vector<char> seen(std::max(v.real.size(), v.whole.size()), 0);
  const unsigned width = v.is_real ? 0 : op.getType().getIntOrFloatBitWidth();
  // A sum over dims that the value does not depend on counts it once for each of their points.
  std::vector<bool> domain = kept;
  for (int64_t d : op.getOver()) domain[static_cast<size_t>(d)] = true;
  each_point(dims_, domain, [&](const Point& at, int64_t) {
    if (counts && !counts(op, at)) return;
    const size_t from = position(x, at), to = position(v, at);
    if (v.is_real) v.real[to] = seen[to] ? combined(op.getKind(), v.real[to], x.real[from]) : x.real[from];
    else v.whole[to] = seen[to] ? wrapped(combined(op.getKind(), v.whole[to], x.whole[from]), width) : x.whole[from];
    seen[to] = 1;
  });
  return v;
}

Values BodyRun::run_contract(fuse::ContractOp op) {
  const Values &a = values_.find(op.getLhs())->second, &b = values_.find(op.getRhs())->second;
  std::vector<bool> domain = joined(op->getOperands()), kept;
  for (int64_t d : op.getOver()) domain[static_cast<size_t>(d)] = true;
  kept = domain;
  for (int64_t d : op.getOver()) kept[static_cast<size_t>(d)] = false;
  Values v = over(kept, op.getType());
  const unsigned width = v.is_real ? 0 : op.getType().getIntOrFloatBitWidth();
  each_point(dims_, domain, [&](const Point& at, int64_t) {
    if (counts && !counts(op, at)) return;
    const size_t p = position(a, at), q = position(b, at), to = position(v, at);
    if (v.is_real) v.real[to] += a.real[p] * b.real[q];
    else v.whole[to] = wrapped(v.whole[to] + a.whole[p] * b.whole[q], width);
  });
  return v;
}

Values BodyRun::run_scatter(fuse::ScatterAddOp op) {
  const Values &x = values_.find(op.getValue())->second, &entry = values_.find(op.getEntry())->second;
  std::vector<bool> domain = joined(op->getOperands()), kept;
  for (int64_t d : op.getOver()) domain[static_cast<size_t>(d)] = true;
  kept = domain;
  for (int64_t d : op.getOver()) kept[static_cast<size_t>(d)] = false;
  kept[op.getDim()] = true;
  Values v = over(kept, op.getType());
  each_point(dims_, domain, [&](const Point& at, int64_t) {
    if (counts && !counts(op, at)) return;
    Point to = at;
    to[op.getDim()] = entry.whole[position(entry, at)];
    if (to[op.getDim()] < 0 || to[op.getDim()] >= dims_[op.getDim()]) return;
    v.real[position(v, to)] += x.real[position(x, at)];
  });
  return v;
}

std::vector<Tensor> BodyRun::results(mlir::ArrayAttr out_maps, mlir::TypeRange types, const std::vector<Tensor>& inits,
                                     llvm::ArrayRef<int64_t> init_of) const {
  std::vector<Tensor> out;
  auto yield = llvm::cast<fuse::YieldOp>(block_.getTerminator());
  for (auto [k, x] : llvm::enumerate(yield.getValues())) {
    Tensor t = empty_tensor(types[k]);
    std::vector<char> written(static_cast<size_t>(t.shape.numel()), 0);
    if (!inits.empty() && init_of[k] != -1) {
      const Tensor& init =
          init_of[k] >= 0 ? inits[static_cast<size_t>(init_of[k])] : out[static_cast<size_t>(-2 - init_of[k])];
      std::copy_n(static_cast<const char*>(init.data->data()), t.data->bytes(), static_cast<char*>(t.data->data()));
      written.assign(written.size(), 1);
    }
    mlir::AffineMap map = llvm::cast<mlir::AffineMapAttr>(out_maps[static_cast<unsigned>(k)]).getValue();
    const Values& v = values_.find(x)->second;
    const std::vector<bool> dims = mentioned(map);
    for (size_t d = 0; d < dims.size(); ++d)
      check_internal(dims[d] || !v.depends[d], "a result depends on a dim that its place does not");
    each_point(dims_, dims, [&](const Point& at, int64_t) {
      const int64_t offset = offset_at(map, at);
      check_internal(offset >= 0 && offset < t.shape.numel(), "a kernel writes outside its result");
      if (v.is_real) store_double(t.data->data(), t.dtype, offset, v.real[position(v, at)]);
      else
        store_int(t.data->data(), t.dtype, offset,
                  t.dtype == boolean ? v.whole[position(v, at)] != 0 : v.whole[position(v, at)]);
      written[static_cast<size_t>(offset)] = 1;
    });
    for (char w : written) check_internal(w, "a kernel leaves elements of its result unwritten");
    out.push_back(std::move(t));
  }
  return out;
}

}  // namespace tessera::testing
