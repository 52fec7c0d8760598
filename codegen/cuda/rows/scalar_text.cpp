#include <tessera/codegen/cuda/rows/scalar_text.h>

#include <cmath>
#include <map>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinTypes.h"

#include <fmt/format.h>

#include <tessera/codegen/cuda/print/sign_of.h>
#include <tessera/codegen/cuda/rows/spelling.h>
#include <tessera/codegen/cuda/rows/unsupported.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::cuda {

using namespace mlir;

namespace {

std::string real_text(double x, bool is_double) {
  const std::string word = is_double ? "static_cast<double>(infinity)" : "infinity";
  if (std::isnan(x)) return is_double ? "static_cast<double>(not_a_number)" : "not_a_number";
  if (std::isinf(x)) return (x < 0 ? "-" : "") + word;
  std::string digits = is_double ? fmt::format("{}", x) : fmt::format("{}", static_cast<float>(x));
  if (digits.find_first_of(".e") == std::string::npos) digits += ".";
  return is_double ? digits : digits + "f";
}

bool is_unsigned(arith::CmpIPredicate p) {
  using P = arith::CmpIPredicate;
  return p == P::ult || p == P::ule || p == P::ugt || p == P::uge;
}

std::string compare_reals(arith::CmpFPredicate predicate, const std::string& x, const std::string& y) {
  using P = arith::CmpFPredicate;
  switch (predicate) {
    case P::OEQ: return x + " == " + y;
    case P::UNE: return x + " != " + y;
    case P::OLT: return x + " < " + y;
    case P::OLE: return x + " <= " + y;
    case P::OGT: return x + " > " + y;
    case P::OGE: return x + " >= " + y;
    case P::ULT: return "!(" + x + " >= " + y + ")";
    case P::ULE: return "!(" + x + " > " + y + ")";
    case P::UGT: return "!(" + x + " <= " + y + ")";
    case P::UGE: return "!(" + x + " < " + y + ")";
    case P::ONE: return x + " < " + y + " || " + x + " > " + y;
    case P::UEQ: return "!(" + x + " < " + y + " || " + x + " > " + y + ")";
    case P::ORD: return x + " == " + x + " && " + y + " == " + y;
    case P::UNO: return x + " != " + x + " || " + y + " != " + y;
    default: throw Unsupported{"a comparison that is always the same"};
  }
}

// Infix signs; integers of the user wrap and so are calls.
const char* infix(Operation* op) {
  return llvm::StringSwitch<const char*>(op->getName().getStringRef())
      .Case("arith.addf", "+")
      .Case("arith.subf", "-")
      .Case("arith.mulf", "*")
      .Case("arith.divf", "/")
      .Cases({"arith.andi"}, "&")
      .Cases({"arith.ori"}, "|")
      .Cases({"arith.xori"}, "^")
      .Default(nullptr);
}

const char* function(Operation* op) {
  return llvm::StringSwitch<const char*>(op->getName().getStringRef())
      .Case("arith.addi", "wrapping_add")
      .Case("arith.subi", "wrapping_sub")
      .Case("arith.muli", "wrapping_mul")
      .Case("arith.divsi", "divide")
      .Case("arith.remsi", "remainder")
      .Case("arith.floordivsi", "floor_divide")
      .Cases({"arith.maximumf", "arith.maxsi"}, "maximum")
      .Cases({"arith.minimumf", "arith.minsi"}, "minimum")
      .Default(nullptr);
}

const char* unsigned_function(Operation* op) {
  return llvm::StringSwitch<const char*>(op->getName().getStringRef())
      .Case("arith.divui", "divide")
      .Case("arith.remui", "remainder")
      .Case("arith.maxui", "maximum")
      .Case("arith.minui", "minimum")
      .Default(nullptr);
}

// The device's own function of one type; f32 has the suffix f.
const char* math_function(StringRef name) {
  return llvm::StringSwitch<const char*>(name)
      .Case("math.absf", "fabs")
      .Case("math.ceil", "ceil")
      .Case("math.cos", "cos")
      .Case("math.erf", "erf")
      .Case("math.exp", "exp")
      .Case("math.exp2", "exp2")
      .Case("math.expm1", "expm1")
      .Case("math.floor", "floor")
      .Case("math.fma", "fma")
      .Case("math.log", "log")
      .Case("math.log1p", "log1p")
      .Case("math.log2", "log2")
      .Case("math.powf", "pow")
      .Case("math.roundeven", "rint")
      .Case("math.rsqrt", "rsqrt")
      .Case("math.sin", "sin")
      .Case("math.sqrt", "sqrt")
      .Case("math.tanh", "tanh")
      .Default(nullptr);
}

bool is_stored_only(Type type) { return type.isBF16() || type.isF16() || isa<Float8E4M3FNType, Float8E5M2Type>(type); }

std::string widened(const std::string& x, Type from, Type to) {
  const std::string as_float = is_stored_only(from) ? "widen(" + x + ")" : x;
  return to.isF64() ? "static_cast<double>(" + as_float + ")" : as_float;
}

std::string narrowed(const std::string& x, Type to) {
  if (is_stored_only(to)) return "narrow<" + type_text(to) + ">(" + x + ")";
  return "static_cast<" + type_text(to) + ">(" + x + ")";
}

std::string joined(const std::vector<std::string>& items) {
  std::string all;
  for (const std::string& item : items) all += (all.empty() ? "" : ", ") + item;
  return all;
}

// e^−x of 1 / (1 + e^−x).
bool is_of_sigmoid(math::ExpOp exp) {
  if (!exp.getOperand().getDefiningOp<arith::NegFOp>()) return false;
  return llvm::all_of(exp->getUsers(), [](Operation* user) {
    auto sum = dyn_cast<arith::AddFOp>(user);
    auto one = sum ? sum.getLhs().getDefiningOp<arith::ConstantOp>() : nullptr;
    auto value = one ? dyn_cast<FloatAttr>(one.getValue()) : nullptr;
    return value && value.getValueAsDouble() == 1;
  });
}

}  // namespace

std::string type_text(Type type) {
  if (type.isF32()) return "float";
  if (type.isF64()) return "double";
  if (type.isBF16()) return "bf16";
  if (type.isF16()) return "f16";
  if (isa<Float8E4M3FNType>(type)) return "f8e4m3";
  if (isa<Float8E5M2Type>(type)) return "f8e5m2";
  if (type.isIndex()) return "i64";
  if (auto integer = dyn_cast<IntegerType>(type)) {
    switch (integer.getWidth()) {
      case 1: return "bool";
      case 8: return "i8";
      case 16: return "i16";
      case 32: return "int";
      case 64: return "i64";
      default: break;
    }
  }
  std::string text;
  llvm::raw_string_ostream(text) << type;
  throw Unsupported{"values of " + text};
}

std::string literal_text(Attribute value) {
  if (auto integer = dyn_cast<IntegerAttr>(value)) {
    if (integer.getType().isInteger(1)) return integer.getValue().isZero() ? "false" : "true";
    const std::string type = type_text(integer.getType());
    const int64_t n = integer.getType().isIndex() ? integer.getInt() : integer.getValue().getSExtValue();
    if (n == INT64_MIN) return "static_cast<i64>(1ull << 63)";
    if (type == "int" && n == INT32_MIN) return "static_cast<int>(1u << 31)";
    return type == "int" ? fmt::format("{}", n) : fmt::format("{}({})", type, n);
  }
  auto real = cast<FloatAttr>(value);
  const double x = real.getValueAsDouble();
  if (!is_stored_only(real.getType())) return real_text(x, real.getType().isF64());
  return fmt::format("{}{{{:#06x}}}", type_text(real.getType()), real.getValue().bitcastToAPInt().getZExtValue());
}

std::string scalar_text(Operation* op, const std::vector<std::string>& x) {
  const StringRef name = op->getName().getStringRef();
  const Type to = op->getResult(0).getType();
  const Type from = op->getNumOperands() ? op->getOperand(0).getType() : Type();
  for (Type type : op->getOperandTypes())
    if (is_stored_only(type) && !isa<arith::ExtFOp, arith::SelectOp>(op))
      throw Unsupported{name.str() + " of a storage type"};

  if (const char* sign = infix(op)) {
    const std::string text = x[0] + " " + sign + " " + x[1];
    return to.isIntOrIndex() && !to.isInteger(32) && !to.isInteger(64)
               ? "static_cast<" + type_text(to) + ">(" + text + ")"
               : text;
  }
  if (const char* call = function(op)) return std::string(call) + "(" + joined(x) + ")";
  if (const char* call = unsigned_function(op))
    return fmt::format("static_cast<{}>({}(as_unsigned({}), as_unsigned({})))", type_text(to), call, x[0], x[1]);
  if (const char* call = math_function(name)) {
    if (!to.isF32() && !to.isF64()) throw Unsupported{name.str() + " of a storage type"};
    return fmt::format("::{}{}({})", call, to.isF32() ? "f" : "", joined(x));
  }
  if (isa<arith::NegFOp>(op)) return "-" + x[0];
  if (auto compare = dyn_cast<arith::CmpFOp>(op)) return compare_reals(compare.getPredicate(), x[0], x[1]);
  if (auto compare = dyn_cast<arith::CmpIOp>(op)) {
    const char* sign = sign_of(compare.getPredicate());
    if (!is_unsigned(compare.getPredicate())) return x[0] + " " + sign + " " + x[1];
    return fmt::format("as_unsigned({}) {} as_unsigned({})", x[0], sign, x[1]);
  }
  if (isa<arith::SelectOp>(op)) return fmt::format("{} ? {} : {}", x[0], x[1], x[2]);
  if (isa<arith::ExtFOp>(op)) return widened(x[0], from, to);
  if (isa<arith::TruncFOp>(op)) return narrowed(x[0], to);
  if (isa<arith::TruncIOp>(op))
    return to.isInteger(1) ? "(" + x[0] + " & 1) != 0" : "static_cast<" + type_text(to) + ">(" + x[0] + ")";
  if (isa<arith::ExtSIOp>(op) && from.isInteger(1))
    return fmt::format("static_cast<{}>(-int({}))", type_text(to), x[0]);
  if (isa<arith::ExtSIOp, arith::IndexCastOp>(op)) return "static_cast<" + type_text(to) + ">(" + x[0] + ")";
  if (isa<arith::ExtUIOp, arith::IndexCastUIOp>(op))
    return from.isIndex() ? "static_cast<" + type_text(to) + ">(" + x[0] + ")"
                          : "static_cast<" + type_text(to) + ">(as_unsigned(" + x[0] + "))";
  if (isa<arith::SIToFPOp, arith::UIToFPOp>(op)) {
    const std::string number = isa<arith::UIToFPOp>(op) ? "as_unsigned(" + x[0] + ")" : x[0];
    if (!is_stored_only(to)) return narrowed(number, to);
    const bool is_wide = from.getIntOrFloatBitWidth() > 24;
    return narrowed(fmt::format("static_cast<{}>({})", is_wide ? "double" : "float", number), to);
  }
  if (isa<arith::FPToSIOp>(op)) return "to_integer<" + type_text(to) + ">(" + x[0] + ")";
  if (isa<arith::FPToUIOp>(op))
    return fmt::format("static_cast<{0}>(to_integer<UnsignedOf<{0}>::type>({1}))", type_text(to), x[0]);
  throw Unsupported{name.str()};
}

bool is_power_of_two(Operation* op) {
  auto exp = dyn_cast<math::ExpOp>(op);
  if (!exp || !exp.getType().isF32()) return false;
  if (const std::optional<bool> said = is_spelled_short(op)) return *said;
  return exp.getOperand().getDefiningOp<arith::SubFOp>() || is_of_sigmoid(exp);
}

std::optional<std::string> text_by_power_of_two(Operation* op, const std::vector<std::string>& x) {
  if (!is_power_of_two(op)) return std::nullopt;
  return "exp2(log2_e * " + x[0] + ")";
}

std::string word_of(Operation* op) {
  if (isa<arith::ExtFOp>(op)) return "wide";
  if (isa<arith::TruncFOp>(op)) return "rounded";
  if (isa<arith::CmpFOp, arith::CmpIOp>(op)) return "is";
  if (isa<fuse::RandomOp>(op)) return "draw";
  if (isa<fuse::LoadAtOp>(op)) return "picked";
  if (auto reduce = dyn_cast<fuse::ReduceOp>(op)) {
    switch (reduce.getKind()) {
      case fuse::ReduceKind::sum: return "sum";
      case fuse::ReduceKind::max: return "highest";
      case fuse::ReduceKind::min: return "lowest";
      case fuse::ReduceKind::prod: return "product";
    }
  }
  StringRef word = op->getName().stripDialect();
  static const std::map<StringRef, const char*> plain = {
      {"addf", "add"},  {"addi", "add"},   {"subf", "sub"},        {"subi", "sub"},
      {"mulf", "mul"},  {"muli", "mul"},   {"divf", "div"},        {"negf", "neg"},
      {"absf", "abs"},  {"powf", "power"}, {"maximumf", "larger"}, {"minimumf", "smaller"},
      {"andi", "both"}, {"ori", "either"}, {"xori", "differ"},     {"select", "choice"}};
  auto found = plain.find(word);
  return found == plain.end() ? word.str() : found->second;
}

std::string combine_name(Operation* reduce) {
  switch (cast<fuse::ReduceOp>(reduce).getKind()) {
    case fuse::ReduceKind::sum: return "Sum";
    case fuse::ReduceKind::max: return "Max";
    case fuse::ReduceKind::min: return "Min";
    case fuse::ReduceKind::prod: return "Product";
  }
  return "";
}

std::string start_text(Operation* reduce) {
  const Type type = reduce->getResult(0).getType();
  const fuse::ReduceKind kind = cast<fuse::ReduceOp>(reduce).getKind();
  OpBuilder b(reduce->getContext());
  if (auto integer = dyn_cast<IntegerType>(type)) {
    const unsigned width = integer.getWidth();
    const bool is_bool = width == 1;
    APInt start(width, 0);
    if (kind == fuse::ReduceKind::prod) start = APInt(width, 1);
    if (kind == fuse::ReduceKind::max) start = is_bool ? APInt(1, 0) : APInt::getSignedMinValue(width);
    if (kind == fuse::ReduceKind::min) start = is_bool ? APInt(1, 1) : APInt::getSignedMaxValue(width);
    return literal_text(b.getIntegerAttr(type, start));
  }
  const double infinite = std::numeric_limits<double>::infinity();
  const double start = kind == fuse::ReduceKind::sum    ? 0
                       : kind == fuse::ReduceKind::prod ? 1
                       : kind == fuse::ReduceKind::max  ? -infinite
                                                        : infinite;
  return literal_text(b.getFloatAttr(type, start));
}

std::string combine_text(Operation* reduce, const std::string& x, const std::string& y) {
  if (isa<FloatType>(reduce->getResult(0).getType())) {
    const fuse::ReduceKind kind = cast<fuse::ReduceOp>(reduce).getKind();
    if (kind == fuse::ReduceKind::sum) return x + " + " + y;
    if (kind == fuse::ReduceKind::prod) return x + " * " + y;
  }
  return combine_name(reduce) + "::of(" + x + ", " + y + ")";
}

}  // namespace tessera::cuda
