#include "tests/ir/fuse_interpreter.h"

#include <cmath>
#include <map>
#include <stdexcept>

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"

#include <tessera/core/convert.h>
#include <tessera/core/error.h>
#include <tessera/core/random.h>
#include <tessera/core/reference.h>
#include <tessera/ir/compile_ir.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::testing {
namespace {

namespace arith = mlir::arith;
namespace math = mlir::math;

DType dtype_of_element(mlir::Type t) {
  if (t.isF64()) return f64;
  if (t.isF32()) return f32;
  if (t.isF16()) return f16;
  if (t.isBF16()) return bf16;
  if (llvm::isa<mlir::Float8E4M3FNType>(t)) return f8e4m3;
  if (llvm::isa<mlir::Float8E5M2Type>(t)) return f8e5m2;
  const unsigned width = t.getIntOrFloatBitWidth();
  if (t.isUnsignedInteger()) return width == 32 ? u32 : u8;
  return width == 64 ? i64 : width == 32 ? i32 : width == 16 ? i16 : width == 8 ? i8 : boolean;
}

Shape shape_of(mlir::Type t) { return Shape(Dims(llvm::cast<mlir::RankedTensorType>(t).getShape().vec())); }
DType dtype_of_tensor(mlir::Type t) { return dtype_of_element(llvm::cast<mlir::RankedTensorType>(t).getElementType()); }

struct Tensor {
  BufferPtr data;
  DType dtype;
  Shape shape;
};

Tensor empty(mlir::Type t) {
  const Shape shape = shape_of(t);
  const DType dtype = dtype_of_tensor(t);
  return {std::make_shared<Buffer>(static_cast<size_t>(std::max<int64_t>(shape.numel(), 1)) * size_of(dtype)), dtype,
          shape};
}

// A scalar at each point of the dims that it depends on. Reals in `real`, integers sign-extended in `whole`.
struct Values {
  std::vector<bool> depends;
  std::vector<int64_t> strides;  // 0 for other dims
  bool is_real = false;
  std::vector<double> real;
  std::vector<int64_t> whole;
};

int64_t wrapped(int64_t x, unsigned width) {
  if (width >= 64) return x;
  const int shift = 64 - static_cast<int>(width);
  return static_cast<int64_t>(static_cast<uint64_t>(x) << shift) >> shift;
}
uint64_t as_unsigned(int64_t x, unsigned width) {
  return width >= 64 ? static_cast<uint64_t>(x) : static_cast<uint64_t>(x) & ((uint64_t{1} << width) - 1);
}

class KernelRun {
 public:
  KernelRun(fuse::KernelOp kernel, const std::vector<Tensor>& inputs, const std::vector<Tensor>& inits)
      : kernel_(kernel), inputs_(inputs), inits_(inits), dims_(kernel.getDims().vec()) {}

  std::vector<Tensor> run() {
    mlir::Block& body = kernel_.getBody().front();
    for (auto [argument, attr, input] : llvm::zip(body.getArguments(), kernel_.getInMaps(), inputs_)) {
      mlir::AffineMap map = llvm::cast<mlir::AffineMapAttr>(attr).getValue();
      if (fuse::is_whole_tensor(map)) {
        whole_[argument] = &input;
        continue;
      }
      Values v = over(mentioned(map), argument.getType());
      const Tensor& tensor = input;
      each(v.depends, [&](const std::vector<int64_t>& at, int64_t i) {
        const int64_t offset = evaluate(map, at);
        check_internal(offset >= 0 && offset < tensor.shape.numel(), "a kernel reads outside its input");
        if (v.is_real) v.real[static_cast<size_t>(i)] = load_double(tensor.data->data(), tensor.dtype, offset);
        else v.whole[static_cast<size_t>(i)] = signless(tensor, offset);
      });
      values_[argument] = std::move(v);
    }
    for (mlir::Operation& op : body.without_terminator()) values_[op.getResult(0)] = evaluate(&op);
    return results();
  }

 private:
  static int64_t signless(const Tensor& t, int64_t offset) {
    const int64_t x = load_int(t.data->data(), t.dtype, offset);
    return t.dtype == boolean ? wrapped(x, 1) : wrapped(x, static_cast<unsigned>(size_of(t.dtype) * 8));
  }

  std::vector<bool> mentioned(mlir::AffineMap map) const {
    std::vector<bool> out(dims_.size());
    for (size_t d = 0; d < out.size(); ++d) out[d] = map.isFunctionOfDim(static_cast<unsigned>(d));
    return out;
  }

  static int64_t evaluate(mlir::AffineMap map, const std::vector<int64_t>& at) {
    return evaluate(map.getResult(0), at);
  }
  static int64_t evaluate(mlir::AffineExpr e, const std::vector<int64_t>& at) {
    if (auto c = llvm::dyn_cast<mlir::AffineConstantExpr>(e)) return c.getValue();
    if (auto d = llvm::dyn_cast<mlir::AffineDimExpr>(e)) return at[d.getPosition()];
    auto b = llvm::cast<mlir::AffineBinaryOpExpr>(e);
    const int64_t x = evaluate(b.getLHS(), at), y = evaluate(b.getRHS(), at);
    check_internal(b.getKind() == mlir::AffineExprKind::Add || b.getKind() == mlir::AffineExprKind::Mul,
                   "offsets are linear");
    return b.getKind() == mlir::AffineExprKind::Add ? x + y : x * y;
  }

  Values over(std::vector<bool> depends, mlir::Type type) const {
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

  // body(indices, position among the points of `depends`)
  template <class Body> void each(const std::vector<bool>& depends, Body body) const {
    std::vector<int64_t> at(dims_.size(), 0);
    for (int64_t i = 0;; ++i) {
      body(at, i);
      size_t d = dims_.size();
      while (d-- > 0) {
        if (!depends[d]) continue;
        if (++at[d] < dims_[d]) break;
        at[d] = 0;
      }
      if (d == static_cast<size_t>(-1)) return;
    }
  }

  static size_t position(const Values& v, const std::vector<int64_t>& at) {
    int64_t p = 0;
    for (size_t d = 0; d < at.size(); ++d) p += at[d] * v.strides[d];
    return static_cast<size_t>(p);
  }

  std::vector<bool> joined(mlir::ValueRange operands) {
    std::vector<bool> out(dims_.size());
    for (mlir::Value x : operands)
      if (!whole_.contains(x))
        for (size_t d = 0; d < out.size(); ++d) out[d] = out[d] || values_.find(x)->second.depends[d];
    return out;
  }

  Values evaluate(mlir::Operation* op) {
    if (auto index = llvm::dyn_cast<fuse::IndexOp>(op)) {
      Values v = over(mentioned(index.getMap()), index.getType());
      each(v.depends,
           [&](const auto& at, int64_t i) { v.whole[static_cast<size_t>(i)] = evaluate(index.getMap(), at); });
      return v;
    }
    if (auto reduce = llvm::dyn_cast<fuse::ReduceOp>(op)) return run_reduce(reduce);
    if (auto contract = llvm::dyn_cast<fuse::ContractOp>(op)) return run_contract(contract);
    Values v = over(joined(op->getOperands()), op->getResult(0).getType());
    each(v.depends, [&](const std::vector<int64_t>& at, int64_t i) {
      double reals[3];
      int64_t wholes[8];
      size_t k = 0;
      for (mlir::Value x : op->getOperands()) {
        if (whole_.contains(x)) continue;
        const Values& operand = values_.find(x)->second;
        if (operand.is_real) reals[k] = operand.real[position(operand, at)];
        else wholes[k] = operand.whole[position(operand, at)];
        ++k;
      }
      if (v.is_real) v.real[static_cast<size_t>(i)] = rounded(real(op, reals, wholes), op->getResult(0).getType());
      else v.whole[static_cast<size_t>(i)] = whole(op, reals, wholes);
    });
    return v;
  }

  Values run_reduce(fuse::ReduceOp op) {
    const Values& x = values_.find(op.getValue())->second;
    std::vector<bool> kept = x.depends;
    for (int64_t d : op.getOver()) kept[static_cast<size_t>(d)] = false;
    Values v = over(kept, op.getType());
    std::vector<char> seen(std::max(v.real.size(), v.whole.size()), 0);
    auto combine = [&](auto a, auto b) {
      using T = decltype(a);
      switch (op.getKind()) {
        case fuse::ReduceKind::sum: return static_cast<T>(a + b);
        case fuse::ReduceKind::prod: return static_cast<T>(a * b);
        case fuse::ReduceKind::max: return a != a || b != b ? a + b : std::max(a, b);
        case fuse::ReduceKind::min: return a != a || b != b ? a + b : std::min(a, b);
      }
      throw InternalError("unknown kind");
    };
    const unsigned width = v.is_real ? 0 : op.getType().getIntOrFloatBitWidth();
    // A sum over dims that the value does not depend on counts it once for each of their points.
    std::vector<bool> domain = kept;
    for (int64_t d : op.getOver()) domain[static_cast<size_t>(d)] = true;
    each(domain, [&](const std::vector<int64_t>& at, int64_t) {
      const size_t from = position(x, at), to = position(v, at);
      if (v.is_real) v.real[to] = seen[to] ? combine(v.real[to], x.real[from]) : x.real[from];
      else v.whole[to] = seen[to] ? wrapped(combine(v.whole[to], x.whole[from]), width) : x.whole[from];
      seen[to] = 1;
    });
    return v;
  }

  Values run_contract(fuse::ContractOp op) {
    const Values &a = values_.find(op.getLhs())->second, &b = values_.find(op.getRhs())->second;
    std::vector<bool> domain = joined(op->getOperands()), kept;
    for (int64_t d : op.getOver()) domain[static_cast<size_t>(d)] = true;
    kept = domain;
    for (int64_t d : op.getOver()) kept[static_cast<size_t>(d)] = false;
    Values v = over(kept, op.getType());
    const unsigned width = v.is_real ? 0 : op.getType().getIntOrFloatBitWidth();
    each(domain, [&](const std::vector<int64_t>& at, int64_t) {
      const size_t p = position(a, at), q = position(b, at), to = position(v, at);
      if (v.is_real) v.real[to] += a.real[p] * b.real[q];
      else v.whole[to] = wrapped(v.whole[to] + a.whole[p] * b.whole[q], width);
    });
    return v;
  }

  static double rounded(double x, mlir::Type type) {
    char bytes[8];
    const DType t = dtype_of_element(type);
    store_double(bytes, t, 0, x);
    return load_double(bytes, t, 0);
  }

  int64_t load_at(fuse::LoadAtOp op, const int64_t* indices, const Tensor*& tensor) {
    tensor = whole_.find(op.getSource())->second;
    int64_t offset = 0;
    for (int d = 0; d < tensor->shape.rank(); ++d) {
      const int64_t n = tensor->shape[d], i = indices[d];
      if ((i < 0 || i >= n) && !op.getClamp()) throw std::out_of_range("fuse.load_at");
      offset = offset * n + std::clamp<int64_t>(i, 0, n - 1);
    }
    return offset;
  }

  double real(mlir::Operation* op, const double* x, const int64_t* n) {
    return llvm::TypeSwitch<mlir::Operation*, double>(op)
        .Case([&](arith::ConstantOp c) { return llvm::cast<mlir::FloatAttr>(c.getValue()).getValueAsDouble(); })
        .Case([&](arith::AddFOp) { return x[0] + x[1]; })
        .Case([&](arith::SubFOp) { return x[0] - x[1]; })
        .Case([&](arith::MulFOp) { return x[0] * x[1]; })
        .Case([&](arith::DivFOp) { return x[0] / x[1]; })
        .Case([&](arith::NegFOp) { return -x[0]; })
        .Case([&](arith::MaximumFOp) { return x[0] != x[0] || x[1] != x[1] ? x[0] + x[1] : std::max(x[0], x[1]); })
        .Case([&](arith::MinimumFOp) { return x[0] != x[0] || x[1] != x[1] ? x[0] + x[1] : std::min(x[0], x[1]); })
        .Case([&](arith::SelectOp) { return n[0] ? x[1] : x[2]; })
        .Case([&](arith::ExtFOp) { return x[0]; })
        .Case([&](arith::TruncFOp t) { return rounded(x[0], t.getType()); })
        .Case([&](arith::SIToFPOp t) { return rounded(static_cast<double>(n[0]), t.getType()); })
        .Case([&](arith::UIToFPOp t) {
          const unsigned width = t.getIn().getType().getIntOrFloatBitWidth();
          return rounded(static_cast<double>(as_unsigned(n[0], width)), t.getType());
        })
        .Case([&](math::ExpOp) { return std::exp(x[0]); })
        .Case([&](math::Exp2Op) { return std::exp2(x[0]); })
        .Case([&](math::LogOp) { return std::log(x[0]); })
        .Case([&](math::Log1pOp) { return std::log1p(x[0]); })
        .Case([&](math::ExpM1Op) { return std::expm1(x[0]); })
        .Case([&](math::TanhOp) { return std::tanh(x[0]); })
        .Case([&](math::ErfOp) { return std::erf(x[0]); })
        .Case([&](math::SqrtOp) { return std::sqrt(x[0]); })
        .Case([&](math::RsqrtOp) { return 1 / std::sqrt(x[0]); })
        .Case([&](math::SinOp) { return std::sin(x[0]); })
        .Case([&](math::CosOp) { return std::cos(x[0]); })
        .Case([&](math::FloorOp) { return std::floor(x[0]); })
        .Case([&](math::CeilOp) { return std::ceil(x[0]); })
        .Case([&](math::RoundEvenOp) { return std::nearbyint(x[0]); })
        .Case([&](math::AbsFOp) { return std::fabs(x[0]); })
        .Case([&](math::PowFOp) { return std::pow(x[0], x[1]); })
        .Case([&](fuse::RandomOp r) {
          return static_cast<double>(random_uniform(static_cast<uint64_t>(n[0]), r.getStream(),
                                                    static_cast<uint64_t>(n[1]), static_cast<uint64_t>(n[2])));
        })
        .Case([&](fuse::LoadAtOp l) {
          const Tensor* t = nullptr;
          const int64_t offset = load_at(l, n, t);
          return load_double(t->data->data(), t->dtype, offset);
        })
        .Default([](mlir::Operation* o) -> double {
          throw InternalError("no meaning for " + o->getName().getStringRef().str());
        });
  }

  int64_t whole(mlir::Operation* op, const double* x, const int64_t* n) {
    mlir::Type type = op->getResult(0).getType();
    const unsigned width = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
    auto bits = [&](int64_t v) {
      mlir::Type from = op->getOperand(0).getType();
      return as_unsigned(v, from.isIndex() ? 64 : from.getIntOrFloatBitWidth());
    };
    const int64_t value =
        llvm::TypeSwitch<mlir::Operation*, int64_t>(op)
            .Case([&](arith::ConstantOp c) {
              return llvm::cast<mlir::IntegerAttr>(c.getValue()).getValue().getSExtValue();
            })
            .Case([&](arith::AddIOp) { return wrap(static_cast<uint64_t>(n[0]) + static_cast<uint64_t>(n[1])); })
            .Case([&](arith::SubIOp) { return wrap(static_cast<uint64_t>(n[0]) - static_cast<uint64_t>(n[1])); })
            .Case([&](arith::MulIOp) { return wrap(static_cast<uint64_t>(n[0]) * static_cast<uint64_t>(n[1])); })
            .Case([&](arith::DivSIOp) { return n[0] / n[1]; })
            .Case([&](arith::RemSIOp) { return n[0] % n[1]; })
            .Case([&](arith::DivUIOp) { return wrap(bits(n[0]) / bits(n[1])); })
            .Case([&](arith::AndIOp) { return n[0] & n[1]; })
            .Case([&](arith::OrIOp) { return n[0] | n[1]; })
            .Case([&](arith::XOrIOp) { return n[0] ^ n[1]; })
            .Case([&](arith::MaxSIOp) { return std::max(n[0], n[1]); })
            .Case([&](arith::MinSIOp) { return std::min(n[0], n[1]); })
            .Case([&](arith::MaxUIOp) { return bits(n[0]) > bits(n[1]) ? n[0] : n[1]; })
            .Case([&](arith::MinUIOp) { return bits(n[0]) < bits(n[1]) ? n[0] : n[1]; })
            .Case([&](arith::ExtSIOp) { return n[0]; })
            .Case([&](arith::ExtUIOp) { return wrap(bits(n[0])); })
            .Case([&](arith::TruncIOp) { return n[0]; })
            .Case([&](arith::IndexCastOp) { return n[0]; })
            .Case([&](arith::FPToSIOp) { return static_cast<int64_t>(x[0]); })
            .Case([&](arith::FPToUIOp) { return static_cast<int64_t>(x[0]); })
            .Case([&](arith::SelectOp) { return n[0] ? n[1] : n[2]; })
            .Case([&](arith::CmpFOp c) -> int64_t {
              return arith::applyCmpPredicate(c.getPredicate(), llvm::APFloat(x[0]), llvm::APFloat(x[1]));
            })
            .Case([&](arith::CmpIOp c) -> int64_t {
              mlir::Type from = c.getLhs().getType();
              const unsigned w = from.isIndex() ? 64 : from.getIntOrFloatBitWidth();
              return arith::applyCmpPredicate(c.getPredicate(), llvm::APInt(w, static_cast<uint64_t>(n[0]), true, true),
                                              llvm::APInt(w, static_cast<uint64_t>(n[1]), true, true));
            })
            .Case([&](fuse::RandomOp r) -> int64_t {
              return random_bits(static_cast<uint64_t>(n[0]), r.getStream(), static_cast<uint64_t>(n[1]),
                                 static_cast<uint64_t>(n[2]));
            })
            .Case([&](fuse::LoadAtOp l) {
              const Tensor* t = nullptr;
              const int64_t offset = load_at(l, n, t);
              return signless(*t, offset);
            })
            .Default([](mlir::Operation* o) -> int64_t {
              throw InternalError("no meaning for " + o->getName().getStringRef().str());
            });
    return wrapped(value, width);
  }

  std::vector<Tensor> results() {
    std::vector<Tensor> out;
    auto yield = llvm::cast<fuse::YieldOp>(kernel_.getBody().front().getTerminator());
    auto of = kernel_.getInitOf();
    for (auto [k, x] : llvm::enumerate(yield.getValues())) {
      Tensor t = empty(kernel_.getResult(k).getType());
      std::vector<char> written(static_cast<size_t>(t.shape.numel()), 0);
      if (of && !inits_.empty() && (*of)[k] >= 0) {
        const Tensor& init = inits_[static_cast<size_t>((*of)[k])];
        std::copy_n(static_cast<const char*>(init.data->data()), t.data->bytes(), static_cast<char*>(t.data->data()));
        written.assign(written.size(), 1);
      }
      mlir::AffineMap map = llvm::cast<mlir::AffineMapAttr>(kernel_.getOutMaps()[k]).getValue();
      const Values& v = values_.find(x)->second;
      const std::vector<bool> dims = mentioned(map);
      for (size_t d = 0; d < dims.size(); ++d)
        check_internal(dims[d] || !v.depends[d], "a result depends on a dim that its place does not");
      each(dims, [&](const std::vector<int64_t>& at, int64_t) {
        const int64_t offset = evaluate(map, at);
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

  fuse::KernelOp kernel_;
  const std::vector<Tensor>& inputs_;
  const std::vector<Tensor>& inits_;
  std::vector<int64_t> dims_;
  llvm::DenseMap<mlir::Value, Values> values_;
  llvm::DenseMap<mlir::Value, const Tensor*> whole_;
};

Attrs attributes_of(fuse::LibraryOp op) {
  auto number = [&](const char* n) { return op->getAttrOfType<mlir::IntegerAttr>(n).getInt(); };
  auto flag = [&](const char* n) { return op->getAttrOfType<mlir::BoolAttr>(n).getValue(); };
  auto word = [&](const char* n) { return op->getAttrOfType<mlir::StringAttr>(n).getValue(); };
  if (op.getName() == "argsort") return ArgSortAttrs{number("dim"), flag("descending")};
  if (op.getName() == "scan")
    return ScanAttrs{word("kind") == "sum"   ? ScanKind::sum
                     : word("kind") == "max" ? ScanKind::max
                                             : ScanKind::prod,
                     number("dim"), flag("reverse")};
  if (op.getName() == "scatter")
    return ScatterAttrs{number("dim"), word("mode") == "set"   ? ScatterMode::set
                                       : word("mode") == "add" ? ScatterMode::add
                                                               : ScatterMode::max};
  if (op.getName() == "dynamic_update_slice") return NoAttrs{};
  return DimAttrs{number("dim")};
}

Tensor run_library(fuse::LibraryOp op, const std::vector<Tensor>& inputs) {
  Instruction call;
  for (const OpRow& r : op_table())
    if (std::string_view(op.getName()) == r.name) call.op = r.op;
  call.dtype = dtype_of_tensor(op.getType());
  call.shape = shape_of(op.getType());
  call.attrs = attributes_of(op);
  std::vector<Instruction> types(inputs.size());
  std::vector<const Instruction*> pointers;
  std::vector<BufferPtr> buffers;
  for (size_t i = 0; i < inputs.size(); ++i) {
    types[i].dtype = inputs[i].dtype;
    types[i].shape = inputs[i].shape;
    pointers.push_back(&types[i]);
    buffers.push_back(inputs[i].data);
  }
  return {run_reference(call, pointers, buffers), call.dtype, call.shape};
}

class Interpreted : public Executable {
 public:
  explicit Interpreted(const Program& program) {
    ir::load_dialects(context_);
    module_ = ir::import_program(context_, program);
    ir::lower_to_fuse(*module_);
  }

  std::vector<BufferPtr> run(const Program&, std::vector<BufferPtr>& arguments) override {
    auto function = *module_->getOps<mlir::func::FuncOp>().begin();
    llvm::DenseMap<mlir::Value, Tensor> tensors;
    for (auto [argument, data] : llvm::zip(function.getArguments(), arguments))
      tensors[argument] = {data, dtype_of_tensor(argument.getType()), shape_of(argument.getType())};
    auto of = [&](mlir::ValueRange range) {
      std::vector<Tensor> out;
      for (mlir::Value v : range) out.push_back(tensors.find(v)->second);
      return out;
    };
    std::vector<BufferPtr> results;
    for (mlir::Operation& op : function.getBody().front()) {
      if (auto kernel = llvm::dyn_cast<fuse::KernelOp>(op)) {
        const std::vector<Tensor> inputs = of(kernel.getInputs()), inits = of(kernel.getInits());
        std::vector<Tensor> out = KernelRun(kernel, inputs, inits).run();
        for (auto [result, tensor] : llvm::zip(kernel.getResults(), out)) tensors[result] = tensor;
      } else if (auto library = llvm::dyn_cast<fuse::LibraryOp>(op)) {
        tensors[library.getResult()] = run_library(library, of(library.getInputs()));
      } else if (llvm::isa<mlir::tensor::EmptyOp>(op)) {
        tensors[op.getResult(0)] = empty(op.getResult(0).getType());
      } else {
        for (const Tensor& t : of(op.getOperands())) results.push_back(t.data);
      }
    }
    return results;
  }

  std::string text(const Program&, std::string_view) const override {
    std::string out;
    llvm::raw_string_ostream stream(out);
    module_.get()->print(stream);
    return out;
  }

 private:
  mlir::MLIRContext context_{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module_;
};

class FuseInterpreter : public Executor {
 public:
  std::string_view name() const override { return "fuse-interpreter"; }
  std::shared_ptr<Executable> compile(const Program& program) override {
    return std::make_shared<Interpreted>(program);
  }
};

}  // namespace

std::unique_ptr<Executor> make_fuse_interpreter() { return std::make_unique<FuseInterpreter>(); }

}  // namespace tessera::testing
