#include <tessera/ir/form/atoms.h>

namespace tessera::ir {

int Atoms::add(int64_t extent) {
  atoms_.push_back({extent, static_cast<int>(atoms_.size())});
  return static_cast<int>(atoms_.size()) - 1;
}

AtomList Atoms::fresh(int64_t extent) { return extent == 1 ? AtomList{} : AtomList{add(extent)}; }

AtomLists Atoms::fresh(llvm::ArrayRef<int64_t> shape) {
  AtomLists lists;
  for (int64_t n : shape) lists.push_back(fresh(n));
  return lists;
}

int Atoms::find(int atom) const {
  // Each step halves the way for those who come later: chains are as long as the program without.
  for (int parent; (parent = atoms_[static_cast<size_t>(atom)].parent) != atom;) {
    atoms_[static_cast<size_t>(atom)].parent = atoms_[static_cast<size_t>(parent)].parent;
    atom = parent;
  }
  return atom;
}

AtomList Atoms::expanded(llvm::ArrayRef<int> list) const {
  AtomList out;
  for (int atom : list) {
    const int root = find(atom);
    const AtomList& parts = atoms_[static_cast<size_t>(root)].parts;
    if (parts.empty()) out.push_back(root);
    else out.append(expanded(parts));
  }
  return out;
}

void Atoms::split(int representative, int64_t major, int64_t minor) {
  const AtomList parts = {add(major), add(minor)};
  atoms_[static_cast<size_t>(representative)].parts = parts;
}

bool Atoms::unify(const AtomList& a, const AtomList& b) {
  AtomList x = expanded(a), y = expanded(b);
  // Walks both from the minor end, where the row-major neighbours are; the larger atom gives up its minor part.
  while (!x.empty() && !y.empty()) {
    const int p = x.back(), q = y.back();
    const int64_t n = extent(p), m = extent(q);
    if (p == q || n == m) {
      if (p != q) atoms_[static_cast<size_t>(p)].parent = q;
      x.pop_back();
      y.pop_back();
    } else {
      const int larger = n > m ? p : q;
      const int64_t minor = n > m ? m : n;
      if (extent(larger) % minor != 0) return false;
      split(larger, extent(larger) / minor, minor);
    }
    // A split or a union may concern atoms further up both lists.
    x = expanded(x);
    y = expanded(y);
  }
  return x.empty() && y.empty();
}

bool Atoms::unify(const AtomLists& a, const AtomLists& b) {
  if (a.size() != b.size()) return false;
  for (size_t d = 0; d < a.size(); ++d)
    if (!unify(a[d], b[d])) return false;
  return true;
}

}  // namespace tessera::ir
