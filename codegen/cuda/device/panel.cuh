#pragma once
// A tile of an operand in shared memory, and how it comes there.

#include "async.cuh"
#include "scalar.cuh"
#include "vector.cuh"

namespace tessera {

enum class Lie { along_k, along_rows };  // which neighbours an operand has in memory, and so in shared memory
enum class Reads { singles, pairs };     // K that a lane reads at once: one, or the two neighbours 2t and 2t + 1

// `rows` of M or N by `depth` of K. Pieces of 16 bytes change places within their line, so that what a warp reads at once
// of several lines lies in different banks: lane (g, t) reads row g of 8, and K t of 4 or 16 bytes of it.
template <class T, int row_count, int depth_of, Lie lie_of, Reads reads = Reads::singles> struct Panel {
  using Element = T;
  static constexpr int rows = row_count, depth = depth_of;
  static constexpr Lie lie = lie_of;
  static constexpr int line_length = lie == Lie::along_k ? depth : rows, lines = rows * depth / line_length;

  alignas(128) T values[lines * line_length];

  TESSERA_DEVICE static int offset(int row, int k) {
    const int line = lie == Lie::along_k ? row : k, place = lie == Lie::along_k ? k : row;
    if constexpr (reads == Reads::pairs) {
      constexpr int near = piece * pieces;  // what changes places, so that the rest is a constant of the text
      return line * line_length + place / near * near + (place % near / piece ^ swizzle(line)) * piece + place % piece;
    }
    return line * line_length + (place / piece ^ swizzle(line)) * piece + place % piece;
  }
  TESSERA_DEVICE T* address(int row, int k) { return values + offset(row, k); }
  TESSERA_DEVICE const T* address(int row, int k) const { return values + offset(row, k); }
  TESSERA_DEVICE T at(int row, int k) const { return values[offset(row, k)]; }

 private:
  static constexpr int piece = 16 / int(sizeof(T)), pieces = line_length / piece < 8 ? line_length / piece : 8;
  static constexpr int in_all_banks = pieces < 8 ? 8 / pieces : 1;  // lines of which 32 banks hold one piece each
  // Single elements are read of 4 lines, two pieces of each; else one piece of 8 lines.
  static constexpr int at_once = lie == Lie::along_rows && sizeof(T) == 4 && pieces > 1 ? 2 : 1;

  // Pairs are read of two pieces of 4 lines: along K of lines 0 - 3 or 4 - 7 of 8, else of each other one.
  static constexpr int pairs = pieces > 1 ? pieces / 2 : 1;

  TESSERA_DEVICE static int swizzle(int line) {
    if constexpr (reads == Reads::pairs) {
      const int turn = line % 8 / in_all_banks;
      return (turn ^ turn / 4) % pairs * 2;
    } else {
      return line / in_all_banks % (pieces / at_once) * at_once;
    }
  }
};

// What one thread of `threads` brings: vectors of `width` neighbours, the same places of every tile. The offsets of its
// rows are computed once.
template <class Panel, int width, int threads, class Stored, class Offset> class Stager {
  static constexpr bool along_k = Panel::lie == Lie::along_k;
  static constexpr int per_line = Panel::line_length / width, vectors = per_line * Panel::lines;
  static constexpr int count = (vectors + threads - 1) / threads, step = threads / per_line;
  static constexpr int offsets = along_k ? count : 1;
  static_assert(threads % per_line == 0 && offsets <= 32, "each thread keeps its place on the line");
  using Element = typename Panel::Element;

  const Stored* from_;
  Offset row_[offsets];
  u32 inside_ = 0;

 public:
  // Rows from `first` on, of which there are `end`; `row_offset` says where each begins.
  template <class RowOffset>
  TESSERA_DEVICE Stager(const Stored* from, int first, int end, RowOffset row_offset) : from_(from) {
    const int t = static_cast<int>(threadIdx.x), line = t / per_line, place = t % per_line * width;
#pragma unroll
    for (int i = 0; i < offsets; ++i) {
      const int row = first + (along_k ? line + i * step : place);
      const bool is_inside = row < end && (vectors % threads == 0 || line + i * step < Panel::lines);
      row_[i] = is_inside ? row_offset(row) : 0;
      inside_ |= is_inside ? 1u << i : 0;
    }
  }

  // Columns of K from `first` on, up to `end`. `widened` makes an element of what is stored; without it, copies run on
  // their own and land in the group that ends next.
  template <class KOffset> TESSERA_DEVICE void load(Panel& to, int first, int end, KOffset k_offset) const {
    each(first, end, k_offset, [&](int row, int k, const Stored* at, bool inside) {
      copy_async<width * int(sizeof(Stored))>(to.address(row, k), at, inside);
    });
  }
  template <class KOffset, class Widened>
  TESSERA_DEVICE void load(Panel& to, int first, int end, KOffset k_offset, Widened widened) const {
    each(first, end, k_offset, [&](int row, int k, const Stored* at, bool inside) {
      const Vector<Stored, width> stored = tessera::load<width>(at);
      Vector<Element, width> values;
#pragma unroll
      for (int i = 0; i < width; ++i) values[i] = inside ? widened(stored[i]) : Element{};
      store(to.address(row, k), values);
    });
  }

 private:
  template <class KOffset, class Move>
  TESSERA_DEVICE void each(int first, int end, KOffset k_offset, Move move) const {
    const int t = thread_of_step(), first_line = t / per_line, place = t % per_line * width;
#pragma unroll
    for (int i = 0; i < count; ++i) {
      const int line = first_line + i * step;
      if (vectors % threads != 0 && line >= Panel::lines) continue;
      const int row = along_k ? line : place, k = along_k ? place : line;
      const bool is_there = first + k < end;
      // An address that exists either way: no branch.
      const Stored* at = from_ + row_[along_k ? i : 0] + k_offset(is_there ? first + k : first);
      move(row, k, at, is_there && (inside_ >> (along_k ? i : 0) & 1) != 0);
    }
  }
};

}  // namespace tessera
