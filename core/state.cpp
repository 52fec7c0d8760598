#include <tessera/core/state.h>

#include <tessera/core/error.h>
#include <tessera/core/ops.h>
#include <tessera/core/trace.h>

namespace tessera {

State::State(std::string name, Tensor initial) : name_(std::move(name)), value_(std::move(initial)) { value_.node(); }
State::~State() = default;

Tensor State::value() const {
  Trace* trace = Trace::current();
  if (trace) return trace->read(*this);
  marks_->hand_out();
  return value_;
}

void State::assign(Operand value) {
  Tensor next = value.is_number() ? full(shape(), value.number(), dtype(), value.at()) : value.tensor();
  if (next.shape() != shape())
    throw ShapeError(
        {.code = "T-S004",
         .fault = "State '" + name_ + "' has shape " + shape().str() + ", the new value " + next.shape().str(),
         .at = value.at(),
         .operands = {{"value", describe(*next.node())}},
         .hint = "a State keeps its shape: replace a part with set(), or make a new State"});
  if (next.dtype() != dtype())
    throw DTypeError({.code = "T-D002",
                      .fault = "State '" + name_ + "' holds " + std::string(tessera::name(dtype())) +
                               ", the new value is " + std::string(tessera::name(next.dtype())),
                      .at = value.at(),
                      .operands = {{"value", describe(*next.node())}},
                      .hint = "cast() the value, so that the rounding is written down"});
  if (Trace* trace = Trace::current()) {
    trace->write(*this, std::move(next));
    return;
  }
  value_ = std::move(next);
  marks_->assign();
}

}  // namespace tessera
