#include <tessera/ir/plane/liveness_writer.h>

#include <algorithm>

namespace tessera::ir {
namespace {

using Op = Liveness::Op;
using Node = Liveness::Node;

// How many of a, b, c and d are nodes.
int operands(Op op) {
  switch (op) {
    case Op::number:
    case Op::any:
    case Op::dim:
    case Op::load:
    case Op::all_bits:
    case Op::at_least: return 0;
    case Op::fit: return 1;
    case Op::choose: return 4;
    default: return 2;
  }
}

template <class T> int32_t number_of(std::vector<T>& all, const T& one) {
  const auto known = std::find(all.begin(), all.end(), one);
  const auto number = static_cast<int32_t>(known - all.begin());
  if (known == all.end()) all.push_back(one);
  return number;
}

size_t at(int32_t node) { return static_cast<size_t>(node); }

}  // namespace

int32_t LivenessWriter::add(const Node& node) { return number_of(nodes_, node); }
int32_t LivenessWriter::add(const Liveness::Load& load) { return number_of(loads_, load); }

int32_t LivenessWriter::choose(Known yes, Known no, int32_t c, int32_t d) {
  if (yes == always || c == d) return c;
  if (no == always) return d;
  auto node = [&](Known fact) { return fact == never ? add({Op::less, constant(0), constant(0)}) : fact; };
  const int32_t a = node(yes), b = node(no);
  return add({Op::choose, a, b, c, d});
}

LivenessWriter::Known LivenessWriter::both(Known a, Known b) {
  if (a == never || b == never) return never;
  if (a == always || a == b) return b;
  return b == always ? a : add({Op::both, a, b});
}

LivenessWriter::Known LivenessWriter::either(Known a, Known b) {
  if (a == always || b == always) return always;
  if (a == never || a == b) return b;
  return b == never ? a : add({Op::either, a, b});
}

LivenessWriter::Known LivenessWriter::compare(Op by, int32_t a, int32_t b) {
  const Node x = nodes_[at(a)], y = nodes_[at(b)];
  if (x.op != Op::number || y.op != Op::number) return add({by, a, b});
  const bool holds = by == Op::less      ? x.k < y.k
                     : by == Op::no_more ? x.k <= y.k
                     : by == Op::equal   ? x.k == y.k
                                         : x.k != y.k;
  return holds ? always : never;
}

Liveness LivenessWriter::finish(Known empty, Known full) const {
  // A mask that hides all of the plane, or nothing of it, is left to the kernel.
  std::vector<bool> read(nodes_.size());
  for (const Known root : {empty, full})
    if (root >= 0) read[at(root)] = true;
  for (size_t k = nodes_.size(); k-- > 0;) {
    if (!read[k]) continue;
    const int32_t from[] = {nodes_[k].a, nodes_[k].b, nodes_[k].c, nodes_[k].d};
    for (int i = 0; i < operands(nodes_[k].op); ++i) read[at(from[i])] = true;
  }
  if (std::count(read.begin(), read.end(), true) > Liveness::max_nodes) return {};
  Liveness kept;
  std::vector<int32_t> now(nodes_.size());
  for (size_t k = 0; k < nodes_.size(); ++k) {
    if (!read[k]) continue;
    Node made = nodes_[k];
    int32_t* of[] = {&made.a, &made.b, &made.c, &made.d};
    for (int i = 0; i < operands(made.op); ++i) *of[i] = now[at(*of[i])];
    if (made.op == Op::load) made.k = number_of(kept.loads, loads_[static_cast<size_t>(made.k)]);
    if (made.op == Op::all_bits || made.op == Op::at_least) made.a = number_of(kept.loads, loads_[at(made.a)]);
    now[k] = static_cast<int32_t>(kept.nodes.size());
    kept.nodes.push_back(made);
  }
  if (empty >= 0) kept.empty = now[at(empty)];
  if (full >= 0) kept.full = now[at(full)];
  return kept;
}

}  // namespace tessera::ir
