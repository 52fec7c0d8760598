#include <tessera/nn/param.h>

#include <algorithm>

#include <tessera/core/error.h>
#include <tessera/nn/module.h>

namespace tessera::nn {
namespace {

ModuleBase& required(ModuleBase* owner, const std::string& key) {
  if (!owner) throw ValueError({.code = "T-V103", .fault = "'" + key + "' needs a module that owns it: pass this"});
  return *owner;
}

Tensor draw(const Init& init, const std::string& path) {
  if (std::ranges::any_of(init.shape, [](int64_t extent) { return extent < 1; }))
    throw ValueError({.code = "T-V112", .fault = "parameter " + path + " cannot have shape " + init.shape.str()});
  std::vector<float> values(static_cast<size_t>(init.shape.numel()));
  auto seed = static_cast<uint64_t>(generator().seed.value().item<int64_t>());
  init.fill(values, Draw(seed, stream_of(path, 0)));
  return tensor(values, init.shape);
}

}  // namespace

OwnedState::OwnedState(ModuleBase& owner, std::string key, Tensor initial)
    : State(owner.path_of(key), std::move(initial)), owner_(owner), key_(std::move(key)) {}

Param::Param(ModuleBase* owner, std::string name, const Init& init)
    : OwnedState(required(owner, name), name, draw(init, required(owner, name).path_of(name))) {
  owner->claim(name);
  owner->params_.push_back(this);
}
void Param::initialize(const Init& init) { assign(draw(init, name())); }
Param::~Param() { std::erase(owner_.params_, this); }

Buffer::Buffer(ModuleBase* owner, std::string name, Tensor initial, bool saved)
    : OwnedState(required(owner, name), name, std::move(initial)), saved_(saved) {
  owner->claim(name);
  owner->buffers_.push_back(this);
}
Buffer::~Buffer() { std::erase(owner_.buffers_, this); }

}  // namespace tessera::nn
