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

// Where the target has wgmma and the copy engine can bring both operands: those that are thought faster than the kernel of
// any card, from the fastest on.
std::vector<TileSchedule> Lowering::tile_schedules_for(const Contraction& c, const ContractSchedule& other) const {
  if (!target_.has_wgmma() || other.engine == Engine::fma) return {};
  std::vector<TileSchedule> all = tile_schedules(read_mapped(c.kernel()), f32_products());
  if (target_.tile_schedule >= 0) {
    const auto wanted = static_cast<size_t>(target_.tile_schedule);
    if (wanted >= all.size()) return {};
    return {std::move(all[wanted])};
  }
  std::erase_if(all, [&](const TileSchedule& s) {
    return s.clocks >= other.clocks || (!target_.dropped.empty() && target_.dropped.contains(schedule_name(c, s)));
  });
  return all;
}

std::string Lowering::schedule_name(const Contraction& c, const TileSchedule& s) {
  return fmt::format("{} {}, {} times {} x {} x {}: {}", c.kernel().getName().str(), body_digits(*c.kernel()),
                     c.size(c.batch), c.size(c.m), c.size(c.n), c.size(c.k), schedule_text(s));
}

ContractSchedule Lowering::contract_schedule_for(const Contraction& c) const {
  return schedule_contraction(c, f32_products());
}

F32Products Lowering::f32_products() const {
  if (recorded_.strict) return F32Products::by_fma;
  return recorded_.precision.policy == Precision::Policy::tf32 ? F32Products::as_tf32 : F32Products::on_tensor_cores;
}

bool Lowering::has_tile_schedule(fuse::KernelOp kernel) const {
  const Contraction c = read_contraction(kernel);
  return !tile_schedules_for(c, contract_schedule_for(c)).empty();
}

const Lowering::ContractSchedules& Lowering::schedules_for(const Contraction& c, const std::string& structure) {
  const auto [known, is_new] = contract_schedules_.try_emplace(structure);
  if (is_new) {
    known->second.of_any_card = contract_schedule_for(c);
    known->second.tiles = tile_schedules_for(c, known->second.of_any_card);
  }
  return known->second;
}

void Lowering::launch_contract(fuse::KernelOp kernel, const std::vector<int>& values, const KernelWords& words) {
  const std::string structure = structure_of(*kernel);
  Contraction c = read_contraction(kernel);
  const auto& [schedule, all_tiles] = schedules_for(c, structure);
  const TileSchedule* tiles = all_tiles.empty() ? nullptr : &all_tiles.front();
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
  if (tiles) ask_for_copies(*kernel, tiles->operands, made.values);
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
  made.kernel = kernel_number(*kernel, structure, "contract", named, [&](const KernelWords& all) {
    return tiles ? tile_kernel_text(c, *tiles, epilogue, all) : contract_text(c, schedule, epilogue, all);
  });
  result_.kernels[static_cast<size_t>(made.kernel)].has_steps = !tiles;
  made.tasks = tiles ? tiles->blocks() : schedule.blocks();
  if (tiles && target_.tile_schedule < 0) {
    KernelSource& source = result_.kernels[static_cast<size_t>(made.kernel)];
    if (source.schedule.empty()) {
      source.schedule = schedule_name(c, *tiles);
      tile_kernels_.emplace(source.key, TileKernel{c, epilogue, words, named, made, all_tiles});
    }
  }
  auto launch_product = [&](PlanLaunch&& one) {
    launch(std::move(one), *kernel);
    if (schedule.engine == Engine::tf32) plan().launches.back().types.multiplies = "tf32";
  };
  launch_product(std::move(made));
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
  of_adding.is_early = target_.has_early_launches();
  finish_launch(kernel, whole, values, added, of_adding);
  measure(whole.kernel.getInputs(), whole.kernel.getResults(), codegen::flops_of(whole.kernel), added);
  added.bytes += (count - 1) * c.size(c.batch) * c.size(c.m) * c.size(c.n) * bytes_of_element(c.sum_type());
  const std::string name = kernel.getName().str() + "_parts";
  of_adding.head = head(*whole.kernel, name, of_adding, schedule_text(adding), added);
  added.kernel = kernel_number(*whole.kernel, structure, "pointwise", of_adding,
                               [&](const KernelWords& all) { return adding_text(c, adding, whole, all); });
  added.tasks = adding.blocks;
  launch_product(std::move(added));
}

std::optional<NextSchedule> Lowering::next_schedule(const std::string& key) {
  if (cascade_kernels_.contains(key)) return next_cascade_schedule(key);
  TileKernel& one = tile_kernels_.at(key);
  const int64_t parts = one.schedules[one.at].parts;
  if (++one.at == one.schedules.size() || one.schedules[one.at].parts != parts) return std::nullopt;
  const TileSchedule& s = one.schedules[one.at];
  fuse::KernelOp kernel = one.contraction.kernel();
  const std::string name = kernel.getName().str();
  one.named.head = head(*kernel, name, one.words, schedule_text(s), one.launch);
  const KernelWords words = words_for_text(one.named);
  auto text = [&](const KernelWords& all) { return tile_kernel_text(one.contraction, s, one.epilogue, all); };
  NextSchedule next{source_of(name, key_of(name, text(without_names(words))), text(words)), one.launch.tasks,
                    s.blocks()};
  next.source.schedule = schedule_name(one.contraction, s);
  return next;
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
  auto memory = [&](size_t k) { return codegen::memory_of(plan(), made.values[k]); };
  for (size_t k = 0; k < static_cast<size_t>(made.reads); ++k)
    for (size_t j = static_cast<size_t>(made.reads); j < made.values.size(); ++j)
      words.writes_elsewhere &= memory(k) != memory(j);
}

}  // namespace tessera::cuda
