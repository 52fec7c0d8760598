#include <tessera/codegen/cuda/contract/schedule.h>

#include <algorithm>
#include <array>
#include <limits>

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <fmt/format.h>

#include <tessera/codegen/cuda/rows/schedule.h>

namespace tessera::cuda {

using codegen::Access;

namespace {

int64_t ceil_div(int64_t x, int64_t y) { return (x + y - 1) / y; }

// Neighbours along `side` that may move by one instruction of at most 16 bytes: a power of two.
int widest(const Contraction& c, const Access& access, Side side, int bytes) {
  const int64_t run = run_along(c, access, side);
  int width = 16 / bytes;
  auto fits = [&](int w) {
    if (run % w != 0 || access.base % w != 0) return false;
    int64_t walked = 1;
    for (int d = static_cast<int>(c.extent.size()); d-- > 0;) {
      const auto i = static_cast<size_t>(d);
      const bool in_run = d >= side.begin && d < side.end && access.stride[i] == walked && walked < run;
      if (in_run) walked *= c.extent[i];
      else if (access.stride[i] % w != 0) return false;
    }
    return true;
  };
  while (width > 1 && !fits(width)) width /= 2;
  return width;
}

int64_t smallest_step(const Access& access, Side side) {
  int64_t step = std::numeric_limits<int64_t>::max();
  for (int d = side.begin; d < side.end; ++d)
    if (const int64_t stride = std::abs(access.stride[static_cast<size_t>(d)]); stride > 0)
      step = std::min(step, stride);
  return step;
}

Staging staging(const Contraction& c, const ContractOperand& operand, Side rows, mlir::Type element) {
  Staging made;
  const mlir::Type stored = c.stored_type(operand);
  made.element = element;
  made.converts = stored != element;
  const int bytes = bytes_of_element(stored);
  const int by_k = widest(c, operand.access, c.k, bytes), by_rows = widest(c, operand.access, rows, bytes);
  const int64_t run_k = run_along(c, operand.access, c.k), run_rows = run_along(c, operand.access, rows);
  made.along_k = by_k != by_rows     ? by_k > by_rows
                 : run_k != run_rows ? run_k > run_rows
                                     : smallest_step(operand.access, c.k) <= smallest_step(operand.access, rows);
  made.width = std::max(by_k, by_rows);
  made.converts |= made.width * bytes < 4;  // what copies by itself has 4 bytes at least
  return made;
}

Engine engine_for(const Contraction& c, F32Products f32) {
  if (!c.sum_type().isF32()) return Engine::fma;
  const mlir::Type half = half_type(c, c.a);
  if (half && half == half_type(c, c.b)) return Engine::half;
  switch (f32) {
    case F32Products::on_tensor_cores: return Engine::tf32x3;
    case F32Products::as_tf32: return Engine::tf32;
    case F32Products::by_fma: break;
  }
  return Engine::fma;
}

// Tiles of sums that a block can have, `per_m` × `per_n` of them in a thread or a warp.
struct TileShape {
  int m, n, per_m, per_n, threads, residents;
  double slower;               // a sum takes so many times what it takes in the largest tile
  bool shares_single = false;  // only for few columns of b whose elements come one by one
};
constexpr std::array<TileShape, 4> fma_tiles = {{
    {64, 64, 4, 4, 256, 2, 1},
    {32, 32, 2, 4, 128, 4, 1.6},
    {16, 64, 2, 4, 128, 4, 1.6},
    {64, 16, 2, 4, 128, 4, 1.6},
}};
constexpr std::array<TileShape, 8> mma_tiles = {{
    {128, 128, 64, 32, 256, 1, 1},
    {128, 64, 64, 32, 128, 2, 1.1},
    {64, 128, 64, 32, 128, 2, 1.1},
    {64, 64, 32, 32, 128, 3, 1.2},
    {32, 32, 16, 16, 128, 4, 2.2},
    {16, 64, 16, 16, 128, 4, 2.8},
    {64, 16, 16, 16, 128, 4, 2.8},
    {128, 16, 16, 16, 256, 2, 2.3, true},
}};

// Estimates tiles and parts of K in clocks of a large card, whatever card there is: all get the same sums.
class Chooser {
 public:
  Chooser(const Contraction& c, ContractSchedule& s)
      : s_(s), m_(c.size(c.m)), n_(c.size(c.n)), k_(c.size(c.k)), batch_(c.size(c.batch)) {}

  void choose() {
    auto from = [&](const auto& tiles) {
      for (const TileShape& tile : tiles) try_parts(tile);
    };
    if (s_.engine == Engine::fma) from(fma_tiles);
    else from(mma_tiles);
  }

 private:
  static constexpr int64_t multiprocessors = 132;

  void try_parts(const TileShape& tile) {
    if (tile.shares_single && (s_.engine != Engine::half || n_ > tile.n || s_.b.width > 1)) return;
    // Vectors of an operand that a thread brings in a step: each takes a register or two.
    const int most = s_.engine == Engine::tf32x3 || s_.engine == Engine::tf32 ? 8 : 16;
    auto brings = [&](int rows, const Staging& one) { return rows * s_.step / (tile.threads * one.width); };
    if (brings(tile.m, s_.a) > most || brings(tile.n, s_.b) > most) return;
    for (int64_t wanted = 1; wanted <= 128; wanted += (wanted + 3) / 4) {
      const int64_t part = ceil_div(ceil_div(k_, wanted), s_.step) * s_.step, parts = ceil_div(k_, part);
      constexpr int64_t shortest = 128;
      if (wanted > 1 && (part < shortest || parts == 1)) continue;
      const double clocks = estimate(tile, part, parts);
      if (clocks >= least_) continue;
      least_ = s_.clocks = clocks;
      s_.tile_m = tile.m, s_.tile_n = tile.n, s_.per_m = tile.per_m, s_.per_n = tile.per_n;
      s_.threads = tile.threads, s_.residents = tile.residents;
      s_.part = part, s_.parts = parts;
      s_.tiles_m = ceil_div(m_, tile.m), s_.tiles_n = ceil_div(n_, tile.n), s_.batch = batch_;
    }
  }

  static double rate_of(Engine engine) {
    switch (engine) {
      case Engine::fma: return 60;
      case Engine::tf32x3: return 120;
      case Engine::tf32: return 260;
      case Engine::half: break;
    }
    return 700;
  }

  double estimate(const TileShape& tile, int64_t part, int64_t parts) const {
    const int64_t blocks = ceil_div(m_, tile.m) * ceil_div(n_, tile.n) * batch_ * parts;
    const int64_t each = ceil_div(blocks, multiprocessors);  // blocks of one multiprocessor
    // Products and additions of a multiprocessor in a clock, and bytes that it moves.
    const double rate = rate_of(s_.engine), bytes = 40;
    const double sums = static_cast<double>(tile.m) * tile.n;
    // Until something runs, and until a tile is written.
    const double start = 1500 + sums * 8 / bytes;
    // Few warps do not hide what they wait for.
    const double warps = static_cast<double>(std::min<int64_t>(each, tile.residents)) * tile.threads / 32;
    const double block = sums * static_cast<double>(part) / rate * tile.slower * std::max(1.0, 8 / warps) + start;
    // Sums of parts are written and read, by a launch more.
    const double adding = parts == 1 ? 0
                                     : 4000 + static_cast<double>(m_ * n_ * batch_) * static_cast<double>(parts) * 8 /
                                                  bytes / multiprocessors;
    return static_cast<double>(each) * block + adding;
  }

  ContractSchedule& s_;
  const int64_t m_, n_, k_, batch_;
  double least_ = std::numeric_limits<double>::infinity();
};

}  // namespace

mlir::Type half_type(const Contraction& c, const ContractOperand& operand) {
  const mlir::Type stored = c.stored_type(operand);
  if (!stored.isBF16() && !stored.isF16()) return {};
  const bool only_widened =
      operand.widening.empty() || (operand.widening.size() == 1 && mlir::isa<mlir::arith::ExtFOp>(operand.widening[0]));
  return only_widened ? stored : mlir::Type();
}

int epilogue_width(const Contraction& c) {
  if (c.n.count() == 0) return 1;
  const int64_t last = c.extent[static_cast<size_t>(c.n.end) - 1];
  return c.n.count() == 1 || last % 4 == 0 ? 4 : 1;
}

ContractSchedule schedule_contraction(const Contraction& c, F32Products f32) {
  ContractSchedule s;
  s.engine = engine_for(c, f32);
  const mlir::Type element = s.engine == Engine::half ? half_type(c, c.a) : c.sum_type();
  s.a = staging(c, c.a, c.m, element);
  s.b = staging(c, c.b, c.n, element);
  // Whoever brings single elements keeps an offset for each.
  const bool single = s.a.width == 1 || s.b.width == 1;
  if (s.engine == Engine::half) s.step = single ? 32 : 64;
  Chooser(c, s).choose();
  if (s.engine == Engine::half && s.tile_m * s.tile_n == 128 * 128) s.residents = 2;
  if (single) s.residents = std::max(1, s.residents - 1);
  if (s.engine != Engine::fma) {
    constexpr int ahead = 64 << 10;  // bytes on their way hide what memory takes
    s.stages = std::clamp(ahead / ((s.tile_m + s.tile_n) * s.step * bytes_of_element(element)), 2, 4);
  }
  s.width = epilogue_width(c);
  return s;
}

std::string schedule_text(const ContractSchedule& s) {
  auto side = [](const Staging& one) {
    return fmt::format("{} at once along {}{}", one.width, one.along_k ? "K" : "rows",
                       one.converts ? ", through registers" : "");
  };
  const char* engine = s.engine == Engine::fma      ? "FMA"
                       : s.engine == Engine::tf32x3 ? "tensor cores, tf32 x 3"
                       : s.engine == Engine::tf32   ? "tensor cores, tf32"
                                                    : "tensor cores";
  std::string text = fmt::format("tile {} x {}, {} x {} a {}, {} threads, steps of {} of K, {} stages; {}; a {}; b {}",
                                 s.tile_m, s.tile_n, s.per_m, s.per_n, s.engine == Engine::fma ? "thread" : "warp",
                                 s.threads, s.step, s.stages, engine, side(s.a), side(s.b));
  if (s.parts > 1) text += fmt::format("; K in {} parts of {}", s.parts, s.part);
  return text + fmt::format("; {} blocks", s.blocks());
}

}  // namespace tessera::cuda
