#pragma once
// How a contraction is laid on blocks where the copy engine brings operands and wgmma multiplies them (sm_90a): one
// warpgroup of a block copies, two multiply, or one. Decided by shapes and dtypes alone, as other schedules are.
//
//   together  both have one tile, 64 rows or more each; its end is exposed, so it is for long K
//   in turns  each has every other tile of the block: one finishes its sums while the other multiplies
//
// Operands of f32 are multiplied as tf32, where the program says so: half as many of K in as many bytes and as much time. Or as
// three products of tf32, for which rests come beside each; sums of a step begin at nothing and f32 adds them up, since tensor
// cores truncate.
//
// Blocks come in pairs that share an operand: each brings half of it to both. Or a pair shares K: each has half of it, and
// half of the columns of the sums, for which the other sends it what it has.
//
// With short K a pair that shares a may keep to two columns of tiles, and go down them: then the last steps of b that one
// tile has read are the first of the next, which takes K the other way, and need not be brought again.

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <tessera/codegen/cuda/contract/mapped.h>

namespace tessera::cuda {

struct TileSchedule {
  bool in_turns = false;
  int fragments = 1;  // of 64 rows, of one warpgroup, below each other
  int tile_n = 256;
  enum class Pair { none, along_m, along_n, along_k };
  Pair pair = Pair::none;  // neighbours along M share b, along N share a, along K each has half
  bool is_early = false;   // its blocks take their places while the launch before ends
  bool one_each = false;   // blocks, or pairs, have one tile each, and no loop over tiles; of few rows, or parts of K
  int stages = 3;
  int kept = 0;                  // steps of b that stay for the next tile, all or at least as many as stages; else 0
  int64_t abreast = 1;           // where they do: rows of tiles that are worked on at once
  bool through_shared = false;   // the sums, to be finished in a loop, four neighbours at a time; else in registers
  int at_once = 1, buffers = 1;  // tiles of 64 columns that leave together, and how often there is room for them
  int64_t parts = 1;             // of K, whose sums another launch adds up
  int64_t part = 0;              // K of one, or of a block where a pair shares it: a multiple of `step`
  std::vector<unsigned> sent;    // results that leave by the copy engine
  // Inputs that have a value for each sum, of the contraction's kernel: the copy engine brings them to where results leave.
  std::vector<size_t> beside;
  MappedOperands operands;
  std::vector<Mapped> results, of_beside;        // of `sent` and of `beside`
  int64_t tiles_m = 1, tiles_n = 1, planes = 1;  // pairs count once; a plane is a part of a batch
  double clocks = 0;                             // estimated

  int step = 64;      // of K, in one buffer: a line of shared memory, or two
  int consumers = 2;  // warpgroups that multiply; one where a block has one tile of 64 rows
  static constexpr int multiprocessors = 132;
  // Of each step, so much is multiplied: what a tap's channels leave empty is not.
  int depth() const {
    const int64_t channels = operands.channels;
    return operands.a.along_k && operands.b.along_k && channels > 0 && channels < step
               ? static_cast<int>((channels + 15) / 16 * 16)
               : step;
  }
  int tile_m() const { return 64 * fragments * (in_turns ? 1 : consumers); }
  // Of the sums a thread has pairs of neighbours, or eight or four, which go to memory as they are.
  bool is_dealt() const { return operands.b.is_dealt; }
  int width() const { return through_shared ? 4 : is_dealt() ? dealt_neighbours(operands.bytes()) : 2; }
  // Of the sums that a warpgroup finishes.
  int columns() const { return pair == Pair::along_k ? tile_n / 2 : tile_n; }
  // Tiles of 64 columns that a warpgroup finishes one after the other, and how many there are of each: what comes and what
  // leaves.
  int rounds() const { return fragments * columns() / (64 * at_once); }
  size_t tiles_of_round() const { return std::max(sent.size(), beside.size()); }
  int cluster() const { return pair == Pair::none ? 1 : 2; }
  int64_t blocks() const;
};

// From the one that is thought the fastest on; none where an operand has no map. Dims of `c` are joined where results
// walk them alike. `f32`: how the program multiplies such operands.
std::vector<TileSchedule> tile_schedules(const Contraction& c, F32Products f32 = F32Products::by_fma);

std::string schedule_text(const TileSchedule& s);  // in a line for people

}  // namespace tessera::cuda
