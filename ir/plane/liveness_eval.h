#pragma once
// Which blocks of a score plane contribute nothing, as numbers: a warm start evaluates it without MLIR.

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace tessera::ir {

// What holds at all points of a block.
//   empty  every statistic and accumulation combines its neutral element: skip the block.
//   full   every condition in `Liveness::conditions` has its `keeps` value: code that takes them for granted may run.
enum class Block : uint8_t { empty, partial, full };

struct Interval {
  int64_t low = 0, high = 0;  // both belong to it
  bool operator==(const Interval&) const = default;
};

// A straight-line program over abstract values: integers and bools are intervals, floats sets of classes. liveness.h
// writes it, block_of runs it. Operands come before the nodes that use them.
struct Liveness {
  static constexpr int32_t max_nodes = 128;

  enum class Op : uint8_t {
    // integers; bools are 0 and 1
    any,      // of a bits: anything
    linear,   // k + Σ terms[a, b); anything if that does not fit c bits
    compare,  // node a against 0 by predicate b
    bit_and,
    bit_or,
    bit_xor,
    mul,  // node a by node b, anything if that does not fit c bits
    div,  // truncating, as rem
    rem,
    max,
    min,
    select,  // node a ? b : c
    // floats
    real,     // the classes k
    to_real,  // of integer node a
    real_select,
    negate,
    add,
    real_mul,
    real_div,
    real_max,
    real_min,
    exp,
    log,
    abs,
    tanh,
    narrow,
    real_compare,  // node a against node b by predicate c: a bool
  };
  enum class Predicate : uint8_t { eq, ne, lt, le, gt, ge };
  enum Class : int64_t { minus_infinity = 1, negative = 2, zero = 4, positive = 8, infinity = 16, any_real = 32 };
  enum class From : uint8_t { dim, load, node };

  struct Node {
    Op op = Op::any;
    int32_t a = 0, b = 0, c = 0;
    int64_t k = 0;
    bool operator==(const Node&) const = default;
  };
  struct Term {
    From from = From::dim;
    int32_t number = 0;
    int64_t factor = 0;
    bool operator==(const Term&) const = default;
  };
  // An integer or bool input that the row moves or the stream, not both: lengths, positions, segment ids.
  struct Load {
    int32_t input = 0;             // of the cascade
    int64_t offset = 0;            // elements
    std::vector<int64_t> strides;  // elements, per dim of a block
    bool operator==(const Load&) const = default;
  };
  struct Condition {
    int32_t node = 0;
    bool keeps = true;
    bool operator==(const Condition&) const = default;
  };
  struct Operand {
    int32_t node = 0;
    int64_t neutral = 0;  // a class
    bool operator==(const Operand&) const = default;
  };

  int32_t dims = 0;  // of a block: batch, row and stream
  std::vector<Node> nodes;
  std::vector<Term> terms;
  std::vector<Load> loads;
  std::vector<Condition> conditions;  // as PlaneLiveness::conditions
  std::vector<Operand> operands;      // what statistics and accumulations combine
  bool can_be_empty = false, can_be_full = false;  // if not, no block is, and nobody needs to ask

  bool operator==(const Liveness&) const = default;
  std::vector<int64_t> numbers() const;
  static Liveness from_numbers(std::span<const int64_t>);  // throws InternalError
};

// `block`: indices per dim. `loads`: per load, what its elements in the block lie between. Allocates nothing.
Block block_of(const Liveness&, std::span<const Interval> block, std::span<const Interval> loads);

// What the elements of a load lie between, `at(offset)` being one of them; bools are 0 and 1.
template <class At> Interval range_of(const Liveness::Load& load, std::span<const Interval> block, const At& at) {
  auto walk = [&](auto& self, size_t d, int64_t offset) -> Interval {
    if (d == load.strides.size()) {
      const int64_t x = at(offset);
      return {x, x};
    }
    const int64_t stride = load.strides[d], low = block[d].low;
    Interval all = self(self, d + 1, offset + low * stride);
    for (int64_t i = low + 1; stride != 0 && i <= block[d].high; ++i) {
      const Interval one = self(self, d + 1, offset + i * stride);
      all = {std::min(all.low, one.low), std::max(all.high, one.high)};
    }
    return all;
  };
  return walk(walk, 0, load.offset);
}

}  // namespace tessera::ir
