#pragma once
// Modules inside modules.
//   nn::Sub<Mlp> mlp{this, "mlp", d, 4 * d};           a user's module; call it, or reach its members by ->
//   nn::List<Block> layers{this, "layers", 6, config};  children 0…5; for (Block& block : layers) x = block(x);
//   nn::Seq net{this, "net", nn::LinearOptions{64, 128}, nn::silu, nn::LinearOptions{128, 128}};

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <tessera/nn/module.h>

namespace tessera::nn {

namespace detail {
// Built-in style modules take (parent, name, …); others are adopted.
template <class T, class... Args> std::unique_ptr<T> build(ModuleBase* parent, MemberName name, Args&&... args) {
  static_assert(std::is_base_of_v<ModuleBase, T>, "a child is a struct that derives from nn::Module");
  if constexpr (std::is_constructible_v<T, ModuleBase*, MemberName, Args...>) {
    return std::make_unique<T>(parent, std::move(name), std::forward<Args>(args)...);
  } else {
    Adopt adopt(parent, std::move(name));
    return std::make_unique<T>(std::forward<Args>(args)...);
  }
}
}  // namespace detail

template <class T>
class Sub {
 public:
  template <class... Args> Sub(ModuleBase* parent, MemberName name, Args&&... args)
      : module_(detail::build<T>(parent, std::move(name), std::forward<Args>(args)...)) {}

  template <class... Rest> auto operator()(Input x, Rest&&... rest) {
    return (*module_)(std::move(x), std::forward<Rest>(rest)...);
  }
  T& operator*() { return *module_; }
  T* operator->() { return module_.get(); }

 private:
  std::unique_ptr<T> module_;
};

template <class T>
class List : public ModuleBase {
 public:
  // Empty: add() fills it.
  List(ModuleBase* parent, MemberName name) : ModuleBase(parent, std::move(name), Kind::container) {}
  // `count` elements, each constructed from the same arguments.
  template <class... Args> List(ModuleBase* parent, MemberName name, int64_t count, const Args&... args)
      : ModuleBase(parent, std::move(name), Kind::container) {
    for (int64_t i = 0; i < count; ++i) add(args...);
  }
  // One more element, for lists whose members differ.
  template <class... Args> T& add(Args&&... args) {
    std::string index = std::to_string(items_.size());
    items_.push_back(detail::build<T>(this, std::move(index), std::forward<Args>(args)...));
    return *items_.back();
  }

  int64_t size() const { return static_cast<int64_t>(items_.size()); }
  T& operator[](int64_t i) { return *items_.at(static_cast<size_t>(i)); }
  std::string details() const override { return "×" + std::to_string(items_.size()); }

  class Iterator {
   public:
    explicit Iterator(const std::unique_ptr<T>* at) : at_(at) {}
    T& operator*() const { return **at_; }
    Iterator& operator++() { return ++at_, *this; }
    bool operator==(const Iterator&) const = default;

   private:
    const std::unique_ptr<T>* at_;
  };
  Iterator begin() { return Iterator(items_.data()); }
  Iterator end() { return Iterator(items_.data() + items_.size()); }

 private:
  std::vector<std::unique_ptr<T>> items_;
};

// One link of a Seq: the options of a built-in layer, or a function of a tensor. Children are named by position, so a
// function takes a number too, as in PyTorch.
class SeqItem {
 public:
  using Step = std::function<Tensor(Input)>;
  template <class Options>
  requires requires { typename Options::Layer; }
  SeqItem(Options options)
      : make_([options](ModuleBase* parent, std::string name) -> Step {
          auto layer = std::make_shared<typename Options::Layer>(parent, std::move(name), options);
          return [layer](Input x) { return (*layer)(std::move(x)); };
        }) {}
  template <class F>
  requires std::is_invocable_r_v<Tensor, F, Tensor>
  SeqItem(F function)
      : make_([function](ModuleBase*, const std::string&) -> Step {
          return [function](Input x) { return function(std::move(x.tensor)); };
        }) {}
  Step make(ModuleBase* parent, std::string name) const { return make_(parent, std::move(name)); }

 private:
  std::function<Step(ModuleBase*, std::string)> make_;
};

class Seq : public Module<Seq> {
 public:
  template <class... Items> Seq(ModuleBase* parent, MemberName name, Items... items) : Module(parent, std::move(name)) {
    for (const SeqItem& item : std::vector<SeqItem>{SeqItem(std::move(items))...})
      steps_.push_back(item.make(this, std::to_string(steps_.size())));
  }
  Tensor forward(Tensor x) {
    for (auto& step : steps_) x = step(x);
    return x;
  }

 private:
  std::vector<SeqItem::Step> steps_;
};

}  // namespace tessera::nn
