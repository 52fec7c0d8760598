// Contractions as launches: a product, and where K is in parts a kernel of rows that adds them up.

#include <tessera/codegen/cuda/contract/contract_text.h>
#include <tessera/codegen/cuda/executor/lowering.h>
#include <tessera/codegen/plan/facts.h>
#include <tessera/codegen/plan/lifetimes.h>

namespace tessera::cuda {

using codegen::PlanLaunch;

void Lowering::launch_contract(fuse::KernelOp kernel, const std::vector<int>& values, const KernelWords& words) {
  const Contraction c = read_contraction(kernel);
  const ContractSchedule schedule =
      schedule_contraction(c, recorded_.strict ? F32Products::by_fma : F32Products::on_tensor_cores);
  mlir::Block& place = place_for_kernel(kernel.getLoc());
  const bool in_parts = schedule.parts > 1;
  Epilogue epilogue = in_parts ? make_parts(c, schedule.parts, place) : make_epilogue(c, place);
  const size_t inputs = kernel.getInputs().size();

  PlanLaunch made;
  KernelWords named;
  auto read = [&](unsigned k) {
    made.values.push_back(values[k]);
    named.inputs.push_back(words.inputs[k]);
  };
  read(c.a.argument), read(c.b.argument);
  for (unsigned k : epilogue.inputs) read(k);
  made.reads = static_cast<int>(made.values.size());
  int parts = -1;
  if (in_parts) {
    parts = storage().temporary(codegen::bytes_of_type(epilogue.kernel.getResult(0).getType()), "parts");
    made.values.push_back(parts);
    named.results = {"parts"};
  } else {
    made.writes = codegen::writes_of(kernel.getBody().front());
    for (size_t k = 0; k < made.writes.size(); ++k) {
      made.writes[k].value = values[inputs + k];
      made.values.push_back(values[inputs + k]);
    }
    named.results = words.results;
    add_checks(epilogue.kernel.getBody().front(), made);
  }
  for (int k = 0; k < made.reads; ++k)
    for (size_t j = static_cast<size_t>(made.reads); j < made.values.size(); ++j)
      named.writes_elsewhere &= made.values[static_cast<size_t>(k)] != codegen::memory_of(plan(), made.values[j]);
  measure(kernel.getInputs(), kernel.getResults(), codegen::flops_of(kernel), made);
  named.head = head(*kernel, kernel.getName().str(), words, schedule_text(schedule), made);
  made.kernel = kernel_number(kernel, "contract", named,
                              [&](const KernelWords& all) { return contract_text(c, schedule, epilogue, all); });
  made.tasks = schedule.blocks();
  launch(std::move(made), *kernel);
  if (!in_parts) return;

  const Epilogue end = make_epilogue_of_parts(c, schedule.parts, place);
  std::vector<int> places;
  KernelWords of_end;
  for (unsigned k : end.inputs) {
    places.push_back(values[k]);
    of_end.inputs.push_back(words.inputs[k]);
  }
  places.push_back(parts);
  of_end.inputs.push_back("part");
  places.insert(places.end(), values.begin() + static_cast<std::ptrdiff_t>(inputs), values.end());
  of_end.results = words.results;
  launch_rows(end.kernel, places, *kernel, std::move(of_end));
}

}  // namespace tessera::cuda
