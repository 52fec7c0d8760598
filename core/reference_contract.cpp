// Contraction: one routine for matmul, convolution and both its gradients (D17).
//
// Every letter but the `in` letters of the window relations is a loop. An `in` letter follows from two of them,
//   in = stride · out + dilation · tap − pad,
// so its step in each tensor is added to theirs, and what is left of the relation is a bound: once the outer one of
// the two is fixed, the values of the inner one that keep `in` inside its extent are an interval.
#include <algorithm>
#include <array>
#include <map>

#include <tessera/core/einsum.h>
#include <tessera/core/error.h>
#include <tessera/core/reference_ops.h>

namespace tessera::reference {
namespace {

using Steps = std::array<int64_t, 3>;  // in a, b and the result

struct Letter {
  int64_t extent = -1;
  Steps steps = {};
};

struct Bound {  // 0 ≤ position of relation < extent
  size_t relation;
  int64_t step;       // how far one step of this loop moves the position
  bool last = false;  // no inner loop moves it
};

struct Loop {
  int64_t extent = 1;
  Steps steps = {};
  std::vector<Bound> bounds = {};
};

struct Nest {
  std::vector<Loop> loops;         // outermost first
  Steps start = {};                // may lie outside: pads point before the first element
  std::vector<int64_t> positions;  // of each relation's `in`
  std::vector<int64_t> extents;    // of each relation's `in`
};

std::map<char, Letter> letters_of(const Call& call, const Einsum& words) {
  const std::array<std::pair<const std::string*, const Shape*>, 3> tensors = {
      {{&words.a, &call.operands[0].shape}, {&words.b, &call.operands[1].shape}, {&words.out, &call.shape()}}};
  std::map<char, Letter> letters;
  for (size_t k = 0; k < tensors.size(); ++k) {
    const auto [word, shape] = tensors[k];
    const Dims strides = row_major_strides(*shape);
    for (size_t d = 0; d < word->size(); ++d) {
      Letter& letter = letters[(*word)[d]];
      letter.extent = shape->dims()[d];
      letter.steps[k] = strides[d];
    }
  }
  return letters;
}

Nest plan(const Call& call) {
  const ContractAttrs& attrs = call.attrs<ContractAttrs>();
  const std::optional<Einsum> words = parse_einsum(attrs.einsum);
  check_internal(words.has_value(), "a recorded contraction has an einsum string");
  std::map<char, Letter> letters = letters_of(call, *words);
  Nest nest;
  for (const WindowRelation& relation : attrs.windows) {
    const Letter in = letters[relation.in];
    letters.erase(relation.in);
    nest.positions.push_back(-relation.pad);
    nest.extents.push_back(in.extent);
    for (size_t k = 0; k < 3; ++k) {
      nest.start[k] -= relation.pad * in.steps[k];
      letters[relation.out].steps[k] += relation.stride * in.steps[k];
      letters[relation.tap].steps[k] += relation.dilation * in.steps[k];
    }
  }
  for (const auto& [name, letter] : letters) {
    check_internal(letter.extent >= 0, "every letter of a contraction stands in a tensor");
    Loop loop{letter.extent, letter.steps};
    for (size_t r = 0; r < attrs.windows.size(); ++r) {
      const WindowRelation& relation = attrs.windows[r];
      const int64_t step =
          (relation.out == name ? relation.stride : 0) + (relation.tap == name ? relation.dilation : 0);
      if (step != 0) loop.bounds.push_back({r, step});
    }
    nest.loops.push_back(std::move(loop));
  }
  if (nest.loops.empty()) nest.loops.emplace_back();  // a product of two scalars

  // The shortest steps go innermost, so that neighbours in memory follow each other; of equals, the longest loop.
  std::stable_sort(nest.loops.begin(), nest.loops.end(), [](const Loop& x, const Loop& y) {
    const auto distance = [](const Loop& loop) { return loop.steps[0] + loop.steps[1] + loop.steps[2]; };
    return distance(x) != distance(y) ? distance(x) > distance(y) : x.extent < y.extent;
  });
  std::vector<bool> moved_inside(attrs.windows.size(), false);
  for (auto loop = nest.loops.rbegin(); loop != nest.loops.rend(); ++loop)
    for (Bound& bound : loop->bounds) {
      bound.last = !moved_inside[bound.relation];
      moved_inside[bound.relation] = true;
    }
  return nest;
}

double multiply_add(double sum, double x, double y) { return sum + x * y; }
int64_t multiply_add(int64_t sum, int64_t x, int64_t y) {
  return wrap(static_cast<uint64_t>(sum) + static_cast<uint64_t>(x) * static_cast<uint64_t>(y));
}

template <class T> struct Runner {
  Nest nest;
  const T *a, *b;
  T* result;

  void run(size_t depth, Steps at) {
    const Loop& loop = nest.loops[depth];
    int64_t low = 0, high = loop.extent;
    for (const Bound& bound : loop.bounds) {
      if (!bound.last) continue;
      const int64_t position = nest.positions[bound.relation], extent = nest.extents[bound.relation];
      low = std::max(low, -floor_div(position, bound.step));
      high = std::min(high, floor_div(extent - 1 - position, bound.step) + 1);
    }
    if (low >= high) return;
    move(loop, at, low);
    if (depth + 1 == nest.loops.size()) {
      innermost(loop.steps, at, high - low);
      move(loop, at, -low);
      return;
    }
    for (int64_t i = low; i < high; ++i) {
      run(depth + 1, at);
      move(loop, at, 1);
    }
    move(loop, at, -high);
  }

 private:
  void move(const Loop& loop, Steps& at, int64_t steps) {
    for (size_t k = 0; k < 3; ++k) at[k] += steps * loop.steps[k];
    for (const Bound& bound : loop.bounds) nest.positions[bound.relation] += steps * bound.step;
  }

  void innermost(const Steps& steps, const Steps& at, int64_t count) {
    const T *x = a + at[0], *y = b + at[1];
    T* z = result + at[2];
    if (steps[2] == 0) {
      T sum = *z;
      for (int64_t i = 0; i < count; ++i) sum = multiply_add(sum, x[i * steps[0]], y[i * steps[1]]);
      *z = sum;
    } else {
      for (int64_t i = 0; i < count; ++i)
        z[i * steps[2]] = multiply_add(z[i * steps[2]], x[i * steps[0]], y[i * steps[1]]);
    }
  }
};

}  // namespace

void contract(const Call& call) {
  compute(call.dtype(), [&]<class T>(T) {
    const std::vector<T> a = load<T>(call.operands[0]), b = load<T>(call.operands[1]);
    std::vector<T> result(static_cast<size_t>(call.shape().numel()), T{0});
    Runner<T> runner{plan(call), a.data(), b.data(), result.data()};
    runner.run(0, runner.nest.start);
    store(call, result);
  });
}

}  // namespace tessera::reference
