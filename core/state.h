#pragma once
// State: a named slot whose value is replaced (D14). Everything that changes is one: parameters, buffers, optimizer
// moments, random counters, KV caches. Tensors themselves never change.
//
// Inside compile() a State that was read becomes an input of the program and one that was assigned an output; the old
// value's memory is reused for the new one if nobody else holds it.

#include <memory>
#include <string>

#include <tessera/core/state_marks.h>
#include <tessera/core/tensor.h>

namespace tessera {

class State {
 public:
  State(std::string name, Tensor initial);
  State(const State&) = delete;  // identity matters: pinned
  State& operator=(const State&) = delete;
  virtual ~State();

  const std::string& name() const { return name_; }
  void rename(std::string name) { name_ = std::move(name); }
  const Shape& shape() const { return value_.shape(); }
  DType dtype() const { return value_.dtype(); }

  Tensor value() const;        // under compile(): the program's own node for it
  void assign(Operand value);  // same shape and dtype, else ShapeError / DTypeError
  operator Tensor() const { return value(); }

 private:
  friend class Trace;
  std::string name_;
  Tensor value_;  // concrete, or recorded and not yet computed
  MarksPlace marks_;
};

}  // namespace tessera
