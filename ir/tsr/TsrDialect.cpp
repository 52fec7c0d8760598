#include <limits>

#include <tessera/ir/tsr/Scalar.h>
#include <tessera/ir/tsr/Tsr.h>

#include <tessera/ir/tsr/TsrDialect.cpp.inc>
#include <tessera/ir/tsr/TsrInterfaces.cpp.inc>

namespace tessera::tsr {

void TsrDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include <tessera/ir/tsr/TsrOps.cpp.inc>
      >();
}

mlir::RankedTensorType type_of(mlir::Value tensor) { return llvm::cast<mlir::RankedTensorType>(tensor.getType()); }
llvm::ArrayRef<int64_t> shape_of(mlir::Value tensor) { return type_of(tensor).getShape(); }
mlir::Type element_of(mlir::Value tensor) { return type_of(tensor).getElementType(); }
mlir::Type bool_like(mlir::Type tensor) {
  return llvm::cast<mlir::RankedTensorType>(tensor).clone(mlir::IntegerType::get(tensor.getContext(), 1));
}

namespace {

// What is not finite has a name, because bits in hex would read as an integer.
mlir::FloatAttr parse_word(mlir::OpAsmParser& parser) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  mlir::Builder& builder = parser.getBuilder();
  if (mlir::succeeded(parser.parseOptionalKeyword("inf"))) return builder.getF64FloatAttr(infinity);
  if (mlir::succeeded(parser.parseOptionalKeyword("neg_inf"))) return builder.getF64FloatAttr(-infinity);
  if (mlir::succeeded(parser.parseOptionalKeyword("nan")))
    return builder.getF64FloatAttr(std::numeric_limits<double>::quiet_NaN());
  return {};
}

// A double without its type.
mlir::ParseResult parseDouble(mlir::OpAsmParser& parser, mlir::FloatAttr& value) {
  value = parse_word(parser);
  return value ? mlir::success() : parser.parseAttribute(value, parser.getBuilder().getF64Type());
}
void printDouble(mlir::OpAsmPrinter& printer, mlir::Operation*, mlir::FloatAttr value) {
  const llvm::APFloat number = value.getValue();
  if (number.isNaN()) printer << "nan";
  else if (number.isInfinity()) printer << (number.isNegative() ? "neg_inf" : "inf");
  else printer.printAttributeWithoutType(value);
}

// A double as above or an integer, which is written without a point. No colon may follow: it would belong to the number.
mlir::ParseResult parseNumber(mlir::OpAsmParser& parser, mlir::TypedAttr& value) {
  if (mlir::FloatAttr real = parse_word(parser)) value = real;
  else return parser.parseAttribute(value);
  return mlir::success();
}
void printNumber(mlir::OpAsmPrinter& printer, mlir::Operation* op, mlir::TypedAttr value) {
  if (auto real = llvm::dyn_cast<mlir::FloatAttr>(value)) printDouble(printer, op, real);
  else printer.printAttributeWithoutType(value);
}

}  // namespace
}  // namespace tessera::tsr

#define GET_OP_CLASSES
#include <tessera/ir/tsr/TsrOps.cpp.inc>
