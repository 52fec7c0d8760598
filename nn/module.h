#pragma once
// A module is a struct with a forward. Its children, Params and Buffers are members that register by construction:
//
//   struct Mlp : nn::Module<Mlp> {
//     nn::Linear up, down;
//     Mlp(int in, int hidden, int out) : up{this, "up", {in, hidden}}, down{this, "down", {hidden, out}} {}
//     Tensor forward(Tensor x) { return down(gelu(up(x))); }
//   };
//
// Built-in layers take (parent, name, options); a parent of nullptr makes a root of that name. User modules know nothing
// of parents: nest them with Sub or List (containers.h). Modules are pinned: parents keep raw pointers to children.

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <tessera/nn/param.h>

namespace tessera::nn {

template <class T> using Named = std::vector<std::pair<std::string, T*>>;

class ModuleBase {
 public:
  ModuleBase(const ModuleBase&) = delete;
  ModuleBase& operator=(const ModuleBase&) = delete;
  virtual ~ModuleBase();

  const std::string& name() const { return name_; }      // "attn"
  std::string path() const;                              // "layers.3.attn": without the root, as files spell it
  std::string path_of(const std::string& member) const;  // "layers.3.attn.weight"
  std::string type() const;                              // "Attention"
  // What an error of a constructor shows for a member that was given at `at`: that line when it is a user's, else the line
  // where the user gave this module, or the one that holds it, its name.
  Loc place_of(Loc at) const;
  virtual std::string details() const { return {}; }  // what printing puts in brackets: "256 → 1024"

  // Walks, in order of declaration, a module's own before its children's. Names are relative to this module.
  std::vector<State*> parameters() const;  // without the frozen ones: what grad and optimizers take
  Named<Param> named_parameters() const;   // all
  Named<Buffer> named_buffers() const;
  Named<ModuleBase> named_modules() const;  // itself first, under ""
  const std::vector<ModuleBase*>& children() const { return children_; }
  const std::vector<Param*>& own_parameters() const { return params_; }
  int64_t parameter_count() const;  // elements

  // Takes parameters whose relative name matches (glob.h) out of parameters(), or puts them back.
  // ValueError when the pattern matches none.
  void freeze(const std::string& pattern, bool frozen = true);

  // Gives parameters whose relative name matches other first values:
  //   initialize("*.up.weight", [](Shape s) { return init::normal(s, 0, 0.02); });
  // ValueError when the pattern matches none.
  void initialize(const std::string& pattern, const std::function<Init(Shape)>& init);

 protected:
  enum class Kind { callable, container };     // a container lends its name to the children's scopes
  explicit ModuleBase(std::string root_name);  // adopted by a Sub or List under construction, else a root
  ModuleBase(ModuleBase* parent, MemberName name, Kind kind = Kind::callable);

  const std::string& scope_name() const { return scope_name_; }
  void called(const Tensor& result) const;  // tells whoever observes calls (observe.h); no tensor: another type

 private:
  friend class Param;
  friend class Buffer;
  std::vector<Param*> matching(const std::string& pattern) const;  // ValueError when there is none
  void attach(ModuleBase* parent);
  void claim(const MemberName& name) const;  // ValueError unless it is a new, dot-free name

  ModuleBase* parent_ = nullptr;
  Kind kind_ = Kind::callable;
  std::string name_, scope_name_;
  Loc named_at_;  // unknown for a root
  std::vector<ModuleBase*> children_;
  std::vector<Param*> params_;
  std::vector<Buffer*> buffers_;
};

std::string str(const ModuleBase&);  // the tree: types, sizes, counts
inline std::ostream& operator<<(std::ostream& out, const ModuleBase& module) { return out << str(module); }

// Assigns every Param and Buffer of `from` to its namesake; ValueError when the two do not have the same names. What is
// frozen stays so.
void copy_states(const ModuleBase& from, ModuleBase& to);

std::string short_type_name(const std::type_info&);  // "List<Block>": without namespaces
std::string lower_case(std::string);

// The first argument of a module call: it captures the caller's line.
struct Input {
  Tensor tensor;
  Loc at;
  Input(Tensor t, Loc l = Loc::here()) : tensor(std::move(t)), at(l) {}
  Input(const State& s, Loc l = Loc::here()) : tensor(s.value()), at(l) {}
};

template <class Self>
class Module : public ModuleBase {
 public:
  // Calls Self::forward(Tensor, rest...) in the scope of this module.
  template <class... Rest> auto operator()(Input x, Rest&&... rest) {
    ScopeGuard scope(scope_name(), x.at);
    auto result = static_cast<Self*>(this)->forward(std::move(x.tensor), std::forward<Rest>(rest)...);
    if constexpr (std::is_same_v<decltype(result), Tensor>) called(result);
    else called({});
    return result;
  }

  // A second module with the same values, as frozen, and States of its own. Give what the first one was constructed with.
  template <class... Args> std::unique_ptr<Self> clone(Args&&... args) const {
    auto copy = std::make_unique<Self>(std::forward<Args>(args)...);
    copy_states(*this, *copy);
    const Named<Param> mine = named_parameters(), theirs = copy->named_parameters();
    for (size_t i = 0; i < mine.size(); ++i) theirs[i].second->frozen = mine[i].second->frozen;
    return copy;
  }

 private:
  friend Self;  // who names another class as Self is told so by the compiler
  Module() : ModuleBase(lower_case(short_type_name(typeid(Self)))) {}
  explicit Module(std::string root_name) : ModuleBase(std::move(root_name)) {}
  Module(ModuleBase* parent, MemberName name, Kind kind = Kind::callable) : ModuleBase(parent, std::move(name), kind) {}
};

namespace detail {
// While it lives, the next module constructed on this thread becomes a child of `parent`.
class [[nodiscard]] Adopt {
 public:
  Adopt(ModuleBase* parent, MemberName name);
  ~Adopt();
  Adopt(const Adopt&) = delete;
  Adopt& operator=(const Adopt&) = delete;
};
}  // namespace detail

}  // namespace tessera::nn
