#include <tessera/codegen/cuda/contract/schedule.h>

#include <algorithm>
#include <array>
#include <limits>

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

Staging staging(const Contraction& c, const ContractOperand& operand, Side rows) {
  Staging made;
  const mlir::Type stored = c.stored_type(operand);
  made.element = c.sum_type();
  made.converts = stored != made.element;
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

constexpr int64_t enough_blocks = 264;  // two for each multiprocessor of a large card

// Tiles of sums from which the extents choose.
struct TileShape {
  int m, n, per_m, per_n;
  double each;  // cost of one sum beside those of the largest tile
};
constexpr std::array<TileShape, 4> tile_shapes = {
    {{64, 64, 4, 4, 1}, {32, 32, 2, 4, 1.6}, {16, 64, 2, 4, 1.6}, {64, 16, 2, 4, 1.6}}};

void choose_tile(const Contraction& c, ContractSchedule& s) {
  const int64_t m = c.size(c.m), n = c.size(c.n), batch = c.size(c.batch);
  double least = std::numeric_limits<double>::infinity();
  for (const TileShape& tile : tile_shapes) {
    const int64_t tiles = ceil_div(m, tile.m) * ceil_div(n, tile.n) * batch;
    // What is left idle where there are fewer tiles than the card holds.
    const int64_t waves = ceil_div(tiles * tile.m * tile.n, enough_blocks * 64 * 64);
    const double cost = tile.each * std::max(static_cast<double>(tiles) * tile.m * tile.n,
                                             static_cast<double>(waves) * enough_blocks * tile.m * tile.n);
    if (cost >= least) continue;
    least = cost;
    s.tile_m = tile.m, s.tile_n = tile.n, s.per_m = tile.per_m, s.per_n = tile.per_n;
  }
  s.threads = s.tile_m * s.tile_n / (s.per_m * s.per_n);
  s.residents = 512 / s.threads;
  s.tiles_m = ceil_div(m, s.tile_m), s.tiles_n = ceil_div(n, s.tile_n), s.batch = batch;
}

void cut_k(const Contraction& c, ContractSchedule& s) {
  constexpr int64_t shortest = 256;
  const int64_t k = c.size(c.k), tiles = s.tiles_m * s.tiles_n * s.batch;
  s.parts = std::clamp(std::min(enough_blocks / tiles, k / shortest), int64_t{1}, int64_t{64});
  s.part = ceil_div(ceil_div(k, s.parts), s.step) * s.step;
  s.parts = ceil_div(k, s.part);
}

// Vectors along the last dim of N; where that is not all of N they must not cross from one row of it to the next.
int epilogue_width(const Contraction& c) {
  if (c.n.count() == 0) return 1;
  const int64_t last = c.extent[static_cast<size_t>(c.n.end) - 1];
  return c.n.count() == 1 || last % 4 == 0 ? 4 : 1;
}

}  // namespace

ContractSchedule schedule_contraction(const Contraction& c) {
  ContractSchedule s;
  choose_tile(c, s);
  s.a = staging(c, c.a, c.m);
  s.b = staging(c, c.b, c.n);
  cut_k(c, s);
  s.width = epilogue_width(c);
  return s;
}

std::string schedule_text(const ContractSchedule& s) {
  auto side = [](const Staging& one) {
    return fmt::format("{} at once along {}{}", one.width, one.along_k ? "K" : "rows", one.converts ? ", widened" : "");
  };
  std::string text =
      fmt::format("tile {} x {}, steps of {} of K, {} stages, {} threads with {} x {} sums; a {}; b {}", s.tile_m,
                  s.tile_n, s.step, s.stages, s.threads, s.per_m, s.per_n, side(s.a), side(s.b));
  if (s.parts > 1) text += fmt::format("; K in {} parts of {}", s.parts, s.part);
  return text + fmt::format("; {} blocks", s.blocks());
}

}  // namespace tessera::cuda
