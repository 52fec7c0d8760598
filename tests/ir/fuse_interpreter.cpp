#include "tests/ir/fuse_interpreter.h"

#include "llvm/ADT/DenseMap.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"

#include <tessera/core/reference.h>
#include <tessera/ir/compile_ir.h>
#include <tessera/ir/fuse/Fuse.h>

#include "tests/ir/fuse_body.h"

namespace tessera::testing {
namespace {

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
  call.dtype = dtype_of(op.getType());
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
      tensors[argument] = {data, dtype_of(argument.getType()), shape_of(argument.getType())};
    auto of = [&](mlir::ValueRange range) {
      std::vector<Tensor> out;
      for (mlir::Value v : range) out.push_back(tensors.find(v)->second);
      return out;
    };
    auto keep = [&](mlir::ValueRange results, const std::vector<Tensor>& made) {
      for (auto [result, tensor] : llvm::zip(results, made)) tensors[result] = tensor;
    };
    std::vector<BufferPtr> results;
    for (mlir::Operation& op : function.getBody().front()) {
      if (auto kernel = llvm::dyn_cast<fuse::KernelOp>(op)) {
        const std::vector<Tensor> inputs = of(kernel.getInputs()), inits = of(kernel.getInits());
        BodyRun body(kernel, inputs);
        body.run();
        keep(kernel->getResults(), body.results(kernel.getOutMaps(), kernel->getResultTypes(), inits,
                                                kernel.getInitOf().value_or(llvm::ArrayRef<int64_t>())));
      } else if (auto cascade = llvm::dyn_cast<fuse::CascadeOp>(op)) {
        const std::vector<Tensor> inputs = of(cascade.getInputs()), inits = of(cascade.getInits());
        BodyRun body(cascade, inputs);
        body.run();
        keep(cascade->getResults(), body.results(cascade.getOutMaps(), cascade->getResultTypes(), inits,
                                                 cascade.getInitOf().value_or(llvm::ArrayRef<int64_t>())));
      } else if (auto library = llvm::dyn_cast<fuse::LibraryOp>(op)) {
        tensors[library.getResult()] = run_library(library, of(library.getInputs()));
      } else if (llvm::isa<mlir::tensor::EmptyOp>(op)) {
        tensors[op.getResult(0)] = empty_tensor(op.getResult(0).getType());
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
