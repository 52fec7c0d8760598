// Cascades as launches.

#include <tessera/codegen/cuda/cascade/cascade_text.h>
#include <tessera/codegen/cuda/executor/kernel_structure.h>
#include <tessera/codegen/cuda/executor/lowering.h>
#include <tessera/codegen/plan/facts.h>
#include <tessera/codegen/plan/lifetimes.h>

namespace tessera::cuda {

using codegen::PlanLaunch;

void Lowering::visit_cascade(fuse::CascadeOp cascade) {
  copy_inits(*cascade, cascade.getInitOf(), cascade.getInits());
  PlanLaunch made;
  for (mlir::Value input : cascade.getInputs()) made.values.push_back(storage().id_of(input));
  for (mlir::Value result : cascade->getResults()) made.values.push_back(storage().id_of(result));
  mlir::Block& body = cascade.getBody().front();
  note_writes(body, made);
  add_checks(body, made);
  measure(cascade.getInputs(), cascade->getResults(), codegen::flops_of(cascade), made);
  KernelWords words = names_of(*cascade, cascade.getInputs());
  find_aliases(made, words);
  try {
    const Cascade read = read_cascade(cascade);
    const CascadeSchedule schedule = schedule_cascade(read);
    words.head = head(*cascade, cascade.getName().str(), words, schedule_text(schedule), made);
    made.kernel = kernel_number(*cascade, structure_of(*cascade), "cascade", std::move(words),
                                [&](const KernelWords& all) { return cascade_text(read, schedule, all); });
    made.tasks = read.batch * schedule.groups;
  } catch (const Unsupported& found) {
    refuse(*cascade, found);
  }
  launch(std::move(made), *cascade);
}

}  // namespace tessera::cuda
