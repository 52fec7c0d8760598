#pragma once
// compile(fn): record fn once per signature and run the compiled program from then on (D15).
//
//   auto step = compile([&](Tensor x, Tensor y, Tensor lr) {
//     Tensor loss = nn::cross_entropy(model(x), y);
//     opt.step(grad(loss, model.parameters()), lr);     // assigns States; nothing runs here
//     return loss;
//   });
//   Tensor loss = step(x, y, 3e-4f);
//
// Arguments are tensors, numbers (a rank-0 tensor inside fn: declare the parameter as Tensor) and structs of them with
// one `template <class V> void fields(V&& v)` member that calls v(name, member) for each. A signature is the shapes and
// dtypes of all arguments. Host numbers that fn captures are constants: the second call of a signature records again
// and throws TraceError if a constant or a branch came out differently, so fn must not change host state.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <tessera/core/ops.h>
#include <tessera/core/precision.h>

namespace tessera {

struct Program;

struct CompileOptions {
  std::string name = {};  // what reports call the program; empty: the place of compile(), as "train.cpp:41"
  // Every op rounds to its dtype, as if it ran alone. Otherwise what is narrower than f32 stays f32 inside a kernel.
  bool strict = false;
  Precision precision = {};  // "f32", "tf32", "bf16_mixed"; see precision.h
};

// The untyped half: lives behind every Compiled<F>.
class CompiledFunction {
 public:
  using Body = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;
  CompiledFunction(Body, CompileOptions, Loc);
  std::vector<Tensor> call(const std::vector<Tensor>& arguments, Loc at = Loc::here());

  int64_t programs() const;                        // signatures compiled so far
  std::string text(std::string_view stage) const;  // of the latest program, see Executable::text
  const Program* program() const;                  // the latest, null before the first call

 private:
  struct Entry;
  Body body_;
  CompileOptions options_;
  Loc compiled_at_;
  std::vector<std::shared_ptr<Entry>> entries_;
  std::shared_ptr<Entry> record(const std::vector<Tensor>& arguments);
};

namespace detail {
void check(const CompileOptions&, Loc);  // ValueError for options that exclude each other

template <class T>
concept Fields = requires(T t) { t.fields([](const char*, auto&) {}); };
template <class T> inline constexpr bool is_tensor_vector = std::is_same_v<T, std::vector<Tensor>>;

// A number as a tensor. One that is given to fn has a value already and records nothing; one that fn returns is recorded as a
// constant, so that a second recording which returns another one is told so.
struct Given {
  template <class T> static Tensor number(T value, DType dtype) { return tensor_from(&value, dtype, {}); }
};
struct Returned {
  template <class T> static Tensor number(T value, DType dtype) { return scalar(value, dtype, {}); }
};

template <class Side, class T> void flatten(const T& value, std::vector<Tensor>& out) {
  if constexpr (std::is_same_v<T, Tensor>) out.push_back(value);
  else if constexpr (std::is_same_v<T, bool>) out.push_back(Side::number(static_cast<uint8_t>(value), boolean));
  else if constexpr (std::is_floating_point_v<T>) out.push_back(Side::number(static_cast<float>(value), f32));
  else if constexpr (std::is_integral_v<T>) out.push_back(Side::number(static_cast<int64_t>(value), i64));
  else if constexpr (is_tensor_vector<T>) out.insert(out.end(), value.begin(), value.end());
  else {
    static_assert(
        Fields<T>,
        "arguments and results of a compiled function are tensors, numbers, or structs with a fields(visitor) member");
    const_cast<T&>(value).fields([&](const char*, auto& member) { flatten<Side>(member, out); });
  }
}

// What fn receives for an argument of type T: numbers arrive as rank-0 tensors.
template <class T> using traced_t = std::conditional_t<std::is_arithmetic_v<T>, Tensor, T>;

template <class T> traced_t<T> unflatten(const T& like, const std::vector<Tensor>& in, size_t& next) {
  if constexpr (std::is_same_v<T, Tensor> || std::is_arithmetic_v<T>) return in[next++];
  else if constexpr (is_tensor_vector<T>) {
    T out(like.size());
    for (Tensor& t : out) t = in[next++];
    return out;
  } else {
    T out = like;
    out.fields([&](const char*, auto& member) { member = unflatten(member, in, next); });
    return out;
  }
}
}  // namespace detail

template <class F>
class Compiled {
 public:
  Compiled(F fn, CompileOptions options, Loc at)
      : fn_(std::make_shared<F>(std::move(fn))), options_(std::move(options)), at_(at) {}

  // Errors of a run name the line of this call. Behind a pack no parameter has a default, so each number of arguments is a
  // function of its own; a call with more than four names the line of compile().
  auto operator()(Loc at = Loc::here()) { return call(at); }
  template <class A> auto operator()(const A& a, Loc at = Loc::here()) { return call(at, a); }
  template <class A, class B> auto operator()(const A& a, const B& b, Loc at = Loc::here()) { return call(at, a, b); }
  template <class A, class B, class C> auto operator()(const A& a, const B& b, const C& c, Loc at = Loc::here()) {
    return call(at, a, b, c);
  }
  template <class A, class B, class C, class D>
  auto operator()(const A& a, const B& b, const C& c, const D& d, Loc at = Loc::here()) {
    return call(at, a, b, c, d);
  }
  template <class... Args>
  requires(sizeof...(Args) > 4)
  auto operator()(const Args&... args) {
    return call(at_, args...);
  }

  int64_t programs() const { return function_ ? function_->programs() : 0; }
  std::string text(std::string_view stage) const { return function_ ? function_->text(stage) : std::string(); }
  const Program* program() const { return function_ ? function_->program() : nullptr; }

 private:
  template <class... Args> auto call(Loc at, const Args&... args) {
    static_assert(
        std::is_invocable_v<F&, detail::traced_t<Args>...>,
        "the function does not take these arguments; a parameter that is given a number must be declared Tensor: "
        "a plain number would be frozen at its first value");
    using Result = std::invoke_result_t<F&, detail::traced_t<Args>...>;
    std::vector<Tensor> flat;
    (detail::flatten<detail::Given>(args, flat), ...);
    if constexpr (std::is_void_v<Result>) {
      function<void>(args...).call(flat, at);
    } else {
      std::vector<Tensor> results = function<Result>(args...).call(flat, at);
      size_t next = 0;
      return detail::unflatten(*std::static_pointer_cast<Result>(example_), results, next);
    }
  }

  // The first call fixes the argument types; Body unpacks the flat tensors, calls fn and packs its results.
  template <class Result, class... Args> CompiledFunction& function(const Args&... args) {
    if (!function_) {
      auto example = std::make_shared<std::tuple<Args...>>(args...);
      auto body = [fn = fn_, example, this](const std::vector<Tensor>& in) {
        size_t next = 0;
        auto unpack = [&](const auto&... like) { return std::tuple{detail::unflatten(like, in, next)...}; };
        auto traced = std::apply(unpack, *example);
        std::vector<Tensor> out;
        if constexpr (std::is_void_v<Result>) {
          std::apply(*fn, std::move(traced));
        } else {
          Result result = std::apply(*fn, std::move(traced));
          detail::flatten<detail::Returned>(result, out);
          example_ = std::make_shared<Result>(std::move(result));
        }
        return out;
      };
      function_ = std::make_shared<CompiledFunction>(body, options_, at_);
    }
    return *function_;
  }

  std::shared_ptr<F> fn_;
  CompileOptions options_;
  Loc at_;
  std::shared_ptr<CompiledFunction> function_;
  std::shared_ptr<void> example_;  // a Result whose structure every call's result has
};

template <class F> Compiled<F> compile(F fn, CompileOptions options = {}, Loc at = Loc::here()) {
  detail::check(options, at);
  return Compiled<F>(std::move(fn), std::move(options), at);
}

}  // namespace tessera
