#include <tessera/codegen/cuda/executor/device_value.h>

#include <mutex>
#include <utility>

#include <fmt/format.h>

#include <tessera/core/shown_location.h>

namespace tessera::cuda {
namespace {

// All values: their list is theirs alone, so that one more costs no allocation.
struct Registry {
  std::mutex mutex;
  DeviceValue* last = nullptr;
};
Registry& registry() {
  static auto* kept = new Registry;  // outlives every tensor
  return *kept;
}

}  // namespace

Origin::Origin(const Instruction& made)
    : op(made.op), dtype(made.dtype), shape(made.shape), at(made.at), scope(made.scope), label(made.label) {}

std::string Origin::str() const {
  std::string text = std::string(name(dtype)) + shape.str() + " ";
  text += !label.empty() ? label : op == Op::Input ? "data" : std::string(name(op));
  if (const Loc line = user_location(at, scope); line.known()) text += " at " + shown(line);
  if (scope) text += " in " + scope->path();
  return text;
}

DeviceValue::DeviceValue(StreamBuffer memory, std::shared_ptr<const Origin> origin)
    : memory_(std::move(memory)), origin_(std::move(origin)) {
  std::lock_guard lock(registry().mutex);
  before_ = std::exchange(registry().last, this);
  if (before_) before_->after_ = this;
}

DeviceValue::~DeviceValue() {
  {
    std::lock_guard lock(registry().mutex);
    (after_ ? after_->before_ : registry().last) = before_;
    if (before_) before_->after_ = after_;
  }
  use_device();  // memory is given back by whatever thread drops the last handle
}

void DeviceValue::copy_out(void* to) const {
  use_device();
  if (const std::shared_ptr<Ticket> run = made_by()) run->wait();
  copy_out_apart(to, memory_.address(), memory_.bytes());
}

std::vector<DeviceValue::Live> DeviceValue::all() {
  std::lock_guard lock(registry().mutex);
  std::vector<Live> live;
  for (const DeviceValue* value = registry().last; value; value = value->before_)
    live.push_back({value->bytes(), value->origin_->str()});
  return live;
}

}  // namespace tessera::cuda
