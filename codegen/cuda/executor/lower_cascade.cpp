// Cascades as launches.

#include <fmt/format.h>

#include <tessera/codegen/cuda/cascade/cascade_text.h>
#include <tessera/codegen/cuda/cascade/role_schedule.h>
#include <tessera/codegen/cuda/executor/kernel_structure.h>
#include <tessera/codegen/cuda/executor/lowering.h>
#include <tessera/codegen/plan/facts.h>
#include <tessera/codegen/plan/lifetimes.h>

namespace tessera::cuda {

using codegen::PlanLaunch;

namespace {

// Cascades that share a text share what is taken in its place. Of two batches they may share the first of these schedules and
// no later one: this tells their texts apart.
std::string apart(const Cascade& c, llvm::ArrayRef<CascadeSchedule> schedules) {
  const bool is_of_batch =
      schedules.front().abreast == 1 && llvm::any_of(schedules, [](const CascadeSchedule& s) { return s.abreast > 1; });
  return is_of_batch ? fmt::format("batch {}", c.batch) : "";
}

}  // namespace

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
    Cascade read = read_cascade(cascade);
    std::vector<CascadeSchedule> schedules;
    if (target_.has_wgmma()) schedules = role_schedules(read);
    llvm::append_range(schedules, cascade_schedules(read, f32_products()));
    while (schedules.size() > 1 && !target_.dropped.empty() &&
           target_.dropped.contains(schedule_name(read, schedules.front())))
      schedules.erase(schedules.begin());
    const CascadeSchedule& first = schedules.front();
    words.head = head(*cascade, cascade.getName().str(), words, schedule_text(first), made);
    made.kernel = kernel_number(
        *cascade, structure_of(*cascade), "cascade", words,
        [&](const KernelWords& all) { return cascade_text(read, first, all); }, apart(read, schedules));
    made.tasks = read.batch * first.groups;
    KernelSource& source = result_.kernels[static_cast<size_t>(made.kernel)];
    source.has_steps = !first.has_roles();
    if (schedules.size() > 1 && source.schedule.empty()) {
      source.schedule = schedule_name(read, first);
      cascade_kernels_.emplace(source.key,
                               CascadeKernel{std::move(read), std::move(words), made, std::move(schedules)});
    }
  } catch (const Unsupported& found) {
    refuse(*cascade, found);
  }
  launch(std::move(made), *cascade);
}

std::string Lowering::schedule_name(const Cascade& c, const CascadeSchedule& s) {
  return fmt::format("{} {}, {} times {} x {}: {}", c.cascade().getName().str(), body_digits(*c.op), c.batch, c.rows,
                     c.outer * c.columns, schedule_text(s));
}

std::optional<NextSchedule> Lowering::next_cascade_schedule(const std::string& key) {
  CascadeKernel& one = cascade_kernels_.at(key);
  if (++one.at == one.schedules.size()) return std::nullopt;
  const llvm::ArrayRef<CascadeSchedule> left = llvm::ArrayRef(one.schedules).drop_front(one.at);
  const CascadeSchedule& s = left.front();
  const std::string name = one.cascade.cascade().getName().str();
  one.words.head = head(*one.cascade.op, name, one.words, schedule_text(s), one.launch);
  const KernelWords words = words_for_text(one.words);
  auto text = [&](const KernelWords& all) { return cascade_text(one.cascade, s, all); };
  NextSchedule next{source_of(name, key_of(name, text(without_names(words)) + apart(one.cascade, left)), text(words)),
                    one.launch.tasks, one.cascade.batch * s.groups};
  next.source.has_steps = !s.has_roles();
  // Behind the last one stands no other: it is taken whatever it spills.
  if (left.size() > 1) next.source.schedule = schedule_name(one.cascade, s);
  return next;
}

}  // namespace tessera::cuda
