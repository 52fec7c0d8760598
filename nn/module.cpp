#include <tessera/nn/module.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include <tessera/core/error.h>
#include <tessera/core/users_place.h>
#include <tessera/nn/glob.h>
#include <tessera/nn/observe.h>

namespace tessera::nn {
namespace {

struct Adoption {
  ModuleBase* parent;
  MemberName name;
};
thread_local std::optional<Adoption> adoption;

std::string joined(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

// Calls visit(relative path, module) for the module and everything below it.
template <class F> void walk(const ModuleBase& module, const std::string& prefix, const F& visit) {
  visit(prefix, module);
  for (const ModuleBase* child : module.children()) walk(*child, joined(prefix, child->name()), visit);
}

}  // namespace

ModuleBase::ModuleBase(std::string root_name) : name_(std::move(root_name)) {
  ModuleBase* parent = nullptr;
  if (adoption) {
    parent = adoption->parent;
    name_ = std::move(adoption->name.text);
    named_at_ = adoption->name.at;
    adoption.reset();
  }
  attach(parent);
}
ModuleBase::ModuleBase(ModuleBase* parent, MemberName name, Kind kind)
    : kind_(kind), name_(std::move(name.text)), named_at_(name.at) {
  attach(parent);
}
ModuleBase::~ModuleBase() {
  if (parent_) std::erase(parent_->children_, this);
}

void ModuleBase::attach(ModuleBase* parent) {
  scope_name_ = name_;
  if (!parent) return;
  parent->claim({name_, named_at_});
  parent_ = parent;
  if (parent->kind_ == Kind::container) scope_name_ = parent->scope_name_ + "." + name_;
  parent->children_.push_back(this);
}

Loc ModuleBase::place_of(Loc at) const {
  if (is_users(at)) return at;
  for (const ModuleBase* m = this; m; m = m->parent_)
    if (is_users(m->named_at_)) return m->named_at_;
  return at;
}

void ModuleBase::claim(const MemberName& member) const {
  const std::string& name = member.text;
  if (name.empty() || name.find('.') != std::string::npos)
    throw ValueError({.code = "T-V104",
                      .fault = "'" + name + "' cannot name a member of " + name_,
                      .at = place_of(member.at),
                      .hint = "names are not empty and hold no dot: dots separate the levels of a path"});
  bool taken = std::ranges::any_of(children_, [&](auto* child) { return child->name() == name; }) ||
               std::ranges::any_of(params_, [&](auto* param) { return param->key() == name; }) ||
               std::ranges::any_of(buffers_, [&](auto* buffer) { return buffer->key() == name; });
  if (taken)
    throw ValueError({.code = "T-V105",
                      .fault = name_ + " already has a member called '" + name + "'",
                      .at = place_of(member.at),
                      .hint = "each child, Param and Buffer of a module has its own name"});
}

std::string ModuleBase::path() const { return parent_ ? joined(parent_->path(), name_) : std::string(); }
std::string ModuleBase::path_of(const std::string& member) const { return joined(path(), member); }
std::string ModuleBase::type() const { return short_type_name(typeid(*this)); }

std::vector<State*> ModuleBase::parameters() const {
  std::vector<State*> out;
  for (auto& [name, param] : named_parameters())
    if (!param->frozen) out.push_back(param);
  return out;
}
Named<Param> ModuleBase::named_parameters() const {
  Named<Param> out;
  walk(*this, "", [&](const std::string& path, const ModuleBase& module) {
    for (Param* param : module.params_) out.emplace_back(joined(path, param->key()), param);
  });
  return out;
}
Named<Buffer> ModuleBase::named_buffers() const {
  Named<Buffer> out;
  walk(*this, "", [&](const std::string& path, const ModuleBase& module) {
    for (Buffer* buffer : module.buffers_) out.emplace_back(joined(path, buffer->key()), buffer);
  });
  return out;
}
Named<ModuleBase> ModuleBase::named_modules() const {
  Named<ModuleBase> out;
  walk(*this, "", [&](const std::string& path, const ModuleBase& module) {
    out.emplace_back(path, const_cast<ModuleBase*>(&module));
  });
  return out;
}
int64_t ModuleBase::parameter_count() const {
  int64_t count = 0;
  for (auto& [name, param] : named_parameters()) count += param->shape().numel();
  return count;
}

std::vector<Param*> ModuleBase::matching(const std::string& pattern) const {
  std::vector<Param*> found;
  for (auto& [name, param] : named_parameters())
    if (glob_match(pattern, name)) found.push_back(param);
  if (found.empty())
    throw ValueError({.code = "T-V106",
                      .fault = "no parameter of " + name_ + " matches '" + pattern + "'",
                      .hint = "named_parameters() lists them"});
  return found;
}

void ModuleBase::freeze(const std::string& pattern, bool frozen) {
  for (Param* param : matching(pattern)) param->frozen = frozen;
}

void ModuleBase::initialize(const std::string& pattern, const std::function<Init(Shape)>& init) {
  for (Param* param : matching(pattern)) param->initialize(init(param->value().shape()));
}

void ModuleBase::called(const Tensor& result) const {
  if (const CallObserver* observer = current_call_observer()) (*observer)(*this, result);
}

void copy_states(const ModuleBase& from, ModuleBase& to) {
  auto copy = [&](const auto& source, const auto& target) {
    bool same = std::ranges::equal(source, target, [](auto& a, auto& b) { return a.first == b.first; });
    if (!same)
      throw ValueError({.code = "T-V107",
                        .fault = from.name() + " and " + to.name() + " do not have the same States",
                        .hint = "construct the copy with the arguments of the original"});
    for (size_t i = 0; i < source.size(); ++i) target[i].second->assign(source[i].second->value());
  };
  copy(from.named_parameters(), to.named_parameters());
  copy(from.named_buffers(), to.named_buffers());
}

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

namespace detail {
Adopt::Adopt(ModuleBase* parent, MemberName name) { adoption = Adoption{parent, std::move(name)}; }
Adopt::~Adopt() { adoption.reset(); }
}  // namespace detail

}  // namespace tessera::nn
