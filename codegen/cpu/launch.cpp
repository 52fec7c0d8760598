#include <tessera/codegen/cpu/launch.h>

#include <algorithm>

#include "mlir/IR/BuiltinTypes.h"

#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {
namespace {

mlir::ArrayRef<int64_t> shape_of(const Form& form, size_t in) {
  return mlir::cast<mlir::RankedTensorType>(form.body->getArgument(static_cast<unsigned>(in)).getType()).getShape();
}

// Row-major strides over the dims of `set`, in elements; the rest 0.
std::vector<int64_t> dense_strides(const Form& form, DimSet set) {
  std::vector<int64_t> strides(form.extent.size(), 0);
  int64_t step = 1;
  for (int d = form.dims() - 1; d >= 0; --d) {
    if (!has(set, d)) continue;
    strides[static_cast<size_t>(d)] = step;
    step *= form.extent[static_cast<size_t>(d)];
  }
  return strides;
}

int64_t volume(const Form& form, DimSet set) {
  int64_t count = 1;
  for (int d = 0; d < form.dims(); ++d) count *= has(set, d) ? form.extent[static_cast<size_t>(d)] : 1;
  return count;
}

}  // namespace

Layout::Layout(const Form& form, const Stages& stages) {
  outputs = static_cast<int>(form.in.size());
  columns = outputs + static_cast<int>(form.out.size());
  errors = columns + static_cast<int>(stages.columns.size());
  arguments = errors + 1;
  access = 1 + form.dims();
  int at = 4;
  auto group = [&](size_t count, int each) {
    int place = at;
    at += static_cast<int>(count) * each;
    return place;
  };
  extent = group(form.extent.size(), 1);
  in = group(form.in.size(), access);
  out = group(form.out.size(), access);
  index = group(form.index.size(), access);
  column = group(stages.columns.size(), access);
  spill = group(stages.spills.size(), access);
  shape = at;
  for (size_t k = 0; k < form.in.size(); ++k) {
    shape_of.push_back(at);
    if (form.whole[k]) at += static_cast<int>(codegen::shape_of(form, k).size());
  }
  size_t draws = 0;
  for (mlir::Operation& op : *form.body) draws += mlir::isa<fuse::RandomOp>(op) ? 1 : 0;
  stream = group(draws, 1);
  parameters = at;
}

Cut make_cut(const Form& form, const Stages& stages) {
  constexpr int64_t task_elements = 32768, most_column_tasks = 16;
  Cut cut;
  cut.rows = form.row_count();
  int64_t inner = std::max<int64_t>(1, volume(form, form.inner_set()));
  cut.per_task = std::max<int64_t>(1, task_elements / inner);
  if (!stages.columns.empty()) {
    cut.per_task = std::max(cut.per_task, (cut.rows + most_column_tasks - 1) / most_column_tasks);
  }
  cut.tasks = (cut.rows + cut.per_task - 1) / cut.per_task;
  for (const Spill& spill : stages.spills) {
    cut.scratch_bytes += (volume(form, spill.dims) * spill.bytes + 63) / 64 * 64;
  }
  for (const Column& column : stages.columns) cut.column_elements.push_back(volume(form, column.kept));
  return cut;
}

std::vector<ErrorSite> error_sites(mlir::Block& body) {
  std::vector<ErrorSite> sites;
  int word = 0;
  for (mlir::Operation& op : body) {
    auto load = mlir::dyn_cast<fuse::LoadAtOp>(op);
    if (!load || load.getClamp()) continue;
    sites.push_back({&op, word});
    word += 2 * static_cast<int>(load.getIndices().size());
  }
  return sites;
}

std::vector<int64_t> make_parameters(const Form& form, const Stages& stages, const Cut& cut) {
  std::vector<int64_t> out{cut.per_task, cut.rows, form.segment, form.vec_total};
  out.insert(out.end(), form.extent.begin(), form.extent.end());
  auto add = [&](int64_t base, std::vector<int64_t> strides) {
    strides.resize(form.extent.size(), 0);
    out.push_back(base);
    out.insert(out.end(), strides.begin(), strides.end());
  };
  for (const Access& access : form.in) add(access.base, access.stride);
  for (const Access& access : form.out) add(access.base, access.stride);
  for (const Access& access : form.index) add(access.base, access.stride);
  for (size_t k = 0; k < stages.columns.size(); ++k) {
    add(cut.column_elements[k], dense_strides(form, stages.columns[k].kept));
  }
  int64_t scratch = 0;
  for (const Spill& spill : stages.spills) {
    add(scratch, dense_strides(form, spill.dims));
    scratch += (volume(form, spill.dims) * spill.bytes + 63) / 64 * 64;
  }
  for (size_t k = 0; k < form.in.size(); ++k) {
    if (!form.whole[k]) continue;
    for (int64_t extent : shape_of(form, k)) out.push_back(extent);
  }
  for (mlir::Operation& op : *form.body) {
    if (auto random = mlir::dyn_cast<fuse::RandomOp>(op)) out.push_back(static_cast<int64_t>(random.getStream()));
  }
  return out;
}

}  // namespace tessera::codegen
