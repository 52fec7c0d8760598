#include <tessera/codegen/cpu/form.h>

#include <algorithm>
#include <functional>

#include "mlir/IR/AffineMap.h"

#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {

DimSet Access::dims() const {
  DimSet set = 0;
  for (size_t d = 0; d < stride.size(); ++d) {
    if (stride[d] != 0) set |= bit(static_cast<int>(d));
  }
  return set;
}

int64_t Form::row_count() const {
  int64_t count = 1;
  for (int d = 0; d < rows; ++d) count *= extent[static_cast<size_t>(d)];
  return count;
}

namespace {

// Adds factor · expr to `access`; false when expr is not linear.
bool add_linear(mlir::AffineExpr expr, int64_t factor, Access& access) {
  if (auto constant = mlir::dyn_cast<mlir::AffineConstantExpr>(expr)) {
    access.base += factor * constant.getValue();
    return true;
  }
  if (auto dim = mlir::dyn_cast<mlir::AffineDimExpr>(expr)) {
    access.stride[dim.getPosition()] += factor;
    return true;
  }
  auto binary = mlir::dyn_cast<mlir::AffineBinaryOpExpr>(expr);
  if (!binary) return false;
  if (binary.getKind() == mlir::AffineExprKind::Add) {
    return add_linear(binary.getLHS(), factor, access) && add_linear(binary.getRHS(), factor, access);
  }
  if (binary.getKind() == mlir::AffineExprKind::Mul) {
    if (auto by = mlir::dyn_cast<mlir::AffineConstantExpr>(binary.getRHS())) {
      return add_linear(binary.getLHS(), factor * by.getValue(), access);
    }
  }
  return false;
}

Access read_map(mlir::AffineMap map) {
  Access access;
  access.stride.assign(map.getNumDims(), 0);
  if (map.getNumResults() == 0) return access;
  mlir::AffineExpr expr = map.getResult(0);
  if (add_linear(expr, 1, access)) return access;
  access.base = 0;
  access.expression = expr;
  for (unsigned d = 0; d < map.getNumDims(); ++d) access.stride[d] = expr.isFunctionOfDim(d) ? 1 : 0;
  return access;
}

// Every access of a form, so that a change of dims touches all of them.
void each_access(Form& form, const std::function<void(Access&)>& visit) {
  for (Access& access : form.in) visit(access);
  for (Access& access : form.out) visit(access);
  for (Access& access : form.index) visit(access);
}

DimSet remove_bit(DimSet set, int dim) {
  DimSet low = set & (bit(dim) - 1);
  return low | (set >> (dim + 1) << dim);
}

void remove_dim(Form& form, int dim) {
  each_access(form, [&](Access& access) { access.stride.erase(access.stride.begin() + dim); });
  for (DimSet& over : form.over) over = remove_bit(over, dim);
  for (int& d : form.of_kernel) d = d == dim ? -1 : d - (d > dim ? 1 : 0);
  form.extent.erase(form.extent.begin() + dim);
  if (dim < form.rows) --form.rows;
}

// May dims d and d + 1 be walked as one?
bool mergeable(Form& form, int d) {
  if (d + 1 == form.rows) return false;
  bool same = true;
  each_access(form, [&](Access& access) {
    auto i = static_cast<size_t>(d);
    if (access.linear()) same &= access.stride[i] == access.stride[i + 1] * form.extent[i + 1];
    else same &= access.stride[i] == 0 && access.stride[i + 1] == 0;
  });
  for (DimSet over : form.over) same &= has(over, d) == has(over, d + 1);
  return same;
}

void simplify(Form& form) {
  for (int d = form.dims() - 1; d >= 0; --d) {
    if (form.extent[static_cast<size_t>(d)] == 1) remove_dim(form, d);
  }
  for (int d = form.dims() - 2; d >= 0; --d) {
    if (!mergeable(form, d)) continue;
    auto i = static_cast<size_t>(d);
    form.extent[i + 1] *= form.extent[i];
    remove_dim(form, d);
  }
}

// Moves dim `from` to position `to`; the caller keeps `rows` right.
void move_dim(Form& form, int from, int to) {
  auto move = [&](auto& list) {
    auto value = list[static_cast<size_t>(from)];
    list.erase(list.begin() + from);
    list.insert(list.begin() + to, value);
  };
  move(form.extent);
  each_access(form, [&](Access& access) { move(access.stride); });
  auto moved = [&](int d) {
    if (d == from) return to;
    if (from < d && d <= to) return d - 1;
    if (to <= d && d < from) return d + 1;
    return d;
  };
  for (int& d : form.of_kernel) d = d < 0 ? d : moved(d);
  for (DimSet& over : form.over) {
    DimSet now = 0;
    for (int d = 0; d < form.dims(); ++d) now |= has(over, d) ? bit(moved(d)) : 0;
    over = now;
  }
}

// Dims that are not reduced become the rows. For kernels whose reductions all run over the same dims.
void rows_are_kept_dims(Form& form) {
  int place = 0;
  for (int d = 0; d < form.dims(); ++d) {
    if (has(form.over[0], d)) continue;
    move_dim(form, d, place);
    ++place;
  }
  form.rows = place;
  form.column.assign(form.column.size(), false);
}

// How well the operands like to be walked along `dim` by vectors.
int64_t score(Form& form, int dim, int lanes) {
  auto i = static_cast<size_t>(dim);
  int64_t sum = 0;
  auto add = [&](const Access& access, int64_t weight) {
    if (access.stride.empty() || access.dims() == 0) return;
    int64_t stride = access.linear() ? access.stride[i] : access.stride[i] != 0 ? 2 : 0;
    sum += weight * (stride == 1 ? 4 : stride == 0 ? 1 : -4);
  };
  for (const Access& access : form.in) add(access, 1);
  for (const Access& access : form.out) add(access, 2);
  int64_t extent = form.extent[i];
  if (extent < lanes) sum -= 3 * (lanes - extent) / lanes + 2;  // mostly idle lanes
  return sum;
}

// Cuts row dim `dim` into segments and makes the inside of one the innermost inner dim.
void segment(Form& form, int dim, int64_t length) {
  auto i = static_cast<size_t>(dim);
  int64_t total = form.extent[i];
  for (size_t k = 0; k < form.over.size(); ++k) {
    if (form.column[k]) form.over[k] |= bit(dim);  // it already holds every row dim
  }
  move_dim(form, dim, form.dims() - 1);
  --form.rows;
  // A new row dim behind the others counts segments.
  int counter = form.rows;
  form.extent.insert(form.extent.begin() + counter, (total + length - 1) / length);
  each_access(form, [&](Access& access) {
    if (access.stride.empty()) return;
    int64_t inside = access.stride.back();
    access.stride.insert(access.stride.begin() + counter, access.linear() ? inside * length : inside);
  });
  for (int& d : form.of_kernel) d += d >= counter ? 1 : 0;
  for (size_t k = 0; k < form.over.size(); ++k) {
    DimSet low = form.over[k] & (bit(counter) - 1);
    form.over[k] = low | (form.over[k] >> counter << (counter + 1)) | (form.column[k] ? bit(counter) : 0);
  }
  ++form.rows;
  form.vec = form.dims() - 1;
  form.segmented = true;
  form.segment = length;
  form.vec_total = total;
  form.extent.back() = std::min(total, length);
}

bool has_row_reduction(const Form& form) {
  for (size_t k = 0; k < form.over.size(); ++k) {
    if (!form.column[k] && form.over[k] != 0) return true;
  }
  return false;
}

bool same_dims(const Form& form) {
  return std::all_of(form.over.begin(), form.over.end(), [&](DimSet other) { return other == form.over[0]; });
}

// A kernel of column reductions alone, all over the same dims, with many columns: its columns can be the rows, so that
// sums stay in registers and no partial results are needed.
void swap_columns(Form& form, int lanes) {
  if (form.over.empty() || has_row_reduction(form)) return;
  if (!same_dims(form)) return;
  DimSet over = form.over[0];
  if (form.out.size() != form.over.size()) return;
  int64_t kept = 1, reduced = 1;
  for (int d = 0; d < form.dims(); ++d) (has(over, d) ? reduced : kept) *= form.extent[static_cast<size_t>(d)];
  if (kept < 16 * lanes || (kept < 64 * lanes && reduced > 64 * kept)) return;
  rows_are_kept_dims(form);
}

void choose_vector_dim(Form& form, int lanes) {
  int best = -1;
  int64_t best_score = 0;
  for (int d = form.dims() - 1; d >= 0; --d) {
    int64_t s = score(form, d, lanes);
    if (best < 0 || s > best_score) best = d, best_score = s;
  }
  if (best < 0) return;
  bool reduces_rows = has_row_reduction(form);
  if (best >= form.rows) {
    move_dim(form, best, form.dims() - 1);  // order of inner dims is free: sums are fixed by the form alone
    form.vec = form.dims() - 1;
    form.vec_total = form.extent.back();
    return;
  }
  // A strided softmax keeps one segment's values on chip; a plain loop may run longer.
  segment(form, best, reduces_rows ? 4 * lanes : 8192);
}

}  // namespace

Form read_form(fuse::KernelOp kernel) {
  Form form;
  form.body = &kernel.getBody().front();
  form.name = kernel.getName().str();
  form.extent.assign(kernel.getDims().begin(), kernel.getDims().end());
  form.rows = static_cast<int>(kernel.getOuter());
  for (int d = 0; d < form.dims(); ++d) form.of_kernel.push_back(d);
  for (auto [map, argument] :
       llvm::zip(kernel.getInMaps().getAsValueRange<mlir::AffineMapAttr>(), form.body->getArguments())) {
    Access access = read_map(map);
    access.stride.resize(form.extent.size(), 0);
    form.in.push_back(access);
    form.whole.push_back(mlir::isa<mlir::RankedTensorType>(argument.getType()));
  }
  for (mlir::AffineMap map : kernel.getOutMaps().getAsValueRange<mlir::AffineMapAttr>()) {
    form.out.push_back(read_map(map));
  }
  for (mlir::Operation& op : *form.body) {
    if (auto index = mlir::dyn_cast<fuse::IndexOp>(op)) form.index.push_back(read_map(index.getMap()));
    auto reduce = mlir::dyn_cast<fuse::ReduceOp>(op);
    if (!reduce) continue;
    DimSet over = 0;
    for (int64_t d : reduce.getOver()) over |= bit(static_cast<int>(d));
    form.over.push_back(over);
    form.column.push_back(false);
  }
  return form;
}

Form merged_form(fuse::KernelOp kernel) {
  Form form = read_form(kernel);
  // Without row reductions nothing has to stay together: pointwise kernels are all rows.
  if (form.over.empty()) form.rows = form.dims();
  // Reductions over the same inner dims: every other dim may as well be a row, and rows are what tasks are made of.
  bool inner_only =
      std::all_of(form.over.begin(), form.over.end(), [&](DimSet over) { return (over & form.row_set()) == 0; });
  if (!form.over.empty() && inner_only && same_dims(form)) rows_are_kept_dims(form);
  simplify(form);
  for (size_t k = 0; k < form.over.size(); ++k) form.column[k] = (form.over[k] & form.row_set()) != 0;
  return form;
}

Form make_form(fuse::KernelOp kernel, int lanes) {
  Form form = merged_form(kernel);
  swap_columns(form, lanes);
  choose_vector_dim(form, lanes);
  return form;
}

std::string kernel_class(const Form& form) {
  std::string text = "rows " + std::to_string(form.rows) + " dims " + std::to_string(form.dims()) + " vec " +
                     std::to_string(form.vec) + (form.segmented ? " segmented" : "");
  auto add = [&](const char* kind, const Access& access) {
    text += std::string("\n") + kind;
    for (size_t d = 0; d < access.stride.size(); ++d) {
      int64_t stride = access.stride[d];
      const bool along = static_cast<int>(d) == form.vec;
      text += stride == 0 ? " 0" : along && stride == 1 ? " 1" : along && stride == 2 ? " 2" : " s";
    }
    if (!access.linear()) {
      llvm::raw_string_ostream(text) << " expr " << access.expression;
      for (int d : form.of_kernel) text += " " + std::to_string(d);
    }
  };
  for (size_t k = 0; k < form.in.size(); ++k) add(form.whole[k] ? "whole" : "in", form.in[k]);
  for (const Access& access : form.out) add("out", access);
  for (const Access& access : form.index) add("index", access);
  for (size_t k = 0; k < form.over.size(); ++k) {
    text += "\nover " + std::to_string(form.over[k]) + (form.column[k] ? " column" : "");
  }
  return text;
}

}  // namespace tessera::codegen
