#include <tessera/codegen/cuda/cascade/schedule.h>

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include <tessera/codegen/cuda/cascade/liveness_text.h>
#include <tessera/codegen/cuda/rows/unsupported.h>

namespace tessera::cuda {
namespace {

constexpr int64_t most_shared = 99 * 1024;  // of a block, on every card from sm_80 on
constexpr int64_t fewest_rows = 16;         // fewer would leave most of each product to nobody
constexpr int64_t fewest_groups = 32, longest_alone = 2048;

int64_t round_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

// May `width` neighbours move at once? `run` of them lie next to each other, `steps` lead from one run to another.
bool fits(int64_t width, int64_t run, int64_t base, const std::vector<int64_t>& steps) {
  return run % width == 0 && base % width == 0 && llvm::all_of(steps, [&](int64_t step) { return step % width == 0; });
}

// `dim`: of the plane, that the operand's rows are.
PlaneStaging staging(const Cascade& c, const PlaneOperand& operand, int dim) {
  PlaneStaging made;
  made.depth = round_up(operand.depth(), operand.element.isF32() ? 8 : 16);
  const int64_t step = operand.stride[static_cast<size_t>(dim)];
  std::vector<int64_t> others;  // steps that no line follows either way
  for (int d = 0; d < c.first_rest; ++d)
    if (d != dim && c.extent[static_cast<size_t>(d)] > 1) others.push_back(operand.stride[static_cast<size_t>(d)]);
  std::vector<int64_t> along_depth = others, along_plane = others;
  int64_t run = 1;
  for (const auto& [extent, stride] : operand.along) along_plane.push_back(stride);
  if (!operand.along.empty() && operand.along.back().second == 1) run = operand.along.back().first;
  for (size_t k = 0; k + (run > 1 ? 1 : 0) < operand.along.size(); ++k) along_depth.push_back(operand.along[k].second);
  along_depth.push_back(step);
  const int64_t plane_run = step == 1 ? c.extent[static_cast<size_t>(dim)] : 1;
  auto widest = [&](int64_t of, const std::vector<int64_t>& steps) {
    int width = 16 / operand.bytes();
    while (width > 1 && !fits(width, of, operand.base, steps)) width /= 2;
    return width;
  };
  const int by_depth = widest(run, along_depth), by_plane = widest(plane_run, along_plane);
  made.along_depth = by_depth >= by_plane;
  made.width = std::max(by_depth, by_plane);
  // Pieces of a line change places with others of a power of 2.
  made.line_depth =
      made.along_depth ? static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(made.depth))) : made.depth;
  return made;
}

struct Chooser {
  const Cascade& c;
  CascadeSchedule s;
  bool is_f32 = llvm::any_of(c.stream_operands, [](const PlaneOperand& one) { return one.element.isF32(); });

  int64_t shared() const {
    int64_t bytes = 0;
    for (size_t k = 0; k < s.rows.size(); ++k) bytes += c.row_operands[k].bytes() * s.rows[k].line_depth * s.group();
    for (size_t k = 0; k < s.columns.size(); ++k)
      bytes += 2 * c.stream_operands[k].bytes() * s.columns[k].line_depth * s.block;
    for (mlir::BlockArgument argument : c.body().getArguments())
      if (c.is_column_vector(argument)) bytes += 2 * 8 * s.block;
    return bytes;
  }

  // Values that a thread holds: fragments of scores, of what levels hand on, of sums, and rows.
  int64_t values() const {
    int64_t fragments = static_cast<int64_t>(c.scores.size());
    for (const std::vector<mlir::Value>& level : c.kept) fragments += static_cast<int64_t>(level.size());
    int64_t all = fragments * s.block / 2;
    for (const PlaneAccumulation& one : c.accumulations) all += s.columns[one.right].depth / 2;
    for (size_t k = 0; k < s.rows.size(); ++k)
      if (s.in_registers[k]) all += s.rows[k].depth / 4;
    return all * s.down;
  }

  // Can the threads of a block bring what a line holds?
  bool can_bring(const PlaneStaging& one, int64_t rows) const {
    const int64_t line = one.along_depth ? one.line_depth : rows, lines = one.along_depth ? rows : one.line_depth;
    const int64_t vectors = line / one.width;
    return s.threads() % vectors == 0 && round_up(vectors * lines, s.threads()) / s.threads() <= 32;
  }
  bool can_bring() const {
    return llvm::all_of(s.rows, [&](const PlaneStaging& one) { return can_bring(one, s.group()); }) &&
           llvm::all_of(s.columns, [&](const PlaneStaging& one) { return can_bring(one, s.block); });
  }

  void find_staging() {
    for (const PlaneOperand& one : c.row_operands) s.rows.push_back(staging(c, one, c.row_dim));
    for (const PlaneOperand& one : c.stream_operands) s.columns.push_back(staging(c, one, c.column_dim));
  }

  // `most_values` of a thread; beside them it takes up to 60 registers.
  bool fits(int down, int64_t block, int64_t most_values) {
    s.down = down, s.block = block;
    s.in_registers.assign(s.rows.size(), false);
    if (!can_bring() || shared() > most_shared || values() > most_values) return false;
    // Three blocks of a multiprocessor hide more than rows in registers save. What is found here is what ptxas took.
    const bool has_two_sums = c.accumulations.size() > 1;
    s.residents = !is_f32 && values() <= (c.scores.size() == 1 ? 128 : has_two_sums ? 96 : 112) ? 3 : 2;
    for (size_t k = 0; k < s.rows.size() && s.residents == 2 && !is_f32; ++k) {
      s.in_registers[k] = true;
      s.in_registers[k] = values() <= (has_two_sums ? 176 : most_values);
    }
    s.groups = (c.rows + s.group() - 1) / s.group();
    const int64_t of_first = live_blocks(0), of_last = live_blocks(s.groups - 1);
    s.last_first = of_last > of_first;
    s.abreast = of_last == of_first ? 1 : points_abreast();
    return true;
  }

  // Where groups differ, what begins last should be short, on all multiprocessors of a large card. But what they stream
  // should stay in L2.
  int64_t points_abreast() const {
    constexpr int64_t most = 64;
    int64_t points = std::min(c.batch, most);
    while (c.batch % points != 0) --points;
    return points;
  }

  // Blocks that a group computes, as far as indices decide.
  int64_t live_blocks(int64_t group) const {
    const ir::Liveness blocks = without_data(c.liveness.blocks);
    int64_t live = 0;
    std::vector<ir::Interval> at(static_cast<size_t>(c.first_rest));
    for (int64_t first = 0; first < c.columns; first += s.block) {
      for (int d = 0; d < c.first_rest; ++d) at[static_cast<size_t>(d)] = {0, 0};
      at[static_cast<size_t>(c.row_dim)] = {group * s.group(), std::min((group + 1) * s.group(), c.rows) - 1};
      at[static_cast<size_t>(c.column_dim)] = {first, std::min(first + s.block, c.columns) - 1};
      live += ir::state_of(blocks, at, {}) != ir::BlockState::empty;
    }
    return live;
  }
};

}  // namespace

std::vector<CascadeSchedule> cascade_schedules(const Cascade& c, F32Products f32) {
  if (c.rows < fewest_rows) throw Unsupported{fmt::format("a plane of {} rows", c.rows)};
  // A block streams by itself: where a card has few of them and each has much to do, most of the card would wait.
  if (c.batch * round_up(c.rows, 64) / 64 < fewest_groups && c.outer * c.columns > longest_alone)
    throw Unsupported{"few rows against a long stream"};
  Chooser chooser{c, {}};
  chooser.find_staging();
  std::vector<CascadeSchedule> all;
  auto add = [&](int down, int64_t block, int64_t most_values = 192) {
    if (chooser.fits(down, block, most_values)) all.push_back(chooser.s);
  };
  // The last block should not be mostly empty.
  const bool is_wasteful = 10 * round_up(c.columns, 32) <= 9 * round_up(c.columns, 64);
  if (chooser.is_f32) {
    chooser.s.products_of_f32 = f32 == F32Products::as_tf32 ? 1 : 3;
    // Parts of operands take registers, and so do sums that begin anew.
    if (c.scores.size() == 1 && !is_wasteful) add(1, 64, 96);
    add(1, 32, 144);
    add(1, 16, 144);
    // For ptxas: each product waits for the one before. Products of 16 bits have 16 columns at least.
    const bool is_all_f32 =
        llvm::all_of(c.stream_operands, [](const PlaneOperand& one) { return one.element.isF32(); });
    if (!all.empty() && is_all_f32) add(1, 8, 144);
    if (all.empty()) throw Unsupported{"a plane whose operands are too wide for a block"};
    return all;
  }
  // Two tiles of a warp read each right operand once; more columns at a time mean fewer barriers. But two scores side by
  // side leave no registers for these, nor do masks beside two sums.
  if (c.rows > 64 && (c.accumulations.size() < 2 || c.liveness.conditions.empty())) {
    if (c.scores.size() == 1 && !is_wasteful) add(2, 64);
    add(2, 32);
  }
  add(1, 64);
  add(1, 32);
  if (!all.empty()) {
    CascadeSchedule roomy = all.back();
    roomy.residents = 2;
    roomy.in_registers.assign(roomy.rows.size(), false);
    if (roomy.residents != all.back().residents || roomy.in_registers != all.back().in_registers) all.push_back(roomy);
  }
  if (all.empty()) throw Unsupported{"a plane whose operands are too wide for a block"};
  return all;
}

bool last_has_most(const Cascade& c, const CascadeSchedule& s) {
  const Chooser of{c, s};
  return of.live_blocks(s.groups - 1) > of.live_blocks(0);
}

std::string schedule_text(const CascadeSchedule& s) {
  if (s.has_roles())
    return fmt::format(
        "a warpgroup of {} rows, a warp that copies; copy engine and wgmma; {} columns at a time, {} "
        "blocks at once; {} groups of rows",
        s.group(), s.block, s.residents, s.groups);
  const char* held = llvm::is_contained(s.in_registers, true) ? ", rows in registers" : "";
  const std::string f32 = s.products_of_f32 > 0 ? fmt::format("; f32 as tf32 x {}", s.products_of_f32) : "";
  return fmt::format("{} warps of {} rows{}, {} columns at a time, {} blocks at once; {} groups of rows{}", s.warps,
                     16 * s.down, held, s.block, s.residents, s.groups, f32);
}

}  // namespace tessera::cuda
