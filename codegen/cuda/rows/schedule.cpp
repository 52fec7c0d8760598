#include <tessera/codegen/cuda/rows/schedule.h>

#include <algorithm>
#include <bit>

#include "llvm/ADT/SetVector.h"
#include "mlir/IR/BuiltinTypes.h"

#include <tessera/codegen/cuda/rows/of_columns.h>
#include <tessera/codegen/cuda/rows/running_sum.h>
#include <tessera/codegen/cuda/rows/unsupported.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::cuda {

using codegen::Access;
using codegen::Form;
using codegen::has;
using codegen::Stages;

namespace {

// Seeds for a card of about 130 multiprocessors, to be measured again where that changes by much. Groups and sums have a block
// for each of 128 of them, or several: most extents divide evenly by that.
constexpr int64_t multiprocessors = 132, even_multiprocessors = 128;
constexpr int64_t walking_blocks = 4 * multiprocessors;
constexpr int64_t busy_walking_blocks = 2 * multiprocessors;  // with rows and sums in registers no more run at a time
constexpr int running_at_once = 6;                            // blocks of a multiprocessor that each go once over rows
constexpr int threads_of_groups = 512;      // of a multiprocessor, where each has 128 registers for a row and sums
constexpr int most_in_registers = 112;      // values of a row in one thread, as far as they fit
constexpr int threads_of_short_rows = 128;  // of a block, where a warp holds a row or several
constexpr int most_of_lane = 32;            // the same where each lane has a row
constexpr int few_warps = 8;
constexpr int widest = 8;
constexpr int64_t rows_of_busy_group = 16;     // at least
constexpr int64_t rows_of_long_group = 8;      // at most: who is done early makes room for another block
constexpr int64_t most_of_last_block = 32768;  // elements of parts that one block adds up sooner than a launch begins
// Rows with more elements for each of 1024 threads leave no room for a second block in registers; in shared memory two
// find it.
constexpr int64_t most_of_thread = 32;

// How well the operands like neighbours along `dim`.
int64_t liking(const Form& form, int dim) {
  int64_t sum = 0;
  auto add = [&](const Access& access, int64_t weight) {
    if (access.stride.empty() || access.dims() == 0) return;
    const int64_t stride = access.stride[static_cast<size_t>(dim)];
    sum += weight * (!access.linear() ? (stride ? -4 : 1) : stride == 1 ? 4 : stride == 0 ? 1 : -4);
  };
  for (const Access& access : form.in) add(access, 1);
  for (const Access& access : form.out) add(access, 2);
  return sum;
}

int best_dim(const Form& form) {
  int best = -1;
  for (int d = form.dims() - 1; d >= 0; --d)
    if (best < 0 || liking(form, d) > liking(form, best)) best = d;
  return best;
}

template <class F> void each_operand(const Form& form, F visit) {
  auto kernel = mlir::cast<fuse::KernelOp>(form.body->getParentOp());
  for (size_t k = 0; k < form.in.size(); ++k)
    if (!form.whole[k])
      visit(form.in[k], bytes_of_element(form.body->getArgument(static_cast<unsigned>(k)).getType()), false);
  for (size_t k = 0; k < form.out.size(); ++k) {
    auto type = mlir::cast<mlir::RankedTensorType>(kernel.getResult(static_cast<unsigned>(k)).getType());
    visit(form.out[k], bytes_of_element(type.getElementType()), true);
  }
}

bool is_unit(const Access& access, int dim) {
  return dim >= 0 && access.linear() && access.stride[static_cast<size_t>(dim)] == 1;
}

// The widest vector that the operands can have (of points: that can be written; what is read may be read one by one): 16 bytes of the narrowest, and aligned. `may_end_early`: the last of a
// row need not be whole.
int choose_width(const Form& form, RowSchedule schedule, bool may_end_early) {
  if (schedule.vector_dim < 0) return 1;
  int narrowest = 0;
  each_operand(form, [&](const Access& access, int bytes, bool) {
    if (is_unit(access, schedule.vector_dim)) narrowest = narrowest ? std::min(narrowest, bytes) : bytes;
  });
  if (narrowest == 0) return 1;
  const int64_t extent = form.extent[static_cast<size_t>(schedule.vector_dim)];
  for (int width = std::min(widest, 16 / narrowest); width > 1; width /= 2) {
    schedule.width = width;
    if (extent < width || (!may_end_early && extent % width != 0)) continue;
    bool all = true, all_written = true, any = false, any_written = false;
    each_operand(form, [&](const Access& access, int bytes, bool is_result) {
      if (!is_unit(access, schedule.vector_dim)) return;
      const bool is_whole = is_vector(form, schedule, access, bytes);
      any = true;
      all &= is_whole;
      any_written |= is_result;
      all_written &= is_whole || !is_result;
    });
    if ((any && all) || (schedule.kind == RowSchedule::Kind::points && any_written && all_written)) return width;
  }
  return 1;
}

int64_t volume(const Form& form, const std::vector<int>& dims) {
  int64_t count = 1;
  for (int d : dims) count *= form.extent[static_cast<size_t>(d)];
  return count;
}

int64_t ceil_div(int64_t x, int64_t y) { return (x + y - 1) / y; }

// As few threads as hold a row with so many vectors each, or more where that leaves fewer of them idle.
int threads_of_row(int64_t per_row, int vectors) {
  int best = 0;
  int64_t least_idle = 0;
  for (int each = vectors; each > 0; --each) {
    const int threads = static_cast<int>(std::clamp<int64_t>(ceil_div(ceil_div(per_row, each), 32) * 32, 32, 1024));
    const int64_t idle = ceil_div(per_row, threads) * threads - per_row;
    if (best == 0 || idle < least_idle) best = threads, least_idle = idle;
  }
  return best;
}

int power_of_two(int64_t at_least, int lowest, int highest) {
  return std::clamp(static_cast<int>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(1, at_least)))), lowest,
                    highest);
}

bool reduces_rows(const Form& form) {
  for (size_t k = 0; k < form.over.size(); ++k)
    if (form.over[k] != 0 && !form.column[k]) return true;
  return false;
}

bool reads_once(const Form& form, const Stages& stages) {
  return llvm::none_of(form.out, [&](const Access& access) { return (access.dims() & form.inner_set()) != 0; }) &&
         llvm::none_of(stages.nests, [](const codegen::Nest& nest) { return nest.level > 0 && !nest.reduces.empty(); });
}

// Is `result` computed from what a row comes to? Sums over all rows are not. Looks at each value once: bodies share many.
bool waits_for_row(const Form& form, const Stages& stages, mlir::Value result) {
  llvm::SetVector<mlir::Value> values;
  values.insert(result);
  for (size_t k = 0; k < values.size(); ++k) {
    mlir::Operation* op = values[k].getDefiningOp();
    if (!op || llvm::any_of(stages.columns, [&](const codegen::Column& column) { return column.reduce == op; }))
      continue;
    if (mlir::isa<fuse::ReduceOp>(op) && !codegen::passes_through(form, op)) return true;
    values.insert(op->operand_begin(), op->operand_end());
  }
  return false;
}

// What the text can say: a row is reduced as a whole, and columns keep all inner dims or none. What is made of a sum over
// all rows comes behind the last row, and asks for none: also where all rows are equal.
void check_reductions(const Form& form, const Stages& stages) {
  for (mlir::Value result : form.body->getTerminator()->getOperands())
    if (column_behind(stages, result) >= 0 && waits_for_row(form, stages, result))
      throw Unsupported{"a sum over all rows, and with it what one row comes to"};
  for (size_t k = 0; k < form.over.size(); ++k)
    if (form.over[k] != 0 && !form.column[k] && form.over[k] != form.inner_set())
      throw Unsupported{"a reduction over a part of the row that another value is reduced over"};
  for (const codegen::Column& column : stages.columns) {
    const codegen::DimSet inside = form.over[static_cast<size_t>(codegen::ordinal(column.reduce))] & form.inner_set();
    const bool keeps_all = column.kept == form.inner_set() && inside == 0;
    const bool keeps_none = column.kept == 0 && (inside == 0 || inside == form.inner_set());
    if (!keeps_all && !keeps_none) throw Unsupported{"a sum over all rows and some of their dims"};
  }
}

void move_last(std::vector<int>& dims, int dim) {
  auto found = std::find(dims.begin(), dims.end(), dim);
  if (found != dims.end()) std::rotate(found, found + 1, dims.end());
}

void walk_long_row(const Form& form, const Stages& stages, Rounding rounding, RowSchedule& s) {
  int64_t bytes = 0;
  each_operand(form, [&](const Access& access, int size, bool is_result) {
    if (!is_result && (access.dims() & form.inner_set()) != 0) bytes += s.columns * size;
  });
  s.is_running = rounding == Rounding::of_kernel && find_running_sum(form, stages).has_value();
  s.in_shared_memory = !s.is_running && bytes <= most_in_shared_memory;
  if (!s.is_running && !s.in_shared_memory) return;
  s.threads = s.is_running ? 256 : 512;
  s.chunks = 0;
  s.blocks_at_once = s.is_running ? running_at_once : 2;
}

// Groups side by side meet before they write what they have of the columns, so there are fewer parts. As many as leave a
// block for each multiprocessor.
void group_threads(const Form& form, const Stages& stages, RowSchedule& s) {
  if (s.threads == 32) return;
  for (int at_once = threads_of_groups / s.threads; at_once > 1; at_once /= 2) {
    if (ceil_div(s.rows, rows_of_busy_group) < even_multiprocessors * at_once) continue;
    s.rows_at_once = at_once;
    s.blocks_at_once = threads_of_groups / s.block();
    s.meets = registers_of_row(form, stages, s) <= registers_left(s);
    if (s.meets) return;
  }
  s.rows_at_once = 1;
  s.blocks_at_once = 0;
}

// What rows have of the widest type moves by 16 bytes, so that lanes side by side move neighbours: of 32 bytes each, every
// instruction would touch twice the sectors. Threads keep as many elements.
void move_widest_whole(const Form& form, RowSchedule& s) {
  if (s.chunks == 0) return;
  int widest_type = 1;
  each_operand(form, [&](const Access& access, int size, bool) {
    if ((access.dims() & form.row_set()) != 0 && is_unit(access, s.vector_dim))
      widest_type = std::max(widest_type, size);
  });
  while (s.width > 1 && s.width * widest_type > 16) s.width /= 2;
  s.chunks = static_cast<int>(ceil_div(s.columns, static_cast<int64_t>(s.threads) * s.width));
}

// Where nothing but sums over all rows is wanted: blocks of a multiprocessor, all of which run at the same time, since a third
// of another wave would take as long as a whole one. Registers hold rows under way, what no row changes, and sums; ptxas
// asks for all of these rows at once only where it is told how many registers there are.
int summing_at_once(const Form& form, const Stages& stages, const RowSchedule& s) {
  constexpr int64_t beside = 16, all = 65536;
  int64_t bytes = 0;
  each_operand(form, [&](const Access& access, int size, bool is_result) {
    if (!is_result && (access.dims() & form.row_set()) != 0) bytes += rows_under_way * size;
  });
  for (mlir::Value value : values_of_columns(form, stages)) bytes += bytes_of_element(value.getType());
  for (const codegen::Column& column : stages.columns)
    if (column.kept != 0) bytes += bytes_of_element(column.reduce->getResult(0).getType());
  const int64_t registers = ceil_div(s.width * bytes, 4) + beside;
  return static_cast<int>(std::clamp<int64_t>(all / (registers * s.block()), 2, 4));
}

void walk_rows(const Form& form, const Stages& stages, Rounding rounding, RowSchedule& s) {
  const int64_t per_row = ceil_div(s.columns, s.width);
  const bool sums_columns = !stages.columns.empty(), sums_rows = reduces_rows(form);
  const bool keeps_columns =
      llvm::any_of(stages.columns, [](const codegen::Column& column) { return column.kept != 0; });
  if (sums_columns && !sums_rows) {  // columns are independent: a row may go to several blocks, or be a part of a warp
    s.threads = power_of_two(per_row, 1, 32);
    s.chunks = 1;
    s.splits = ceil_div(per_row, s.threads);
    s.meets = true;
  } else if (const int lanes = power_of_two(per_row, 1, 32);
             !sums_columns && lanes < 32 && s.rows % (threads_of_short_rows / lanes) == 0) {
    s.threads = lanes;
    s.chunks = 1;
  } else {
    // Where dear values are kept, more of them in fewer threads: smaller blocks wait less for each other.
    const int at_best = threads_of_row(per_row, stages.spills.empty() || sums_columns ? 2 : 4);
    for (int threads : {at_best, 1024, 512}) {
      s.threads = threads;
      s.chunks = static_cast<int>(std::min<int64_t>(ceil_div(per_row, threads), most_in_registers + 1));
      if (s.chunks * s.width <= most_in_registers && registers_of_row(form, stages, s) <= registers_left(s)) break;
      s.chunks = 0;
    }
    if (s.chunks == 0) s.threads = 1024;
    if (!keeps_columns && s.columns > 1024 * most_of_thread) walk_long_row(form, stages, rounding, s);
    if (s.chunks == 0 && keeps_columns)
      throw Unsupported{"column sums beside row reductions of rows too long for registers"};
  }
  s.rows_at_once = s.meets ? 256 / s.threads : s.threads <= 32 ? threads_of_short_rows / s.threads : 1;
  if (sums_rows && keeps_columns && !s.is_running) {
    group_threads(form, stages, s);
    move_widest_whole(form, s);
  }
  s.groups = s.rows;
  if (sums_columns) {
    if (!sums_rows) s.blocks_at_once = summing_at_once(form, stages, s);
    const int64_t blocks = s.is_running                   ? multiprocessors * running_at_once
                           : s.has_groups() || !sums_rows ? even_multiprocessors * s.blocks_at_once
                           : keeps_columns                ? busy_walking_blocks
                           : s.in_shared_memory ? std::max(walking_blocks, ceil_div(s.rows, rows_of_long_group))
                                                : walking_blocks;
    // Rows of a group: fewer make many parts.
    const int64_t at_least = !keeps_columns ? 1 : sums_rows ? rows_of_busy_group : 4;
    s.groups = std::min(std::max<int64_t>(1, blocks / s.splits) * s.rows_at_once, ceil_div(s.rows, at_least));
    const int64_t each = ceil_div(s.rows, s.groups);
    if (!sums_rows && each > rows_under_way)
      s.groups = ceil_div(s.rows, ceil_div(each, rows_under_way) * rows_under_way);
  }
  s.blocks = ceil_div(s.groups, s.rows_at_once) * s.splits;
  if (sums_columns) s.groups = s.blocks / s.splits * s.rows_at_once;  // they meet at barriers: some may walk no row
}

// Points in a row, all of whose operands lie in memory as they do or are one value: nothing but their number is of their
// shape.
bool fits_all_sizes(const Form& form, const RowSchedule& s) {
  if (form.dims() != 1 || form.extent[0] % s.width != 0 || !form.index.empty()) return false;
  if (llvm::is_contained(form.whole, true)) return false;
  auto is_plain = [](const Access& access) {
    return access.linear() && access.base == 0 &&
           (access.stride.empty() || access.stride[0] == 0 || access.stride[0] == 1);
  };
  return llvm::all_of(form.in, is_plain) && llvm::all_of(form.out, is_plain);
}

}  // namespace

int64_t registers_of_row(const Form& form, const Stages& stages, const RowSchedule& schedule) {
  int64_t bytes = 0, written = 0;
  each_operand(form, [&](const Access& access, int size, bool is_result) {
    if ((access.dims() & form.inner_set()) != 0) (is_result ? written : bytes) += size;
  });
  for (const codegen::Column& column : stages.columns)
    if (column.kept != 0) bytes += bytes_of_element(column.reduce->getResult(0).getType());
  return ceil_div(schedule.chunks * schedule.width * bytes + schedule.width * written, 4);
}

int64_t registers_left(const RowSchedule& schedule) {
  constexpr int64_t all = 65536, at_most = 255, for_the_rest = 33;
  return std::min(all / (schedule.block() * std::max(1, schedule.blocks_at_once)), at_most) - for_the_rest;
}

int bytes_of_element(mlir::Type type) {
  return type.isIndex() ? 8 : std::max(1, static_cast<int>(type.getIntOrFloatBitWidth()) / 8);
}

bool is_vector(const Form& form, const RowSchedule& schedule, const Access& access, int bytes) {
  if (!is_unit(access, schedule.vector_dim)) return false;
  const int aligned = std::min(schedule.width, 16 / bytes);
  if (access.base % aligned != 0) return false;
  for (int d = 0; d < form.dims(); ++d)
    if (d != schedule.vector_dim && access.stride[static_cast<size_t>(d)] % aligned != 0) return false;
  return true;
}

int64_t last_blocks(const Stages& stages, const RowSchedule& s) {
  const bool all_kept = llvm::all_of(stages.columns, [](const codegen::Column& column) { return column.kept != 0; });
  return all_kept ? s.splits : 1;
}

bool last_block_adds(const Stages& stages, const RowSchedule& s, const codegen::Column& column) {
  if (column.kept == 0) return s.parts(false) <= most_of_last_block;
  return last_blocks(stages, s) == s.splits && s.parts(true) * ceil_div(s.columns, s.splits) <= most_of_last_block;
}

bool any_last_block_adds(const Stages& stages, const RowSchedule& s) {
  return llvm::any_of(stages.columns,
                      [&](const codegen::Column& column) { return last_block_adds(stages, s, column); });
}

int column_behind(const Stages& stages, mlir::Value value) {
  mlir::Operation* op = value.getDefiningOp();
  if (!op) return -1;
  for (size_t k = 0; k < stages.columns.size(); ++k)
    if (stages.columns[k].reduce == op) return static_cast<int>(k);
  if (mlir::isa<fuse::ReduceOp>(op)) return -1;
  for (mlir::Value operand : op->getOperands())
    if (const int found = column_behind(stages, operand); found >= 0) return found;
  return -1;
}

RowSchedule schedule_rows(const Form& form, const Stages& stages, Rounding rounding) {
  RowSchedule s;
  for (int d = 0; d < form.dims(); ++d) (d < form.rows ? s.row_dims : s.inner_dims).push_back(d);
  s.vector_dim = best_dim(form);
  if (form.over.empty() || (!reduces_rows(form) && stages.columns.empty() && s.inner_dims.empty())) {
    move_last(s.row_dims, s.vector_dim);
    s.width = choose_width(form, s, form.dims() == 1);
    s.rows = volume(form, s.row_dims);
    const int64_t along = s.vector_dim < 0 ? 1 : form.extent[static_cast<size_t>(s.vector_dim)];
    s.blocks = ceil_div(s.rows / along * ceil_div(along, s.width), s.threads);
    s.is_counted = fits_all_sizes(form, s);
    return s;
  }
  check_reductions(form, stages);
  s.rows = volume(form, s.row_dims);
  s.columns = volume(form, s.inner_dims);
  if (s.vector_dim >= 0 && s.vector_dim < form.rows && stages.columns.empty()) {
    s.kind = RowSchedule::Kind::lanes;
    move_last(s.row_dims, s.vector_dim);
    s.vector_dim = s.inner_dims.empty() ? -1 : s.inner_dims.back();
    // Where each element is read once a lane asks for all of its own at once, and few warps are soon there.
    const bool has_few_warps = reads_once(form, stages) && s.columns <= few_warps * most_of_lane;
    s.threads = power_of_two(ceil_div(s.columns, 4), 1, has_few_warps ? few_warps : 32);
    s.chunks = static_cast<int>(std::min<int64_t>(ceil_div(s.columns, s.threads), most_of_lane + 1));
    if (s.chunks > most_of_lane) s.chunks = 0;
    s.rows_at_once = 32;
    s.blocks = ceil_div(s.rows, 32);
    return s;
  }
  s.kind = RowSchedule::Kind::rows;
  if (s.vector_dim < form.rows) {  // a row dim, but columns are summed: walk what lies inside
    s.vector_dim = -1;
    for (int d : s.inner_dims)
      if (s.vector_dim < 0 || liking(form, d) >= liking(form, s.vector_dim)) s.vector_dim = d;
  }
  move_last(s.inner_dims, s.vector_dim);
  s.width = choose_width(form, s, false);
  walk_rows(form, stages, rounding, s);
  return s;
}

}  // namespace tessera::cuda
