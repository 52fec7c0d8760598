#include <tessera/nn/param.h>

#include <algorithm>

#include <tessera/core/error.h>
#include <tessera/nn/module.h>

namespace tessera::nn {
namespace {

ModuleBase& required(ModuleBase* owner, const MemberName& name) {
  if (!owner)
    throw ValueError({.code = "T-V103",
                      .fault = "'" + name.text + "' needs a module that owns it",
                      .at = name.at,
                      .hint = "pass this"});
  return *owner;
}

Tensor draw(const Init& init, const std::string& path, Loc at) {
  if (std::ranges::any_of(init.shape, [](int64_t extent) { return extent < 1; }))
    throw ValueError({.code = "T-V112",
                      .fault = "parameter " + path + " cannot have shape " + init.shape.str(),
                      .at = at,
                      .hint = "every extent is 1 or more"});
  std::vector<float> values(static_cast<size_t>(init.shape.numel()));
  auto seed = static_cast<uint64_t>(generator().seed.value().item<int64_t>());
  init.fill(values, Draw(seed, stream_of(path, 0)));
  return tensor(values, init.shape);
}

}  // namespace

OwnedState::OwnedState(ModuleBase& owner, const std::string& key, Tensor initial)
    : State(owner.path_of(key), std::move(initial)), owner_(owner), key_(key) {}

Param::Param(ModuleBase* owner, MemberName name, const Init& init)
    : OwnedState(required(owner, name), name.text,
                 draw(init, required(owner, name).path_of(name.text), required(owner, name).place_of(name.at))) {
  owner->claim(name);
  owner->params_.push_back(this);
}
void Param::initialize(const Init& init) { assign(draw(init, name(), owner_.place_of({}))); }
Param::~Param() { std::erase(owner_.params_, this); }

Buffer::Buffer(ModuleBase* owner, MemberName name, Tensor initial, bool saved)
    : OwnedState(required(owner, name), name.text, std::move(initial)), saved_(saved) {
  owner->claim(name);
  owner->buffers_.push_back(this);
}
Buffer::~Buffer() { std::erase(owner_.buffers_, this); }

}  // namespace tessera::nn
