#pragma once
// Values as C++ expressions. A value is a variable, once it was given one, or is written where it is used.

#include <string>

#include "llvm/ADT/DenseMap.h"
#include "mlir/IR/Value.h"

namespace tessera::cuda {

// How tightly an expression binds; of an operand that binds less it needs parentheses.
enum class Binding { choice, logic, equality, relation, sum, product, primary };

struct Expression {
  std::string text;
  Binding binding = Binding::primary;
};

class Expressions {
 public:
  void name(mlir::Value value, std::string text) { named_[value] = std::move(text); }
  bool is_named(mlir::Value value) const { return named_.contains(value); }

  std::string of(mlir::Value value, Binding around = Binding::choice);
  // The first value met that has neither a variable nor a spelling; null where all went well.
  mlir::Value failed() const { return failed_; }

 private:
  Expression spell(mlir::Value value);
  Expression binary(mlir::Operation& op, const char* sign, Binding binding);
  std::string call(const char* function, mlir::ValueRange operands);

  llvm::DenseMap<mlir::Value, std::string> named_;
  mlir::Value failed_;
};

// The name in the location of a value, or "".
std::string name_of(mlir::Location location);

}  // namespace tessera::cuda
