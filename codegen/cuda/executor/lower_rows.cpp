// Pointwise kernels and reductions as launches.

#include <optional>

#include "llvm/ADT/SetVector.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

#include <tessera/codegen/cuda/executor/kernel_structure.h>
#include <tessera/codegen/cuda/executor/lowering.h>
#include <tessera/codegen/cuda/rows/lift.h>
#include <tessera/codegen/cuda/rows/reductions.h>
#include <tessera/codegen/cuda/rows/spelling.h>
#include <tessera/codegen/plan/facts.h>
#include <tessera/codegen/plan/lifetimes.h>

namespace tessera::cuda {

using codegen::Form;
using codegen::PlanLaunch;
using codegen::Stages;

namespace {

bool has_inits(fuse::KernelOp kernel) {
  return kernel.getInitOf() && llvm::any_of(*kernel.getInitOf(), [](int64_t init) { return init != -1; });
}

bool reduces_anything(fuse::KernelOp kernel) { return !kernel.getBody().getOps<fuse::ReduceOp>().empty(); }

// A sum over all rows that the kernel which adds parts up cannot write: through a map that is not linear, or one value to
// each column, where the parts are so many that the last block does not add them.
bool writes_sum_elsewhere(const Form& form, const Stages& stages, const RowSchedule& schedule) {
  mlir::Operation* yield = form.body->getTerminator();
  for (unsigned k = 0; k < yield->getNumOperands(); ++k) {
    const int number = column_behind(stages, yield->getOperand(k));
    if (number < 0) continue;
    const codegen::Column& column = stages.columns[static_cast<size_t>(number)];
    const bool has_other_columns = (form.out[k].dims() & form.inner_set() & ~column.kept) != 0;
    if (!form.out[k].linear() || (has_other_columns && !last_block_adds(stages, schedule, column))) return true;
  }
  return false;
}

// A copy of the ops between what `mapping` knows and `value`.
mlir::Value clone_behind(mlir::Value value, mlir::IRMapping& mapping, mlir::OpBuilder& b) {
  if (mlir::Value known = mapping.lookupOrNull(value)) return known;
  mlir::Operation* op = value.getDefiningOp();
  for (mlir::Value operand : op->getOperands()) clone_behind(operand, mapping, b);
  return b.clone(*op, mapping)->getResult(0);
}

// What results are made of that come behind the last row: column sums, by their numbers, and inputs of the kernel.
struct MadeOf {
  std::vector<size_t> sums;
  std::vector<unsigned> inputs;
};
MadeOf made_of(const Form& form, const Stages& stages, const std::vector<unsigned>& results) {
  llvm::SetVector<mlir::Value> values;
  MadeOf made;
  for (unsigned k : results) values.insert(form.body->getTerminator()->getOperand(k));
  for (size_t k = 0; k < values.size(); ++k) {
    mlir::Operation* op = values[k].getDefiningOp();
    const auto sum = llvm::find_if(stages.columns, [&](const codegen::Column& column) { return column.reduce == op; });
    if (!op) made.inputs.push_back(mlir::cast<mlir::BlockArgument>(values[k]).getArgNumber());
    else if (sum != stages.columns.end()) made.sums.push_back(static_cast<size_t>(sum - stages.columns.begin()));
    else values.insert(op->operand_begin(), op->operand_end());
  }
  llvm::sort(made.sums), llvm::sort(made.inputs);
  return made;
}

}  // namespace

void Lowering::launch_rows(fuse::KernelOp kernel, const std::vector<int>& values, mlir::Operation& at,
                           KernelWords words) {
  decide_spellings(kernel);
  simplify_reductions(kernel, rounding());
  const Form form = codegen::merged_form(kernel);
  const Stages stages = codegen::make_stages(form);
  RowSchedule schedule;
  try {
    schedule = schedule_rows(form, stages, rounding());
  } catch (const Unsupported& found) {
    if (kernel.getNumResults() > 1 && !has_inits(kernel)) return launch_apart(kernel, values, at, words);
    if (!reduces_anything(kernel) || is_plain_reduction(kernel)) refuse(*kernel, found);
    return launch_lifted(kernel, values, at, words);
  }
  if (writes_sum_elsewhere(form, stages, schedule)) return launch_lifted(kernel, values, at, words);
  const bool reduces = llvm::any_of(stages.nests, [](const codegen::Nest& nest) { return !nest.reduces.empty(); });
  if (reduces && stages.columns.empty()) {
    const int64_t parts = parts_of_row(kernel, schedule.blocks);
    if (parts > 1 && is_plain_reduction(kernel)) return launch_in_parts(kernel, parts, values, at, words);
    if (parts >= parts_worth_lifting) return launch_lifted(kernel, values, at, words);
  }
  PlanLaunch made;
  made.values = values;
  note_writes(kernel.getBody().front(), made);
  measure(kernel.getInputs(), kernel.getResults(), codegen::flops_of(kernel), made);
  std::vector<int> parts;
  for (const codegen::Column& column : stages.columns) {
    const int64_t kept = column.kept ? schedule.columns : 1;
    parts.push_back(storage().temporary(
        schedule.parts(column.kept != 0) * kept * bytes_of_element(column.reduce->getResult(0).getType()), "partial"));
  }
  for (int read : std::vector<int>(values.begin(), values.begin() + made.reads))
    for (size_t k = static_cast<size_t>(made.reads); k < values.size(); ++k)
      words.writes_elsewhere &= codegen::memory_of(plan(), values[k]) != codegen::memory_of(plan(), read);
  words.head = head(*kernel, kernel.getName().str(), words, schedule_text(stages, schedule), made);
  const KernelWords called = words;
  made.kernel = kernel_number(*kernel, structure_of(*kernel),
                              !parts.empty() ? "column"
                              : reduces      ? "row"
                                             : "pointwise",
                              std::move(words),
                              [&](const KernelWords& named) { return row_kernel_text(form, stages, schedule, named); });
  made.values.insert(made.values.end(), parts.begin(), parts.end());
  if (any_last_block_adds(stages, schedule)) made.values.push_back(counters(last_blocks(stages, schedule)));
  made.tasks = schedule.blocks;
  if (schedule.is_counted) made.parameters = {1, schedule.rows / schedule.width};
  add_checks(kernel.getBody().front(), made);
  // Results of column reductions that the last block does not write come from the launches below.
  mlir::Operation* yield = form.body->getTerminator();
  std::vector<unsigned> of_columns, of_all;
  for (unsigned k = 0; k < yield->getNumOperands(); ++k) {
    const int number = column_behind(stages, yield->getOperand(k));
    if (number < 0) continue;
    const codegen::Column& column = stages.columns[static_cast<size_t>(number)];
    if (last_block_adds(stages, schedule, column)) continue;
    made.values[form.in.size() + k] = -1;
    (column.kept != 0 ? of_columns : of_all).push_back(k);
  }
  std::erase_if(made.writes,
                [&](const codegen::PlanWrite& write) { return !llvm::is_contained(made.values, write.value); });
  launch(std::move(made), at);
  for (const std::vector<unsigned>& results : {of_columns, of_all})
    if (!results.empty()) add_parts(form, stages, schedule, results, parts, values, called, at);
}

// A kernel for each result: what is reduced over different dims finds its schedule by itself, and reads its inputs again.
void Lowering::launch_apart(fuse::KernelOp kernel, const std::vector<int>& values, mlir::Operation& at,
                            const KernelWords& words) {
  mlir::OpBuilder b(function().getContext());
  const size_t inputs = kernel.getInputs().size();
  for (unsigned k = 0; k < kernel.getNumResults(); ++k) {
    b.setInsertionPointToEnd(&place_for_kernel(kernel.getLoc()));
    std::vector<mlir::Value> sources;
    for (mlir::Value input : kernel.getInputs()) {
      auto type = mlir::cast<mlir::RankedTensorType>(input.getType());
      sources.push_back(mlir::tensor::EmptyOp::create(b, kernel.getLoc(), type.getShape(), type.getElementType()));
    }
    auto one = fuse::KernelOp::create(b, kernel.getLoc(), mlir::TypeRange{kernel.getResult(k).getType()},
                                      kernel.getNameAttr(), kernel.getDimsAttr(), kernel.getOuterAttr(), sources,
                                      kernel.getInMapsAttr(), mlir::ValueRange{}, mlir::DenseI64ArrayAttr(),
                                      b.getArrayAttr({kernel.getOutMapsAttr()[k]}));
    mlir::IRMapping mapping;
    kernel.getBody().cloneInto(&one.getBody(), mapping);
    mlir::Operation* yield = one.getBody().front().getTerminator();
    yield->setOperands(mlir::ValueRange{yield->getOperand(k)});
    for (mlir::Operation& op : llvm::make_early_inc_range(llvm::reverse(one.getBody().front())))
      if (&op != yield && op.use_empty()) op.erase();
    std::vector<int> places(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(inputs));
    places.push_back(values[inputs + k]);
    launch_rows(one, places, at, {.kernel = "", .inputs = words.inputs, .results = {words.results[k]}});
  }
}

// The first reduction as a kernel of its own, and what is left reads its result.
void Lowering::launch_lifted(fuse::KernelOp kernel, const std::vector<int>& values, mlir::Operation& at,
                             const KernelWords& words) {
  const size_t inputs = kernel.getInputs().size();
  std::vector<unsigned> left;
  Lifted lifted = lift_reduction(kernel, place_for_kernel(kernel.getLoc()), left);
  auto type = mlir::cast<mlir::RankedTensorType>(lifted.kernel.getResult(0).getType());
  const int sum = storage().temporary(codegen::bytes_of_type(type), "partial");
  std::vector<int> of_sum, of_rest;
  KernelWords sum_words, rest_words;
  sum_words.results = {"reduced"};
  rest_words.results = words.results;
  for (unsigned k : lifted.inputs) of_sum.push_back(values[k]), sum_words.inputs.push_back(words.inputs[k]);
  for (unsigned k : left) of_rest.push_back(values[k]), rest_words.inputs.push_back(words.inputs[k]);
  of_sum.push_back(sum);
  of_rest.push_back(sum);
  rest_words.inputs.push_back("reduced");
  of_rest.insert(of_rest.end(), values.begin() + static_cast<std::ptrdiff_t>(inputs), values.end());
  launch_rows(lifted.kernel, of_sum, at, std::move(sum_words));
  launch_rows(kernel, of_rest, at, std::move(rest_words));
}

void Lowering::launch_in_parts(fuse::KernelOp kernel, int64_t parts, const std::vector<int>& values,
                               mlir::Operation& at, const KernelWords& words) {
  Parts made = split_rows(kernel, parts, place_for_kernel(kernel.getLoc()));
  const int part = storage().temporary(codegen::bytes_of_type(made.each.getResult(0).getType()), "partial");
  std::vector<int> of_each;
  KernelWords each_words;
  each_words.results = {"part"};
  each_words.is_early = words.is_early;
  for (unsigned k : made.inputs) of_each.push_back(values[k]), each_words.inputs.push_back(words.inputs[k]);
  of_each.push_back(part);
  launch_rows(made.each, of_each, at, std::move(each_words));
  KernelWords all_words = words_of_parts();
  all_words.inputs = {"part"}, all_words.results = words.results;
  launch_rows(made.all, {part, values.back()}, at, std::move(all_words));
}

// Of a kernel that adds up what the launch before it has left.
KernelWords Lowering::words_of_parts() const {
  KernelWords words;
  words.is_early = target_.has_early_launches();
  return words;
}

// Words that count blocks: a constant, as each launch leaves them at 0 for the next.
int Lowering::counters(int64_t words) {
  return storage().constant(std::string(static_cast<size_t>(words) * sizeof(uint32_t), '\0'), "counters");
}

// Adds up the parts of the groups, in their order, and writes what `results` make of the sums, and of inputs that no row
// changes. All of them keep the columns, or none.
void Lowering::add_parts(const Form& form, const Stages& stages, const RowSchedule& schedule,
                         const std::vector<unsigned>& results, const std::vector<int>& parts,
                         const std::vector<int>& values, const KernelWords& called, mlir::Operation& at) {
  auto source = mlir::cast<fuse::KernelOp>(form.body->getParentOp());
  const MadeOf of = made_of(form, stages, results);
  mlir::OpBuilder b(function().getContext());
  mlir::Location loc = stages.columns[of.sums[0]].reduce->getLoc();
  b.setInsertionPointToEnd(&place_for_kernel(loc));
  const bool keeps_columns = stages.columns[of.sums[0]].kept != 0;
  const int64_t width = keeps_columns ? schedule.columns : 1;
  const std::vector<int> kept = keeps_columns ? schedule.inner_dims : std::vector<int>();
  std::vector<int64_t> dims;
  for (int d : kept) dims.push_back(form.extent[static_cast<size_t>(d)]);
  dims.push_back(schedule.parts(keeps_columns));
  auto map = [&](int64_t base, const std::vector<int64_t>& strides) {
    mlir::AffineExpr sum = b.getAffineConstantExpr(base);
    for (auto [d, stride] : llvm::enumerate(strides)) sum = sum + b.getAffineDimExpr(static_cast<unsigned>(d)) * stride;
    return mlir::AffineMap::get(static_cast<unsigned>(dims.size()), 0, sum, b.getContext());
  };
  auto map_of = [&](const codegen::Access& access) {
    std::vector<int64_t> strides;
    for (int d : kept) strides.push_back(access.stride.empty() ? 0 : access.stride[static_cast<size_t>(d)]);
    return map(access.base, strides);
  };
  std::vector<int64_t> steps(dims.size(), width);  // the last of them from part to part
  for (size_t d = 0, step = static_cast<size_t>(width); d < kept.size(); ++d)
    steps[d] = static_cast<int64_t>(step /= static_cast<size_t>(dims[d]));

  KernelWords words = words_of_parts();
  std::vector<int> places;
  std::vector<mlir::Value> inputs;
  std::vector<mlir::AffineMap> in_maps, out_maps;
  auto add_input = [&](llvm::ArrayRef<int64_t> shape, mlir::Type element, mlir::AffineMap at_map, int place,
                       const std::string& name) {
    inputs.push_back(mlir::tensor::EmptyOp::create(b, loc, shape, element));
    in_maps.push_back(at_map);
    places.push_back(place);
    words.inputs.push_back(name);
  };
  for (size_t sum : of.sums)
    add_input({dims.back() * width}, stages.columns[sum].reduce->getResult(0).getType(), map(0, steps), parts[sum],
              "part");
  for (unsigned input : of.inputs) {
    auto type = mlir::cast<mlir::RankedTensorType>(source.getInputs()[input].getType());
    add_input(type.getShape(), type.getElementType(), map_of(form.in[input]), values[input], called.inputs[input]);
  }
  std::vector<mlir::Type> types;
  for (unsigned k : results) {
    types.push_back(source.getResult(k).getType());
    out_maps.push_back(map_of(form.out[k]));
    places.push_back(values[form.in.size() + k]);
    words.results.push_back(called.results[k]);
  }
  auto kernel = fuse::KernelOp::create(
      b, loc, types, b.getStringAttr(source.getName().str() + "_parts"), b.getDenseI64ArrayAttr(dims),
      b.getI64IntegerAttr(static_cast<int64_t>(kept.size())), inputs, b.getAffineMapArrayAttr(in_maps),
      mlir::ValueRange{}, mlir::DenseI64ArrayAttr(), b.getAffineMapArrayAttr(out_maps));

  mlir::Block& body = kernel.getBody().emplaceBlock();
  b.setInsertionPointToEnd(&body);
  mlir::IRMapping mapping;
  for (size_t sum : of.sums) {
    auto reduce = mlir::cast<fuse::ReduceOp>(stages.columns[sum].reduce);
    mlir::Value part = body.addArgument(reduce.getType(), loc);
    mapping.map(reduce.getResult(), fuse::ReduceOp::create(b, loc, reduce.getType(), reduce.getKind(), part,
                                                           b.getDenseI64ArrayAttr({static_cast<int64_t>(kept.size())}))
                                        .getResult());
  }
  for (unsigned input : of.inputs) {
    const mlir::BlockArgument element = form.body->getArgument(input);
    mapping.map(element, body.addArgument(element.getType(), loc));
  }
  std::vector<mlir::Value> yielded;
  for (unsigned k : results) yielded.push_back(clone_behind(form.body->getTerminator()->getOperand(k), mapping, b));
  fuse::YieldOp::create(b, loc, yielded);
  launch_rows(kernel, places, at, std::move(words));
}

}  // namespace tessera::cuda
