#pragma once
// Which blocks of a plane its masks leave empty or whole, as a small program over intervals. No MLIR: a cascade asks it
// for each block while it runs, because segment ids, lengths and masks in memory are known no earlier.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace tessera::ir {

struct Interval {
  int64_t low = 0, high = 0;  // both belong to it
  bool operator==(const Interval&) const = default;
};

//   empty    every statistic and accumulation would combine its neutral element: the block may be skipped
//   full     no mask hides a point of it: code without masks may run
//   partial  neither is known
enum class BlockState { empty, partial, full };

// A node is a number, which is an interval that holds what it is at every point of the block; or a fact: 1 where it is
// known to hold at every point, 0 where that is not known. Operands come before the nodes that use them.
struct Liveness {
  static constexpr int64_t max_nodes = 128, max_dims = 8;

  enum class Op : int64_t {
    // numbers, of k bits where they may wrap
    number,  // k
    any,
    dim,   // k of the block
    load,  // k
    add,
    sub,
    mul,
    div,  // truncates, as rem
    rem,
    min,
    max,
    bitwise,  // and, or, xor
    fit,      // a in k bits
    choose,   // c if fact a, d if fact b, else either of them
    // facts
    less,      // number a < number b
    no_more,   // ≤
    equal,     // one number alone
    apart,     // a ≠ b
    all_bits,  // every element of load a is k, its sign left out if b
    at_least,  // every float of load a is k or more
    both,      // facts a, b
    either,
  };
  struct Node {
    Op op = Op::any;
    int32_t a = 0, b = 0, c = 0, d = 0;
    int64_t k = 0;
    bool operator==(const Node&) const = default;
  };
  // Elements of an input of the cascade: the element for index i of dim d lies at offset + Σ i · strides[d]. Or of a
  // statistic, as far as the stream has come.
  struct Load {
    int64_t input = 0, bytes = 0, offset = 0;  // the number of the input or statistic; bytes of an element
    int64_t is_bool = 0, is_statistic = 0;
    std::array<int64_t, max_dims> strides = {};
    bool operator==(const Load&) const = default;
  };

  std::vector<Node> nodes;
  std::vector<Load> loads;
  int64_t empty = -1, full = -1;  // facts; −1: no block is known to be
};

// Where loads find their elements: of the inputs of the cascade, and of its statistics, each by the index of its row.
struct BlockData {
  void* const* inputs = nullptr;
  void* const* statistics = nullptr;
};

// `block`: the indices of the block per dim (batch, row, stream).
BlockState state_of(std::span<const Liveness::Node> nodes, std::span<const Liveness::Load> loads, int64_t empty,
                    int64_t full, std::span<const Interval> block, const BlockData& data);

inline BlockState state_of(const Liveness& of, std::span<const Interval> block, const BlockData& data) {
  return state_of(of.nodes, of.loads, of.empty, of.full, block, data);
}

}  // namespace tessera::ir
