#pragma once
// What the rules of all families share: how their errors show operands, and the constraints of arguments. Private to
// shape_rules_*.cpp.

#include <array>
#include <string>
#include <utility>
#include <vector>

#include <tessera/core/error.h>
#include <tessera/core/shape_rules.h>

namespace tessera::rules {

using Shown = std::vector<std::pair<std::string, std::string>>;

// Up to two operands of a rule. They are described when an error needs it: that costs more than recording the op.
class Operands {
 public:
  explicit Operands(const Node& x) : Operands("x", x) {}
  Operands(const Node& lhs, const Node& rhs) : Operands("lhs", lhs, "rhs", rhs) {}
  Operands(const char* label, const Node& x) : labels_{label}, nodes_{&x} {}
  Operands(const char* label, const Node& x, const char* second, const Node& y)
      : labels_{label, second}, nodes_{&x, &y} {}
  Operands(const char* label, const Shape& shape) : labels_{label}, shape_(&shape) {}
  operator Shown() const;

 private:
  std::array<const char*, 2> labels_{};
  std::array<const Node*, 2> nodes_{};
  const Shape* shape_ = nullptr;
};
Shown shown(const Operands&);
Shown shown(Arguments);

// "add cannot broadcast …": the op's name stands before the fault.
ErrorText text(const Call&, const char* code, const std::string& fault, Shown operands, std::string hint);
std::string str(const Number&);
std::string str(DType);
std::string str(const Dims&);
std::string describe(const Operand&);

int checked_dim(const Call&, int64_t dim, int rank, const Operands&);
Dims checked_dims(const Call&, const Dims&, int rank, const Operands&);
void one_per_dim(const Call&, const char* what, size_t have, const Node& x, bool leading = false);
void not_storage_only(const Call&, DType, const Operands&);
void not_storage_only(const Call&, DType, Arguments);

}  // namespace tessera::rules
