#pragma once
// Where the dims of a value go on their way through views and contractions: each is a row-major product of factors, which
// reshapes split and join.

#include <optional>
#include <vector>

#include <tessera/core/node.h>

namespace tessera {

// From one operand of a node to its result.
struct Step {
  NodePtr node;
  size_t operand = 0;
};

class DimFactors {
 public:
  enum class From { kept, summed, elsewhere };  // what a factor was in the value where the way begins
  using List = std::vector<int>;                // of one dim, major first; of extent 1: none
  using Lists = std::vector<List>;

  Lists fresh(const Shape& shape, From from);
  void mark(const List& list, From from);
  // The dims of the result of `step`. Nothing where a reshape cuts across factors.
  std::optional<Lists> through(const Step& step, const Lists& operand);

  // Whether `divisor` has every kept factor of `value` where `value` has it, and is constant along all others.
  bool divides(const Lists& divisor, const Lists& value);
  // Whether `value` still has all factors of these dims.
  bool has_all(const Lists& value, const Lists& dims) const;

 private:
  struct Factor {
    int64_t extent;
    From from;
    int major = -1, minor = -1;  // once it was split
  };

  int add(int64_t extent, From from);
  void split(int factor, int64_t major);
  void expand(int factor, List& out) const;
  List expanded(const List& list) const;
  std::optional<Lists> regroup(const Lists& lists, const Shape& shape);

  std::vector<Factor> factors_;
};

}  // namespace tessera
