// Contractions as launches: a product, and where K is in parts a kernel that adds them up.

#include <fmt/format.h>

#include <tessera/codegen/cuda/contract/adding_text.h>
#include <tessera/codegen/cuda/contract/contract_text.h>
#include <tessera/codegen/cuda/contract/tile_kernel.h>
#include <tessera/codegen/cuda/executor/kernel_structure.h>
#include <tessera/codegen/cuda/executor/lowering.h>
#include <tessera/codegen/plan/facts.h>
#include <tessera/codegen/plan/lifetimes.h>

namespace tessera::cuda {

using codegen::PlanLaunch;

// Where the target has wgmma and the copy engine can bring both operands, unless the kernel of any card is thought faster.
std::optional<TileSchedule> Lowering::tile_schedule_for(const Contraction& c, const ContractSchedule& other) const {
  if (!target_.has_wgmma() || other.engine != Engine::half) return std::nullopt;
  std::vector<TileSchedule> all = tile_schedules(read_mapped(c.kernel()));
  const bool is_free = target_.tile_schedule < 0;
  size_t wanted = is_free ? 0 : static_cast<size_t>(target_.tile_schedule);
  while (is_free && wanted < all.size() && target_.dropped.contains(schedule_name(c, all[wanted]))) ++wanted;
  if (wanted >= all.size() || (is_free && all[wanted].clocks >= other.clocks)) return std::nullopt;
  return std::move(all[wanted]);
}

std::string Lowering::schedule_name(const Contraction& c, const TileSchedule& s) {
  return fmt::format("{}, {} times {} x {} x {}: {}", c.kernel().getName().str(), c.size(c.batch), c.size(c.m),
                     c.size(c.n), c.size(c.k), schedule_text(s));
}

ContractSchedule Lowering::contract_schedule_for(const Contraction& c) const {
  return schedule_contraction(c, recorded_.strict ? F32Products::by_fma : F32Products::on_tensor_cores);
}

bool Lowering::has_tile_schedule(fuse::KernelOp kernel) const {
  const Contraction c = read_contraction(kernel);
  return tile_schedule_for(c, contract_schedule_for(c)).has_value();
}

void Lowering::launch_contract(fuse::KernelOp kernel, const std::vector<int>& values, const KernelWords& words) {
  const std::string structure = structure_of(kernel);
  Contraction c = read_contraction(kernel);
  const ContractSchedule schedule = contract_schedule_for(c);
  const std::optional<TileSchedule> tiles = tile_schedule_for(c, schedule);
  if (tiles) c = read_mapped(kernel);
  mlir::Block& place = place_for_kernel(kernel.getLoc());
  const int64_t count = tiles ? tiles->parts : schedule.parts;
  const bool in_parts = count > 1;
  Epilogue epilogue = in_parts ? make_parts(c, count, place) : make_epilogue(c, place);

  PlanLaunch made;
  KernelWords named;
  auto read = [&](unsigned k) {
    made.values.push_back(values[k]);
    named.inputs.push_back(words.inputs[k]);
  };
  read(c.a.argument), read(c.b.argument);
  for (unsigned k : epilogue.inputs) read(k);
  int parts = -1;
  if (in_parts) {
    made.reads = static_cast<int>(made.values.size());
    parts = storage().temporary(codegen::bytes_of_type(epilogue.kernel.getResult(0).getType()), "parts");
    made.values.push_back(parts);
    named.results = {"parts"};
    find_aliases(made, named);
  } else {
    named.results = words.results;
    finish_launch(kernel, epilogue, values, made, named);
  }
  measure(kernel.getInputs(), kernel.getResults(), codegen::flops_of(kernel), made);
  named.head =
      head(*kernel, kernel.getName().str(), words, tiles ? schedule_text(*tiles) : schedule_text(schedule), made);
  made.kernel = kernel_number(kernel, structure, "contract", named, [&](const KernelWords& all) {
    return tiles ? tile_kernel_text(c, *tiles, epilogue, all) : contract_text(c, schedule, epilogue, all);
  });
  if (tiles && target_.tile_schedule < 0)
    result_.kernels[static_cast<size_t>(made.kernel)].schedule = schedule_name(c, *tiles);
  made.tasks = tiles ? tiles->blocks() : schedule.blocks();
  launch(std::move(made), *kernel);
  if (!in_parts) return;

  Epilogue whole = make_epilogue(c, place);
  const AddingSchedule adding = schedule_adding(c, count);
  PlanLaunch added;
  KernelWords of_adding;
  for (unsigned k : whole.inputs) {
    added.values.push_back(values[k]);
    of_adding.inputs.push_back(words.inputs[k]);
  }
  added.values.push_back(parts);
  of_adding.inputs.push_back("part");
  of_adding.results = words.results;
  finish_launch(kernel, whole, values, added, of_adding);
  measure(whole.kernel.getInputs(), whole.kernel.getResults(), codegen::flops_of(whole.kernel), added);
  added.bytes += (count - 1) * c.size(c.batch) * c.size(c.m) * c.size(c.n) * bytes_of_element(c.sum_type());
  const std::string name = kernel.getName().str() + "_parts";
  of_adding.head = head(*whole.kernel, name, of_adding, schedule_text(adding), added);
  added.kernel = kernel_number(whole.kernel, structure, "pointwise", of_adding,
                               [&](const KernelWords& all) { return adding_text(c, adding, whole, all); });
  added.tasks = adding.blocks;
  launch(std::move(added), *kernel);
}

// What a launch that ends a contraction writes and checks; its inputs are there.
void Lowering::finish_launch(fuse::KernelOp kernel, const Epilogue& epilogue, const std::vector<int>& values,
                             PlanLaunch& made, KernelWords& words) {
  made.reads = static_cast<int>(made.values.size());
  made.writes = codegen::writes_of(kernel.getBody().front());
  for (size_t k = 0; k < made.writes.size(); ++k) {
    made.writes[k].value = values[kernel.getInputs().size() + k];
    made.values.push_back(made.writes[k].value);
  }
  fuse::KernelOp end = epilogue.kernel;
  add_checks(end.getBody().front(), made);
  find_aliases(made, words);
}

void Lowering::find_aliases(const PlanLaunch& made, KernelWords& words) {
  for (int k = 0; k < made.reads; ++k)
    for (size_t j = static_cast<size_t>(made.reads); j < made.values.size(); ++j)
      words.writes_elsewhere &= made.values[static_cast<size_t>(k)] != codegen::memory_of(plan(), made.values[j]);
}

}  // namespace tessera::cuda
