// core::Program → a module of tsr. One instruction becomes one op of the same name with the same attributes, so this
// file knows no op by name; verifiers check what it built.

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Verifier.h"

#include <tessera/core/error.h>
#include <tessera/ir/compile_ir.h>
#include <tessera/ir/import/origin.h>
#include <tessera/ir/tsr/Einsum.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {
namespace {

mlir::Type element_type(mlir::Builder& b, DType type) {
  switch (type) {
    case DType::f64: return b.getF64Type();
    case DType::f32: return b.getF32Type();
    case DType::f16: return b.getF16Type();
    case DType::bf16: return b.getBF16Type();
    case DType::f8e4m3: return mlir::Float8E4M3FNType::get(b.getContext());
    case DType::f8e5m2: return mlir::Float8E5M2Type::get(b.getContext());
    case DType::i64: return b.getI64Type();
    case DType::i32: return b.getI32Type();
    case DType::i16: return b.getIntegerType(16);
    case DType::i8: return b.getIntegerType(8);
    case DType::u32: return b.getIntegerType(32, false);
    case DType::u8: return b.getIntegerType(8, false);
    case DType::boolean: return b.getI1Type();
  }
  throw InternalError("unknown dtype");
}

mlir::Type tensor_type(mlir::Builder& b, const Instruction& i) {
  return mlir::RankedTensorType::get(i.shape.dims(), element_type(b, i.dtype));
}

// Collects what fields() names, as MLIR attributes.
struct AttributeList {
  mlir::Builder& b;
  llvm::SmallVector<mlir::NamedAttribute, 4> list = {};

  void add(const char* name, mlir::Attribute value) { list.push_back(b.getNamedAttr(name, value)); }
  void operator()(const char* n, int64_t x) { add(n, b.getI64IntegerAttr(x)); }
  void operator()(const char* n, uint64_t x) { add(n, b.getI64IntegerAttr(static_cast<int64_t>(x))); }
  void operator()(const char* n, bool x) { add(n, b.getBoolAttr(x)); }
  void operator()(const char* n, double x) { add(n, b.getF64FloatAttr(x)); }
  void operator()(const char* n, const Number& x) {
    std::visit([&](auto v) { (*this)(n, v); }, x);
  }
  void operator()(const char* n, const std::string& x) { add(n, b.getStringAttr(x)); }
  void operator()(const char* n, const Dims& x) { add(n, b.getDenseI64ArrayAttr(x)); }
  void operator()(const char* n, const std::vector<WindowRelation>& x) {
    llvm::SmallVector<mlir::Attribute, 2> texts;
    for (const WindowRelation& w : x) texts.push_back(b.getStringAttr(tsr::print_relation(w)));
    add(n, b.getArrayAttr(texts));
  }
  template <class E>
  requires std::is_enum_v<E>
  void operator()(const char* n, E x) {
    add(n, b.getStringAttr(name(x)));
  }
};

// fused<17>["layers.0.mlp"("model.cpp":57:0)]: the origin, and around it what a person reads in an error of MLIR. Dumps are
// printed without places.
mlir::Location location(mlir::Builder& b, const Instruction& i, size_t number) {
  const Loc at = user_location(i.at, i.scope);
  const std::string path = i.scope ? i.scope->path() : std::string();
  mlir::Location place = mlir::FileLineColLoc::get(b.getStringAttr(at.file), at.line, 0);
  auto named = mlir::NameLoc::get(b.getStringAttr(path.empty() ? name(i.op) : std::string_view(path)), place);
  return with_origin(named, static_cast<int>(number));
}

}  // namespace

mlir::OwningOpRef<mlir::ModuleOp> import_program(mlir::MLIRContext& context, const Program& program) {
  mlir::OpBuilder b(&context);
  auto at = [&](int value) -> const Instruction& { return program.instructions[static_cast<size_t>(value)]; };
  llvm::SmallVector<mlir::Type> arguments, results;
  for (int value : program.inputs) arguments.push_back(tensor_type(b, at(value)));
  for (int value : program.outputs) results.push_back(tensor_type(b, at(value)));

  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(b.getUnknownLoc());
  b.setInsertionPointToEnd(module->getBody());
  auto function = mlir::func::FuncOp::create(b, b.getUnknownLoc(), "program", b.getFunctionType(arguments, results));
  if (program.strict) function->setAttr("tsr.strict", b.getUnitAttr());
  if (program.precision.is_mixed()) {
    function->setAttr("tsr.mixed", mlir::TypeAttr::get(b.getBF16Type()));
    function->setAttr("tsr.residual", mlir::TypeAttr::get(element_type(b, program.precision.residual)));
  }
  mlir::Block* body = function.addEntryBlock();
  b.setInsertionPointToEnd(body);

  llvm::SmallVector<mlir::Value> values(program.instructions.size());
  // The attributes of all at once: each change of one makes a new list of all.
  auto alone = [&](const char* name, mlir::Attribute value) {
    return value ? b.getDictionaryAttr(b.getNamedAttr(name, value)) : b.getDictionaryAttr({});
  };
  llvm::SmallVector<mlir::DictionaryAttr> of_arguments, of_results;
  for (auto [k, value] : llvm::enumerate(program.inputs)) {
    values[static_cast<size_t>(value)] = body->getArgument(static_cast<unsigned>(k));
    const std::string& label = at(value).label;
    of_arguments.push_back(alone("tsr.name", label.empty() ? mlir::StringAttr() : b.getStringAttr(label)));
  }
  function.setAllArgAttrs(of_arguments);
  for (auto [v, instruction] : llvm::enumerate(program.instructions)) {
    if (instruction.op == Op::Input) continue;
    mlir::OperationState state(location(b, instruction, v), "tsr." + std::string(name(instruction.op)));
    for (int operand : instruction.inputs) state.operands.push_back(values[static_cast<size_t>(operand)]);
    state.types.push_back(tensor_type(b, instruction));
    AttributeList attributes{b};
    std::visit([&](const auto& a) { a.fields(attributes); }, instruction.attrs);
    state.addAttributes(attributes.list);
    values[v] = b.create(state)->getResult(0);
  }
  llvm::SmallVector<mlir::Value> returned;
  for (auto [k, value] : llvm::enumerate(program.outputs)) {
    returned.push_back(values[static_cast<size_t>(value)]);
    const int64_t donor = k < program.donor.size() ? program.donor[k] : -1;
    of_results.push_back(alone("tsr.donor", donor < 0 ? mlir::IntegerAttr() : b.getI64IntegerAttr(donor)));
  }
  function.setAllResultAttrs(of_results);
  mlir::func::ReturnOp::create(b, b.getUnknownLoc(), returned);
  if (mlir::failed(mlir::verify(*module))) throw InternalError("an imported program does not verify");
  return module;
}

}  // namespace tessera::ir
