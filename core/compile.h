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
// Arguments and results are tensors, numbers (a rank-0 tensor inside fn: declare the parameter as Tensor), vectors
// of tensors, and structs of tensors, vectors and such structs, with one `template <class V> void fields(V&& v)`
// member that calls v(name, member) for each. A signature is the types of the arguments, the lengths of their
// vectors, and the shapes and dtypes of all tensors: another length is recorded anew, and a result's vectors are as
// long as fn made them for that signature. Host numbers that fn captures, or finds in members that fields() leaves
// out, are constants: the second call of a signature records again and throws TraceError if a constant or a branch
// came out differently, so fn must not change host state. Copies of a Compiled share fn and its programs.

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

// The untyped half: lives behind every Compiled<F> and its copies.
class CompiledFunction {
 public:
  struct Arguments {
    const void* types;  // another address for other types
    std::vector<Tensor> tensors;
    std::vector<size_t> lengths;  // of the vectors among the arguments
  };
  struct Results {
    std::vector<Tensor> tensors;
    std::shared_ptr<const void> structure;  // a result of fn whose tensors are exchanged for these; null for void
  };
  using Body = std::function<Results(const std::vector<Tensor>&)>;
  CompiledFunction(CompileOptions, Loc);
  // `body` calls fn with tensors in place of those of `arguments`. What it returns at a signature's first call gives
  // all calls of that signature their structure.
  Results call(const Arguments& arguments, const Body& body, Loc at = Loc::here());

  int64_t programs() const;                        // signatures compiled so far
  std::string text(std::string_view stage) const;  // of the latest program, see Executable::text
  const Program* program() const;                  // the latest, null before the first call

 private:
  struct Entry;
  CompileOptions options_;
  Loc compiled_at_;
  std::vector<std::shared_ptr<Entry>> entries_;
  std::shared_ptr<Entry> record(const Arguments& arguments, const Body& body);
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

// Appends the tensors to `out`, and the lengths of vectors where it has a list of them.
template <class Side, class T, class Flat> void flatten(const T& value, Flat& out) {
  auto& tensors = out.tensors;
  if constexpr (std::is_same_v<T, Tensor>) tensors.push_back(value);
  else if constexpr (std::is_same_v<T, bool>) tensors.push_back(Side::number(static_cast<uint8_t>(value), boolean));
  else if constexpr (std::is_floating_point_v<T>) tensors.push_back(Side::number(static_cast<float>(value), f32));
  else if constexpr (std::is_integral_v<T>) tensors.push_back(Side::number(static_cast<int64_t>(value), i64));
  else if constexpr (is_tensor_vector<T>) {
    if constexpr (requires { out.lengths; }) out.lengths.push_back(value.size());
    tensors.insert(tensors.end(), value.begin(), value.end());
  } else {
    static_assert(Fields<T>,
                  "arguments and results of a compiled function are tensors, numbers, vectors of tensors, or structs "
                  "with a fields(visitor) member");
    const_cast<T&>(value).fields([&](const char*, auto& member) { flatten<Side>(member, out); });
  }
}

// What fn receives for an argument of type T: numbers arrive as rank-0 tensors.
template <class T> using traced_t = std::conditional_t<std::is_arithmetic_v<T>, Tensor, T>;
template <class... T> inline char types_key = 0;  // its address stands for the types

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
      : fn_(std::make_shared<F>(std::move(fn))),
        at_(at),
        function_(std::make_shared<CompiledFunction>(std::move(options), at)) {}

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

  int64_t programs() const { return function_->programs(); }
  std::string text(std::string_view stage) const { return function_->text(stage); }
  const Program* program() const { return function_->program(); }

 private:
  template <class... Args> auto call(Loc at, const Args&... args) {
    static_assert(
        std::is_invocable_v<F&, detail::traced_t<Args>...>,
        "the function does not take these arguments; a parameter that is given a number must be declared Tensor: "
        "a plain number would be frozen at its first value");
    using Result = std::invoke_result_t<F&, detail::traced_t<Args>...>;
    CompiledFunction::Arguments given{&detail::types_key<detail::traced_t<Args>...>, {}, {}};
    (detail::flatten<detail::Given>(args, given), ...);
    const CompiledFunction::Body body = [&](const std::vector<Tensor>& in) {
      size_t next = 0;
      std::tuple<detail::traced_t<Args>...> traced{detail::unflatten(args, in, next)...};
      CompiledFunction::Results out;
      if constexpr (std::is_void_v<Result>) {
        std::apply(*fn_, std::move(traced));
      } else {
        const Result result = std::apply(*fn_, std::move(traced));
        detail::flatten<detail::Returned>(result, out);
        // Without the tensors, which hold on to the recording.
        const std::vector<Tensor> none(out.tensors.size());
        next = 0;
        out.structure = std::make_shared<detail::traced_t<Result>>(detail::unflatten(result, none, next));
      }
      return out;
    };
    [[maybe_unused]] const CompiledFunction::Results results = function_->call(given, body, at);
    if constexpr (!std::is_void_v<Result>) {
      size_t next = 0;
      const auto& like = *std::static_pointer_cast<const detail::traced_t<Result>>(results.structure);
      return detail::unflatten(like, results.tensors, next);
    }
  }

  std::shared_ptr<F> fn_;
  Loc at_;
  std::shared_ptr<CompiledFunction> function_;
};

template <class F> Compiled<F> compile(F fn, CompileOptions options = {}, Loc at = Loc::here()) {
  detail::check(options, at);
  return Compiled<F>(std::move(fn), std::move(options), at);
}

}  // namespace tessera
