#include "tests/ir/fuse_scalar.h"

#include <cmath>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <tessera/core/convert.h>
#include <tessera/core/error.h>
#include <tessera/core/random.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::testing {

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

int64_t wrapped(int64_t x, unsigned width) {
  if (width >= 64) return x;
  const int shift = 64 - static_cast<int>(width);
  return static_cast<int64_t>(static_cast<uint64_t>(x) << shift) >> shift;
}

namespace {

uint64_t as_unsigned(int64_t x, unsigned width) {
  return width >= 64 ? static_cast<uint64_t>(x) : static_cast<uint64_t>(x) & ((uint64_t{1} << width) - 1);
}

double rounded(double x, mlir::Type type) {
  char bytes[8];
  const DType t = dtype_of_element(type);
  store_double(bytes, t, 0, x);
  return load_double(bytes, t, 0);
}

double unrounded(mlir::Operation* op, const double* x, const int64_t* n) {
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
      .Default([](mlir::Operation* o) -> double {
        throw InternalError("no meaning for " + o->getName().getStringRef().str());
      });
}

}  // namespace

double real_result(mlir::Operation* op, const double* x, const int64_t* n) {
  return rounded(unrounded(op, x, n), op->getResult(0).getType());
}

int64_t whole_result(mlir::Operation* op, const double* x, const int64_t* n) {
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
          .Default([](mlir::Operation* o) -> int64_t {
            throw InternalError("no meaning for " + o->getName().getStringRef().str());
          });
  return wrapped(value, width);
}

}  // namespace tessera::testing
