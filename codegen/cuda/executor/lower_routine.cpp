// Whole-tensor routines as launches.

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <tessera/codegen/cuda/executor/lowering.h>
#include <tessera/codegen/cuda/routines/routine.h>
#include <tessera/codegen/plan/facts.h>

namespace tessera::cuda {

namespace {

// A kernel that writes zeros and reads nothing: a gradient before anything is added.
bool is_zeros(mlir::Value value) {
  auto kernel = value.getDefiningOp<fuse::KernelOp>();
  if (!kernel || !kernel.getInputs().empty() || kernel.getNumResults() != 1 || !kernel.getInits().empty()) return false;
  mlir::Value written = kernel.getBody().front().getTerminator()->getOperand(0);
  if (auto narrowed = written.getDefiningOp<mlir::arith::TruncFOp>()) written = narrowed.getIn();
  auto constant = written.getDefiningOp<mlir::arith::ConstantOp>();
  auto real = constant ? mlir::dyn_cast<mlir::FloatAttr>(constant.getValue()) : nullptr;
  return real && real.getValue().isPosZero();
}

}  // namespace

void Lowering::visit_library(fuse::LibraryOp library) {
  const std::string name = library.getName().str();
  const int origin = last_origin(library.getLoc());
  KernelWords words;
  for (mlir::Value input : library.getInputs()) words.inputs.push_back(value_name(input));
  words.results = {value_name(library.getResult())};
  try {
    RoutineFacts facts = routine_facts(name, codegen::library_parameters(library), words.inputs, words.results[0]);
    facts.into_zeros = !library.getInputs().empty() && is_zeros(library.getInputs()[0]);
    launch_routine(library, lower_routine(std::move(facts)), words);
  } catch (const Unsupported& found) {
    refuse(origin, found.what, name);
  }
}

void Lowering::launch_routine(fuse::LibraryOp library, const Routine& routine, const KernelWords& words) {
  std::vector<int> operands, temporaries;
  for (mlir::Value input : library.getInputs()) operands.push_back(storage().id_of(input));
  const int result = storage().id_of(library.getResult());
  for (int64_t bytes : routine.temporaries) temporaries.push_back(storage().temporary(bytes, "partial"));
  if (routine.starts_as_copy && operands[0] != result) copy(operands[0], result, *library);
  for (const RoutineKernel& kernel : routine.kernels) {
    codegen::PlanLaunch made;
    for (const RoutineValue& value : kernel.values) {
      const auto k = static_cast<size_t>(value.number);
      switch (value.what) {
        case RoutineValue::What::operand: made.values.push_back(operands[k]); break;
        case RoutineValue::What::result: made.values.push_back(result); break;
        case RoutineValue::What::temporary: made.values.push_back(temporaries[k]); break;
        case RoutineValue::What::counters: made.values.push_back(counters(routine.counters)); break;
      }
      made.bytes += plan().values[static_cast<size_t>(made.values.back())].bytes;
    }
    made.reads = static_cast<int>(kernel.read);
    made.tasks = kernel.blocks;
    if (&kernel == &routine.kernels.back()) {  // complete when all have run
      auto type = mlir::cast<mlir::RankedTensorType>(library.getResult().getType());
      made.writes = {{result, last_origin(library.getLoc()), type.getNumElements()}};
    }
    if (kernel.notes_indices) {
      made.error_words = 2;
      made.checks = {codegen::library_check(library)};
    }
    const std::string name = routine.facts.name + (kernel.step.empty() ? "" : "_" + kernel.step);
    const std::string text = routine_text(kernel, head(*library, name, words, routine.schedule, made));
    made.kernel = add_text(name, "routine", text, [&] { return text; });
    launch(std::move(made), *library);
  }
}

}  // namespace tessera::cuda
