#pragma once
// The form of a kernel: its iteration space and accesses as plain numbers, brought into the shape that the emitter
// wants. Dims are *row* dims first (points of the outer space, cut into tasks), then *inner* dims (loops of one row).
// Reads of one fuse.kernel, decided here by numbers:
//   - dims of extent 1 go, neighbours that every access walks alike become one;
//   - one inner dim, `vec`, is walked by vectors: the one that most operands walk with unit stride;
//   - a row dim may be *segmented* to become `vec`: its blocks of `segment` elements are rows, what lies inside a
//     block is an inner dim. Pointwise kernels get their long loop so, and softmax over a strided dim its lanes.
// The emitter sees only the *class* of a form (kernel_class()), never an extent: kernels are shared between shapes.

#include <cstdint>
#include <string>
#include <vector>

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Block.h"

namespace tessera::fuse {
class KernelOp;
}

namespace tessera::codegen {

using DimSet = uint32_t;  // bit d: dim d
constexpr DimSet bit(int dim) { return DimSet{1} << dim; }
constexpr bool has(DimSet set, int dim) { return (set >> dim & 1) != 0; }

// Element offset of one operand, or the value of a fuse.index: base + Σ stride[d] · index[d].
struct Access {
  int64_t base = 0;
  std::vector<int64_t> stride;  // per dim of the form
  // A map that is not linear (mod, floordiv) stays an expression of the kernel's own dims; strides are then only
  // nonzero marks of what it depends on.
  mlir::AffineExpr expression;

  bool linear() const { return !expression; }
  DimSet dims() const;
};

struct Form {
  mlir::Block* body = nullptr;
  std::string name;
  std::vector<int64_t> extent;  // row dims, then inner dims
  int rows = 0;                 // number of row dims
  int vec = -1;                 // the inner dim walked by vectors; −1: none, all scalar
  bool segmented = false;       // row dim rows−1 counts the segments of `vec`
  int64_t segment = 0;          // elements in one
  int64_t vec_total = 0;        // extent of `vec` over all segments
  std::vector<int> of_kernel;   // kernel dim → dim of the form; −1: extent 1. Merged dims are absent from expressions

  std::vector<Access> in;     // per input; of a whole tensor (load_at) empty
  std::vector<bool> whole;    // per input: addressed by fuse.load_at
  std::vector<Access> out;    // per result
  std::vector<Access> index;  // per fuse.index, in body order
  std::vector<DimSet> over;   // per fuse.reduce, in body order
  std::vector<bool> column;   // per fuse.reduce: runs over every row dim

  int dims() const { return static_cast<int>(extent.size()); }
  DimSet row_set() const { return bit(rows) - 1; }
  DimSet inner_set() const { return (bit(dims()) - 1) & ~row_set(); }
  int64_t row_count() const;
};

// As the kernel stands: every dim is one of the form, none is walked by vectors yet.
Form read_form(fuse::KernelOp kernel);
// Reads and simplifies; which dims are rows and which reductions run over them is decided, but no dim is walked by
// vectors yet. Where a GPU's schedules begin.
Form merged_form(fuse::KernelOp kernel);
// The same, cut for a processor. `lanes`: vector width of the target.
Form make_form(fuse::KernelOp kernel, int lanes);

// Everything that the emitted code depends on, as text: equal text, equal code.
std::string kernel_class(const Form& form);

}  // namespace tessera::codegen
