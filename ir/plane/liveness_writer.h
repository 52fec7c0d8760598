#pragma once
// Writes the program of liveness.h: each node once, what constants decide not at all. No MLIR.

#include <tessera/ir/plane/liveness.h>

namespace tessera::ir {

class LivenessWriter {
 public:
  // The number of a fact's node, or one of these.
  using Known = int32_t;
  static constexpr Known never = -1, always = -2;

  int32_t add(const Liveness::Node& node);
  int32_t add(const Liveness::Load& load);
  int32_t constant(int64_t k) { return add({Liveness::Op::number, 0, 0, 0, 0, k}); }
  int32_t any(int64_t bits) { return add({Liveness::Op::any, 0, 0, 0, 0, bits}); }
  // c if `yes`, d if `no`, else either of them.
  int32_t choose(Known yes, Known no, int32_t c, int32_t d);

  Known both(Known a, Known b);
  Known either(Known a, Known b);
  // `by`: less, no_more, equal or apart.
  Known compare(Liveness::Op by, int32_t a, int32_t b);

  // The program of these two facts, without nodes that they do not need; an empty one if it would be too long.
  Liveness finish(Known empty, Known full) const;

 private:
  std::vector<Liveness::Node> nodes_;
  std::vector<Liveness::Load> loads_;
};

}  // namespace tessera::ir
