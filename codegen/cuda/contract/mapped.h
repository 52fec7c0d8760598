#pragma once
// What of a contraction the copy engine can move: operands and results of 16-bit elements whose layout a tensor map
// holds, and operands of f32 that are multiplied as tf32, once or as three products. Those lie along K, as wgmma
// wants them: of one that lies along its rows, or whose lines are no multiples of 16 bytes, a launch before makes a
// copy that does. Three products read what tf32 leaves of each value besides, which such a launch writes too.
//
// Rows of an operand may be pixels of a picture, and K taps of a window and its channels: then the map knows how a window
// moves over the picture (cuTensorMapEncodeIm2col), a box begins at any pixel and goes on in the next line, and what a tap
// finds outside is zero.

#include <array>
#include <optional>

#include <tessera/codegen/cuda/contract/contraction.h>
#include <tessera/codegen/cuda/contract/schedule.h>

namespace tessera::cuda {

// A tensor as a map sees it, innermost dim first: see device/launch.cuh.
struct Mapped {
  int64_t first = 0;
  std::vector<int64_t> extents, strides;
  std::vector<int> batch;  // which batch dims stand behind the first two, in their order
  // Of the dims between the first and the last, where a window moves: the coordinate of the first pixel, how far behind the
  // last element the last pixel is, the step between pixels.
  std::vector<int64_t> lower, upper, steps;
  int bytes = 2;  // of an element

  int rank() const { return static_cast<int>(extents.size()); }
  bool is_window() const { return !lower.empty(); }
};

// Elements of 16 bits in the 16 bytes that every start and stride of a map is a multiple of.
constexpr int64_t mapped_unit = 8;
// Starts and strides are such multiples, extents such as maps have.
bool has_map(const Mapped& tensor);

// A coordinate in terms of the number that counts some points: first + point / inner % extent * step.
struct Walk {
  int64_t inner = 1, extent = 1, step = 1, first = 0;
  bool is_last = false;  // nothing is left to take the remainder of
};

// What a product asks a launch before it to write of an operand of f32, before wgmma multiplies it.
struct OperandCopy {
  Mapped from;
  bool turns = false;   // neighbours lie along rows, and along K in the copy
  bool splits = false;  // what tf32 leaves of it

  bool is_aligned() const { return has_map(from); }
  bool has_values() const { return turns || !is_aligned(); }  // else they are read where they lie
};
// Where all it writes lies: along K, dense, lines of whole 16 bytes.
Mapped copied(const OperandCopy& copy);

struct MappedOperand {
  Mapped tensor;
  bool along_k = true;  // else along its rows
  // The dim along which neighbours lie, or K of boxes, may be one of several: `line` points of it, then the next tap.
  int64_t line = 0;                 // 0: it is one
  std::vector<Walk> taps;           // of a window the offsets; of boxes the coordinates behind the first two
  std::vector<Walk> pixels;         // of a window the coordinates from the second on: of its rows, or of K
  bool is_dealt = false;            // see `dealt`
  std::optional<OperandCopy> copy;  // what a launch before writes of it
  std::optional<Mapped> rests;      // what tf32 leaves of it
};

struct MappedOperands {
  mlir::Type element;  // in shared memory: bf16, f16 or tf32
  MappedOperand a, b;
  int64_t k = 0;         // points of K that are brought: with each tap's channels filled up to whole steps
  int64_t channels = 0;  // of each tap, where K has any
  // Of each tap, where columns of the result are taps and channels and tiles have them filled up to whole lines; 0: they
  // do not.
  int64_t columns = 0;
  int64_t filled_columns() const { return (columns + 63) / 64 * 64; }
  int bytes() const { return element.isTF32() ? 4 : 2; }  // of an element
  bool is_thrice() const { return a.rests.has_value(); }  // a product of f32 is three of tf32
  int line() const { return 128 / bytes(); }              // elements of one in shared memory
};

// A contraction with dims of M, N and K joined as far as results allow, for operands that the copy engine brings.
Contraction read_mapped(fuse::KernelOp kernel);

// Lines along K, whole 32s of them, dealt: line 8 j + 2 q + c of 32 in a tile is line 8 q + 2 j + c of the operand. Then of 32
// columns of the sums lane q of four has eight neighbours, where without it has pairs. A tensor of five dims says so, and
// boxes of `dealt_box` by as many 32s as there are. Of f32, whose results have 32 bits too, 16 lines and four neighbours: what
// one instruction stores.
constexpr int dealt_neighbours(int bytes) { return 16 / bytes; }
constexpr int64_t dealt_lines(int bytes) { return 4 * dealt_neighbours(bytes); }
constexpr std::array<int64_t, 3> dealt_box(int bytes) { return {2, 4, dealt_neighbours(bytes) / 2}; }
bool can_be_dealt(const MappedOperand& operand);
MappedOperand dealt(const MappedOperand& operand);

// Both operands, or nothing where one has no map. `f32`: how the program multiplies such.
std::optional<MappedOperands> map_operands(const Contraction& c, F32Products f32);

// Result k, of 16-bit elements or f32, if elements of it can leave as boxes of rows along N.
std::optional<Mapped> map_result(const Contraction& c, unsigned k);

// Input k of what follows the product, of 16-bit elements, if it has one for each sum and boxes of rows along N can be brought
// of it.
std::optional<Mapped> map_beside(const Contraction& c, size_t k);

}  // namespace tessera::cuda
