#include <tessera/codegen/cuda/contract/tile_schedule.h>

#include <algorithm>
#include <utility>

#include "llvm/Support/MathExtras.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <fmt/format.h>

namespace tessera::cuda {
namespace {

using Pair = TileSchedule::Pair;

constexpr int64_t shared_bytes = 232448 - 1024;  // of a block, without barriers
constexpr size_t most_beside = 2;                // more would leave few buffers for each
constexpr int64_t sent_tile = 64 * 64 * 2, scratch_tile = 72 * 64 * 4;

// What follows the product. In registers, two neighbours at a time, it must be arithmetic with what belongs to a column or
// to all, or is brought beside the sums: other inputs and draws want four neighbours.
struct Ending {
  int statements = 0;
  bool fits_registers;
  bool reads_rows = false;       // something for each sum, or row
  int64_t bytes_of_columns = 0;  // for one column
  std::vector<size_t> beside;    // inputs that can be brought so
  std::vector<Mapped> of_beside;

  explicit Ending(const Contraction& c) : fits_registers(c.m.count() == 1 && c.n.count() == 1) {
    for (size_t k = 0; k < c.in.size(); ++k)
      if (k != c.a.argument && k != c.b.argument) see_input(c, k);
    for (mlir::Operation& op : c.body()) {
      if (op.isBeforeInBlock(c.contract_op) || &op == c.contract_op || &op == c.body().getTerminator()) continue;
      if (mlir::isa<mlir::arith::ConstantOp, mlir::arith::ExtFOp, mlir::arith::TruncFOp>(op)) continue;
      ++statements;
      fits_registers &= mlir::isa<mlir::arith::AddFOp, mlir::arith::SubFOp, mlir::arith::MulFOp, mlir::arith::NegFOp,
                                  mlir::arith::MaximumFOp, mlir::arith::MinimumFOp, mlir::math::TanhOp>(op);
    }
    fits_registers &= statements <= 24;
  }
  bool is_little() const { return fits_registers && statements <= 4; }

 private:
  void see_input(const Contraction& c, size_t k) {
    if (std::optional<Mapped> map = map_beside(c, k); map && beside.size() < most_beside) {
      reads_rows = true;
      beside.push_back(k), of_beside.push_back(std::move(*map));
      return;
    }
    fits_registers &= c.in[k].linear() && !c.in[k].stride.empty();
    for (int d = c.m.begin; d < c.m.end && !c.in[k].stride.empty(); ++d)
      reads_rows |= c.in[k].stride[static_cast<size_t>(d)] != 0;
    for (Side side : {c.batch, c.m})
      for (int d = side.begin; d < side.end && fits_registers; ++d)
        fits_registers = c.in[k].stride[static_cast<size_t>(d)] == 0;
    const mlir::Type type = c.body().getArgument(static_cast<unsigned>(k)).getType();
    if (type.isIntOrFloat()) bytes_of_columns += type.getIntOrFloatBitWidth() / 8;
  }
};

struct Shape {
  bool in_turns;
  int fragments, tile_n;
};
constexpr Shape shapes[] = {
    {false, 1, 256}, {true, 2, 192}, {true, 2, 128}, {true, 2, 64}, {true, 1, 256},
    {true, 1, 192},  {true, 1, 128}, {true, 1, 64},  {true, 1, 32},
};
// Beside the sums of a step a thread has those of all steps.
constexpr Shape thrice_shapes[] = {{false, 1, 128}, {false, 1, 64}};
// Of a result with few rows, in place of parts: less than what the copy engine stores at once.
constexpr int narrow = 32;

// As tiles have them.
int64_t columns_of(const Contraction& c, const MappedOperands& operands) {
  const int64_t n = c.size(c.n);
  return operands.columns == 0 ? n : n / operands.columns * operands.filled_columns();
}

class Chooser {
 public:
  Chooser(const Contraction& c, MappedOperands operands)
      : operands_(std::move(operands)),
        m_(c.size(c.m)),
        n_(columns_of(c, operands_)),
        k_(operands_.k),
        batch_(c.size(c.batch)),
        ending_(c),
        has_few_rows_(m_ <= 64 && !operands_.is_thrice() && is_plain(operands_.a) && is_plain(operands_.b) &&
                      operands_.b.along_k && ending_.fits_registers && ending_.beside.empty()) {
    size_t lined_up = 0;  // results of lines along N
    for (unsigned k = 0; ending_.fits_registers && k < c.out.size() && lined_up < 3; ++k)
      if (auto result = map_result(c, k)) {
        ++lined_up;
        if (result->bytes != 2 || operands_.bytes() != 2) continue;  // stored from registers
        sent_.push_back(k), results_.push_back(std::move(*result));
      }
    // It comes to where results leave.
    if (!ending_.beside.empty() && sent_.empty()) ending_.fits_registers = false;
    // One that could be sent is, but of few rows; f32 is stored, and best four at a time.
    const bool all_are =
        is_half() ? sent_.size() == c.out.size() && (has_few_rows_ || sent_.size() > 1) : lined_up == c.out.size();
    is_dealt_ = all_are && ending_.fits_registers && ending_.beside.empty() && can_be_dealt(operands_.b);
  }

  std::vector<TileSchedule> all() {
    const llvm::ArrayRef<Shape> all_shapes = operands_.is_thrice() ? llvm::ArrayRef(thrice_shapes) : shapes;
    for (const Shape& shape : all_shapes) {
      if (has_few_rows_ && shape.in_turns && shape.fragments == 1 && shape.tile_n <= 128) add_halves(shape);
      for (Pair pair : {Pair::none, Pair::along_m, Pair::along_n}) {
        if (has_few_rows_ && pair != Pair::none) continue;  // who shares little of what is read waits for the other
        if (shape.tile_n == narrow) {
          if (has_few_rows_) add_narrow(shape);
          continue;
        }
        if (is_dealt_ && !has_few_rows_) add_dealt(shape, pair);
        if (is_dealt_ && is_half() && !has_few_rows_ && pair == Pair::along_n && shape.in_turns) add_kept(shape);
        if (ending_.fits_registers) add_parts(shape, pair, false);
        if (!ending_.is_little() || !ending_.beside.empty()) add_parts(shape, pair, true);
      }
    }
    std::ranges::stable_sort(found_, {}, &TileSchedule::clocks);
    return std::move(found_);
  }

 private:
  bool is_half() const { return operands_.bytes() == 2; }
  static bool is_plain(const MappedOperand& operand) { return !operand.tensor.is_window() && operand.taps.empty(); }

  TileSchedule shaped(const Shape& shape, Pair pair) const {
    TileSchedule s;
    s.operands = operands_;
    s.in_turns = shape.in_turns, s.fragments = shape.fragments, s.tile_n = shape.tile_n, s.pair = pair;
    s.step = operands_.line();
    return s;
  }

  void add_parts(const Shape& shape, Pair pair, bool through_shared) {
    int64_t before = 0;
    for (int64_t wanted = 1; wanted <= 64; wanted += (wanted + 3) / 4) {
      TileSchedule s = shaped(shape, pair);
      const int64_t steps = llvm::divideCeilSigned(k_, s.step);
      int64_t of_part = llvm::divideCeilSigned(steps, wanted);
      divide(s, of_part);
      if (s.in_turns && !s.one_each) {  // all tiles take as many
        while (steps % of_part != 0) ++of_part;
        divide(s, of_part);
      }
      constexpr int64_t shortest = 256;
      if (wanted > 1 && (s.part < shortest || s.parts == 1)) continue;
      if (std::exchange(before, s.parts) == s.parts) continue;
      // The sums of parts are all that their kernel writes.
      if (s.parts > 1 && through_shared && ending_.fits_registers) continue;
      if (s.parts == 1) s.through_shared = through_shared;
      if (s.parts == 1 && !through_shared) {
        s.sent = sent_, s.results = results_;
        s.beside = ending_.beside, s.of_beside = ending_.of_beside;
      }
      place(std::move(s));
    }
  }

  void divide(TileSchedule& s, int64_t of_part) const {
    s.part = of_part * s.step;
    s.parts = llvm::divideCeilSigned(k_, s.part);
    lay_out_tiles(s);
  }

  // Several results that leave by the copy engine keep products waiting longer than stores from registers do.
  void add_dealt(const Shape& shape, Pair pair) {
    TileSchedule s = shaped(shape, pair);
    s.operands.b = dealt(operands_.b);
    s.part = llvm::divideCeilSigned(k_, s.step) * s.step;
    place(std::move(s));
  }

  // What stays need not be brought; and several results, for which L2 has little left, are written in whole rows.
  void add_kept(const Shape& shape) {
    TileSchedule s = shaped(shape, Pair::along_n);
    const int64_t steps = llvm::divideCeilSigned(k_, s.step);
    s.operands.b = dealt(operands_.b);
    s.part = steps * s.step;
    s.kept = 1;  // laid out below
    lay_out_tiles(s);
    s.abreast = std::min(TileSchedule::multiprocessors / s.cluster() / s.tiles_n, s.tiles_m);
    if (batch_ > 1 || s.abreast == 0 || s.abreast == s.tiles_m) return;
    if (!lay_out_shared(s)) return;
    s.kept = static_cast<int>(std::min<int64_t>(s.kept, steps));
    if (3 * s.kept < steps) return;
    s.clocks = estimate(s);
    found_.push_back(std::move(s));
  }

  void add_narrow(const Shape& shape) {
    TileSchedule s = shaped(shape, Pair::none);
    s.step = 2 * operands_.line();  // products of 64 x 32 and one line take less time than a hand-over
    s.part = llvm::divideCeilSigned(k_, s.step) * s.step;
    deal_few(s);
    place(std::move(s));
  }
  // A tile of a twice as wide reads a half as often. The sums need no second launch, which would cost more than that.
  void add_halves(const Shape& shape) {
    TileSchedule s = shaped(shape, Pair::along_k);
    s.in_turns = false, s.fragments = 1, s.consumers = 1;
    s.step = 2 * operands_.line();
    const int64_t steps = llvm::divideCeilSigned(k_, s.step);
    s.part = llvm::divideCeilSigned(steps, 2) * s.step;  // beyond K are zeros: both blocks take as many steps
    deal_few(s);
    if (steps > 1) place(std::move(s));
  }
  // Whole sectors are written at once, where stores are all that is left to do.
  void deal_few(TileSchedule& s) const {
    if (is_dealt_ && s.columns() % 32 == 0) s.operands.b = dealt(operands_.b);
  }

  // Over the tiles of the result.
  void place(TileSchedule s) {
    s.is_early = has_few_rows_;
    lay_out_tiles(s);
    if (s.pair == Pair::along_k && !s.one_each) return;  // sums are sent once
    if (s.one_each && std::exchange(s.in_turns, false)) s.consumers = std::exchange(s.fragments, 1);
    if (!lay_out_shared(s)) return;
    s.clocks = estimate(s);
    found_.push_back(std::move(s));
  }

  void lay_out_tiles(TileSchedule& s) const {
    s.tiles_m = llvm::divideCeilSigned(m_, s.tile_m() * (s.pair == Pair::along_m ? 2 : 1));
    s.tiles_n = llvm::divideCeilSigned(n_, s.tile_n * (s.pair == Pair::along_n ? 2 : 1));
    s.planes = batch_ * s.parts;
    s.one_each = (has_few_rows_ || s.parts > 1) && s.tiles_m * s.tiles_n * s.planes == s.blocks() / s.cluster();
  }

  // Buffers for what leaves, then as many stages as there is room for.
  bool lay_out_shared(TileSchedule& s) const {
    const auto results = static_cast<int64_t>(s.sent.size());
    const int64_t stage = (s.tile_m() + s.tile_n) * bytes_of_line(s);
    const int slices = s.tile_n / 64;
    // What stands exposed leaves all at once; beside the other's products it may leave piece by piece.
    const bool has_beside = !s.beside.empty();
    s.at_once = !s.in_turns && results == 1 && !has_beside ? slices : 1;
    // What is asked for comes two rounds later.
    s.buffers = has_beside ? std::min(s.rounds(), 4) : s.in_turns ? std::clamp(slices, 1, 3) : s.at_once == 1 ? 2 : 1;
    auto left = [&] {
      const bool has_columns = results > 0 || s.is_dealt();
      const int64_t ending = s.through_shared
                                 ? scratch_tile
                                 : static_cast<int64_t>(s.tiles_of_round()) * s.at_once * s.buffers * sent_tile +
                                       (has_columns ? ending_.bytes_of_columns * s.columns() : 0);
      const int64_t halves = s.pair == Pair::along_k ? int64_t{64} * s.columns() * 4 : 0;
      return shared_bytes - s.consumers * ending - halves;
    };
    while (s.buffers > 1 && left() < 4 * stage) --s.buffers;
    s.stages = static_cast<int>(std::min<int64_t>(left() / stage, 8));
    if (s.kept > 0)
      s.kept = static_cast<int>((left() - s.stages * s.tile_m() * bytes_of_line(s)) / (s.tile_n * bytes_of_line(s)));
    return s.stages >= (operands_.is_thrice() ? 2 : 3);  // three products take long enough for one to come
  }

  // Of a step, with the rests beside.
  int64_t bytes_of_line(const TileSchedule& s) const {
    return int64_t{s.step} * operands_.bytes() * (operands_.is_thrice() ? 2 : 1);
  }

  double estimate(const TileSchedule& s) const {
    const int64_t tiles = s.tiles_m * s.tiles_n * s.planes, pairs = TileSchedule::multiprocessors / s.cluster();
    const int64_t rounds =
        s.kept > 0 ? llvm::divideCeilSigned(s.tiles_m, s.abreast) : llvm::divideCeilSigned(tiles, pairs);
    const int64_t steps = s.part / s.step;
    const double area = static_cast<double>(s.tile_m()) * s.tile_n;
    // Of one step, in clocks: products; what shared memory moves for them; what comes from L2. By bytes of a line of K.
    const auto line = static_cast<double>(bytes_of_line(s));
    const int times = operands_.is_thrice() ? 3 : 1, instructions = s.depth() * operands_.bytes() / 32 * times;
    const double products = area * instructions / 128;
    const double moved = (s.tile_m() + s.tile_n) * line + s.tile_m() / 64 * instructions * (2048.0 + 32 * s.tile_n);
    const double brought =
        ((s.pair == Pair::along_n ? 0.5 : 1) * s.tile_m() + (s.pair == Pair::along_m ? 0.5 : 1) * s.tile_n) * line;
    // What need not be brought costs no energy, for which the clock would fall.
    const double spared = s.kept > 0 ? 0.0022 * s.kept / steps * s.tile_n * line : 0;
    const double added_up = operands_.is_thrice() ? 250 : 0;
    const double clocks = std::max({products, moved / 138, brought / 48}) + added_up - spared;
    // Of a tile: its products, and what follows them, which one warpgroup does while the other multiplies, or both at once.
    const double along_k = static_cast<double>(steps) * clocks;
    const double statements = s.parts > 1 ? 0 : 0.027 * ending_.statements;
    // Beside 192 sums a thread has registers for few loads at a time, and little arithmetic does not hide the wait.
    const bool waits = s.through_shared && ending_.reads_rows && s.fragments * s.tile_n / 2 >= 192;
    const double stored = (s.is_dealt() ? 0.01 : 0.015) * operands_.bytes();
    // With few buffers the way from memory shows.
    const int awaited = s.beside.empty() || s.buffers > 2 ? 0 : s.rounds() - s.buffers;
    const double sent = s.pair == Pair::along_k ? 1000 : 0;  // the way to the other block, and the wait for it
    const double finished = static_cast<double>(s.tile_m()) * s.columns();
    const double end = 500 + sent + 1000 * awaited +
                       finished * (stored + std::max(statements, waits ? 0.22 : 0) + (s.through_shared ? 0.2 : 0));
    const double tile = s.in_turns ? std::max(along_k, (along_k + end) / 2) : along_k + end;
    double run = 1500 + static_cast<double>(rounds) * tile + (s.in_turns ? end : 0);
    // With few rows the other operand is read once, from memory, so many bytes a clock; what is done meanwhile tells little.
    if (has_few_rows_)
      run = std::max(run, static_cast<double>(batch_ * (m_ + n_) * k_ * operands_.bytes()) / 2300) + run / 100;
    const double adding =
        s.parts == 1 ? 0 : 4000 + static_cast<double>(m_ * n_ * s.planes) * 8 / 16 / TileSchedule::multiprocessors;
    return run + adding + copying(operands_.a, m_) + copying(operands_.b, n_);
  }

  // A launch that reads the operand and writes one or two.
  double copying(const MappedOperand& operand, int64_t rows) const {
    if (!operand.copy) return 0;
    const int times = 1 + (operand.copy->has_values() ? 1 : 0) + (operand.copy->splits ? 1 : 0);
    return 4000 + static_cast<double>(batch_ * rows * k_ * times * operands_.bytes()) / 2000;
  }

  const MappedOperands operands_;
  const int64_t m_, n_, k_, batch_;
  Ending ending_;
  const bool has_few_rows_;
  bool is_dealt_ = false;  // b may be: see add_dealt
  std::vector<unsigned> sent_;
  std::vector<Mapped> results_;
  std::vector<TileSchedule> found_;
};

}  // namespace

int64_t TileSchedule::blocks() const {
  if (kept > 0) return abreast * tiles_n * cluster();
  return std::min(tiles_m * tiles_n * planes, int64_t{multiprocessors} / cluster()) * cluster();
}

std::vector<TileSchedule> tile_schedules(const Contraction& c, F32Products f32) {
  // Neighbours of a result lie along its last dim.
  if (c.n.count() > 1 && c.extent[static_cast<size_t>(c.n.end) - 1] % 4 != 0) return {};
  std::optional<MappedOperands> operands = map_operands(c, f32);
  if (!operands || (operands->columns != 0 && c.extent[static_cast<size_t>(c.n.end) - 1] != operands->columns))
    return {};
  return Chooser(c, std::move(*operands)).all();
}

std::string schedule_text(const TileSchedule& s) {
  std::string text =
      fmt::format("tile {} x {}, {}, steps of {} of K, {} stages; copy engine and wgmma; a along {}; b along {}",
                  s.tile_m(), s.tile_n,
                  s.consumers == 1 ? "one warpgroup"
                  : s.in_turns     ? "two warpgroups in turns"
                                   : "two warpgroups together",
                  s.step, s.stages, s.operands.a.along_k ? "K" : "rows", s.operands.b.along_k ? "K" : "rows");
  if (s.operands.a.tensor.is_window()) text += "; a through a window";
  if (s.operands.b.tensor.is_window()) text += "; b through a window";
  if (s.operands.element.isTF32()) text += s.operands.is_thrice() ? "; tf32 x 3" : "; tf32";
  if (s.operands.a.copy && s.operands.a.copy->has_values()) text += "; a copied before";
  if (s.operands.b.copy && s.operands.b.copy->has_values()) text += "; b copied before";
  if (s.is_dealt()) text += "; b dealt";
  if (s.pair == Pair::along_m) text += "; pairs along M share b";
  if (s.pair == Pair::along_n) text += "; pairs along N share a";
  if (s.kept > 0) text += fmt::format("; {} steps of b stay for the next tile", s.kept);
  if (s.pair == Pair::along_k) text += fmt::format("; pairs have {} of K each, and add halves of the sums", s.part);
  if (s.is_early) text += "; begins early";
  if (s.parts > 1) text += fmt::format("; K in {} parts of {}", s.parts, s.part);
  if (!s.beside.empty()) text += fmt::format("; {} beside the sums", s.beside.size() == 1 ? "one input" : "two inputs");
  if (s.through_shared) text += "; sums through shared memory";
  return text + fmt::format("; {} blocks{}", s.blocks(),
                            !s.one_each        ? ""
                            : s.cluster() == 1 ? ", one tile each"
                                               : ", one tile for each pair");
}

}  // namespace tessera::cuda
