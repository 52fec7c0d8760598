#include <tessera/ir/plane/liveness.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace tessera::ir {
namespace {

using Op = Liveness::Op;
using Node = Liveness::Node;
using Load = Liveness::Load;

Interval anything(int64_t bits) {
  if (bits >= 64) return {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()};
  return {-(int64_t{1} << (bits - 1)), (int64_t{1} << (bits - 1)) - 1};
}

// What does not fit wraps to anything.
Interval fitted(Interval x, int64_t bits) {
  const Interval all = anything(bits);
  return x.low >= all.low && x.high <= all.high ? x : all;
}

Interval hull(Interval x, Interval y) { return {std::min(x.low, y.low), std::max(x.high, y.high)}; }

Interval sum(Interval x, Interval y, int64_t bits) {
  Interval z;
  if (__builtin_add_overflow(x.low, y.low, &z.low) || __builtin_add_overflow(x.high, y.high, &z.high))
    return anything(bits);
  return fitted(z, bits);
}

Interval difference(Interval x, Interval y, int64_t bits) {
  Interval z;
  if (__builtin_sub_overflow(x.low, y.high, &z.low) || __builtin_sub_overflow(x.high, y.low, &z.high))
    return anything(bits);
  return fitted(z, bits);
}

Interval product(Interval x, Interval y, int64_t bits) {
  int64_t corners[4];
  if (__builtin_mul_overflow(x.low, y.low, &corners[0]) || __builtin_mul_overflow(x.low, y.high, &corners[1]) ||
      __builtin_mul_overflow(x.high, y.low, &corners[2]) || __builtin_mul_overflow(x.high, y.high, &corners[3]))
    return anything(bits);
  const auto [low, high] = std::minmax_element(std::begin(corners), std::end(corners));
  return fitted({*low, *high}, bits);
}

// By one positive number.
Interval quotient(Interval x, Interval y, int64_t bits) {
  if (y.low != y.high || y.low <= 0) return anything(bits);
  return {x.low / y.low, x.high / y.low};
}

Interval remainder(Interval x, Interval y, int64_t bits) {
  if (y.low != y.high || y.low <= 0) return anything(bits);
  const int64_t by = y.low;
  if (x.low / by == x.high / by) return {x.low % by, x.high % by};
  return {x.low < 0 ? 1 - by : 0, x.high > 0 ? by - 1 : 0};
}

Interval bitwise(Interval x, Interval y, int64_t bits) {
  if (x.low < 0 || y.low < 0) return anything(bits);
  int64_t ones = 0;
  while (ones < std::max(x.high, y.high)) ones = ones * 2 + 1;
  return {0, ones};
}

// The elements of a load in a block, along at most two dims: the others are points.
template <class T> class Elements {
 public:
  Elements(const Load& load, std::span<const Interval> block, const BlockData& data)
      : at_(static_cast<const T*>((load.is_statistic ? data.statistics : data.inputs)[load.input]) + load.offset) {
    for (size_t d = 0; d < block.size(); ++d) {
      const int64_t stride = load.strides[d], count = block[d].high - block[d].low + 1;
      at_ += block[d].low * stride;
      if (stride == 0 || count == 1) continue;
      Axis& axis = inner_.count == 1 ? inner_ : outer_;
      axis = {count, stride};
    }
    if (outer_.count > 1 && outer_.stride < inner_.stride) std::swap(outer_, inner_);
  }

  // f(elements, count, stride) of each line, until it is false.
  template <class F> bool lines(F f) const {
    for (int64_t i = 0; i < outer_.count; ++i)
      if (!f(at_ + i * outer_.stride, inner_.count, inner_.stride)) return false;
    return true;
  }

 private:
  struct Axis {
    int64_t count = 1, stride = 0;
  };
  const T* at_;
  Axis inner_, outer_;
};

template <class T> Interval range(const T* at, int64_t count, int64_t stride) {
  T low = *at, high = *at;
  for (int64_t i = 1; i < count; ++i) low = std::min(low, at[i * stride]), high = std::max(high, at[i * stride]);
  return {low, high};
}

template <class T> Interval range_of(const Load& load, std::span<const Interval> block, const BlockData& data) {
  Interval all{1, 0};  // of nothing
  Elements<T>(load, block, data).lines([&](const T* at, int64_t count, int64_t stride) {
    const Interval one = stride == 1 ? range(at, count, 1) : range(at, count, stride);
    all = all.low > all.high ? one : hull(all, one);
    return !load.is_bool || all.low == all.high;
  });
  return load.is_bool && all.low != all.high ? Interval{0, 1} : all;
}

Interval range_of(const Load& load, std::span<const Interval> block, const BlockData& data) {
  switch (load.bytes) {
    case 1: return range_of<int8_t>(load, block, data);
    case 2: return range_of<int16_t>(load, block, data);
    case 4: return range_of<int32_t>(load, block, data);
    default: return range_of<int64_t>(load, block, data);
  }
}

template <class T>
bool all_bits(const Load& load, std::span<const Interval> block, const BlockData& data, int64_t bits, bool unsigned_) {
  const T wanted = static_cast<T>(bits), mask = unsigned_ ? static_cast<T>(~T{0}) >> 1 : static_cast<T>(~T{0});
  return Elements<T>(load, block, data).lines([&](const T* at, int64_t count, int64_t stride) {
    for (int64_t i = 0; i < count; ++i)
      if ((at[i * stride] & mask) != wanted) return false;
    return true;
  });
}

bool all_bits(const Load& load, std::span<const Interval> block, const BlockData& data, int64_t bits, bool unsigned_) {
  switch (load.bytes) {
    case 2: return all_bits<uint16_t>(load, block, data, bits, unsigned_);
    case 4: return all_bits<uint32_t>(load, block, data, bits, unsigned_);
    default: return all_bits<uint64_t>(load, block, data, bits, unsigned_);
  }
}

template <class T> bool at_least(const Load& load, std::span<const Interval> block, const BlockData& data, T least) {
  return Elements<T>(load, block, data).lines([&](const T* at, int64_t count, int64_t stride) {
    for (int64_t i = 0; i < count; ++i)
      if (!(at[i * stride] >= least)) return false;
    return true;
  });
}

bool at_least(const Load& load, std::span<const Interval> block, const BlockData& data, int64_t least) {
  return load.bytes == 8 ? at_least(load, block, data, static_cast<double>(least))
                         : at_least(load, block, data, static_cast<float>(least));
}

Interval value_of(const Node& node, const Interval* values, std::span<const Load> loads,
                  std::span<const Interval> block, const BlockData& data) {
  const Interval x = values[node.a], y = values[node.b];
  auto fact = [](bool known) { return Interval{known, known}; };
  switch (node.op) {
    case Op::number: return {node.k, node.k};
    case Op::any: return anything(node.k);
    case Op::dim: return block[static_cast<size_t>(node.k)];
    case Op::load: return range_of(loads[static_cast<size_t>(node.k)], block, data);
    case Op::add: return sum(x, y, node.k);
    case Op::sub: return difference(x, y, node.k);
    case Op::mul: return product(x, y, node.k);
    case Op::div: return quotient(x, y, node.k);
    case Op::rem: return remainder(x, y, node.k);
    case Op::min: return {std::min(x.low, y.low), std::min(x.high, y.high)};
    case Op::max: return {std::max(x.low, y.low), std::max(x.high, y.high)};
    case Op::bitwise: return bitwise(x, y, node.k);
    case Op::fit: return fitted(x, node.k);
    case Op::choose:
      if (x.low) return values[node.c];
      return y.low ? values[node.d] : hull(values[node.c], values[node.d]);
    case Op::less: return fact(x.high < y.low);
    case Op::no_more: return fact(x.high <= y.low);
    case Op::equal: return fact(x.low == x.high && x == y);
    case Op::apart: return fact(x.high < y.low || y.high < x.low);
    case Op::all_bits: return fact(all_bits(loads[static_cast<size_t>(node.a)], block, data, node.k, node.b != 0));
    case Op::at_least: return fact(at_least(loads[static_cast<size_t>(node.a)], block, data, node.k));
    case Op::both: return fact(x.low && y.low);
    case Op::either: return fact(x.low || y.low);
  }
  return anything(64);
}

}  // namespace

BlockState state_of(std::span<const Node> nodes, std::span<const Load> loads, int64_t empty, int64_t full,
                    std::span<const Interval> block, const BlockData& data) {
  std::array<Interval, Liveness::max_nodes> values;
  for (size_t i = 0; i < nodes.size(); ++i) values[i] = value_of(nodes[i], values.data(), loads, block, data);
  if (empty >= 0 && values[static_cast<size_t>(empty)].low) return BlockState::empty;
  return full >= 0 && values[static_cast<size_t>(full)].low ? BlockState::full : BlockState::partial;
}

}  // namespace tessera::ir
