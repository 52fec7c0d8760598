#pragma once
// Dims of tensors as products of atoms. A kernel needs one iteration space in which every operand is read at a linear
// offset, although reshapes cut the same elements in different ways:
//
//   x: [6, 8]   → reshape → [6, 2, 4] → transpose → [2, 6, 4]      and elementwise with z: [2, 6, 4]
//
// Here dim 1 of x is the product of two atoms of extents 2 and 4. Each dim of each value is a list of atoms, major
// first; an elementwise op unifies the lists of its operands, a reshape unifies the concatenated lists of both sides.
// When 8 meets 2·4, the atom 8 splits for everything that it was unified with. When 6 meets 4 it cannot, and the ops
// do not share a space. Atoms of extent 1 do not exist: such a dim is the empty list.

#include <cstdint>
#include <vector>

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

namespace tessera::ir {

using AtomList = llvm::SmallVector<int, 2>;        // one dim
using AtomLists = llvm::SmallVector<AtomList, 4>;  // the dims of one value

class Atoms {
 public:
  AtomList fresh(int64_t extent);
  AtomLists fresh(llvm::ArrayRef<int64_t> shape);

  // False when the extents do not factor; the atoms are then of no further use.
  bool unify(const AtomList& a, const AtomList& b);
  bool unify(const AtomLists& a, const AtomLists& b);  // dim by dim

  AtomList expanded(llvm::ArrayRef<int> list) const;  // as unsplit representatives
  int64_t extent(int representative) const { return atoms_[static_cast<size_t>(representative)].extent; }

 private:
  struct Atom {
    int64_t extent;
    int parent;           // itself for a representative
    AtomList parts = {};  // of a representative that was split
  };
  int add(int64_t extent);
  int find(int atom) const;
  void split(int representative, int64_t major, int64_t minor);

  mutable std::vector<Atom> atoms_;  // find() shortens its ways
};

}  // namespace tessera::ir
