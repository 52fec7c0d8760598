#include "tests/codegen/cuda_rows/programs.h"

#include <cmath>
#include <map>

#include <tessera/autograd/grad.h>
#include <tessera/core/ops.h>
#include <tessera/core/random.h>
#include <tessera/core/state.h>
#include <tessera/nn/functional.h>
#include <tessera/nn/losses.h>

#include "tests/support/host_data.h"

namespace tessera::testing {
namespace {

struct Shapes {
  int64_t rows, columns;
  DType dtype;
  const MakeInput& make;

  Tensor rows_of(const std::string& name) const { return make(name, dtype, {rows, columns}); }
  Tensor row(const std::string& name) const { return make(name, dtype, {columns}); }
  Tensor number(const std::string& name, DType type = f32) const { return make(name, type, {}); }
  Tensor master(const std::string& name) const { return make(name, f32, {rows * columns}); }
  Tensor labels(const std::string& name, DType type) const { return make(name, type, {rows}); }
};

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  Tensor wide = cast(x, f32);
  Tensor normal = (wide - mean(wide, {1}, true)) * rsqrt(variance(wide, {1}, true) + 1e-5);
  return cast(normal * weight + bias, x.dtype());
}

Tensor rms_norm(const Tensor& x, const Tensor& weight) {
  Tensor wide = cast(x, f32);
  return cast(wide * rsqrt(mean(square(wide), {1}, true) + 1e-5) * weight, x.dtype());
}

// Gradients of `y` for what arrives as `dy`.
std::vector<Tensor> backward(const Tensor& y, const Tensor& dy, const std::vector<Tensor>& wrt) {
  return grad(sum(cast(y, f32) * cast(dy, f32)), wrt);
}

// Windows of four neighbours of a row, two apart.
const WindowAttrs windows = {.dims = {1}, .size = {4}, .stride = {2}, .dilation = {1}};

using Record = std::vector<Tensor> (*)(const Shapes&);

const std::map<std::string, Record>& records() {
  static const std::map<std::string, Record> all = {
      {"layer_norm",
       [](const Shapes& s) { return std::vector{layer_norm(s.rows_of("x"), s.row("weight"), s.row("bias"))}; }},
      {"layer_norm_backward",
       [](const Shapes& s) {
         Tensor x = s.rows_of("x"), weight = s.row("weight"), bias = s.row("bias");
         return backward(layer_norm(x, weight, bias), s.rows_of("dy"), {x, weight, bias});
       }},
      {"rms_norm", [](const Shapes& s) { return std::vector{rms_norm(s.rows_of("x"), s.row("weight"))}; }},
      {"rms_norm_backward",
       [](const Shapes& s) {
         Tensor x = s.rows_of("x"), weight = s.row("weight");
         return backward(rms_norm(x, weight), s.rows_of("dy"), {x, weight});
       }},
      {"softmax", [](const Shapes& s) { return std::vector{softmax(s.rows_of("x"), 1)}; }},
      {"softmax_backward",
       [](const Shapes& s) {
         // From the probabilities, as a program has them in memory that keeps what forward made.
         Tensor y = cast(s.rows_of("y"), f32), dy = cast(s.rows_of("dy"), f32);
         return std::vector{cast(y * (dy - sum(y * dy, {1}, true)), s.dtype)};
       }},
      {"gelu_add", [](const Shapes& s) { return std::vector{gelu(s.rows_of("x")) + s.rows_of("residual")}; }},
      {"gelu_backward",
       [](const Shapes& s) {
         Tensor x = s.rows_of("x");
         return backward(gelu(x), s.rows_of("dy"), {x});
       }},
      {"dropout",
       [](const Shapes& s) {
         Tensor x = s.rows_of("x");
         return std::vector{where(uniform(x.shape()) < 0.9, x, 0)};
       }},
      {"column_sum", [](const Shapes& s) { return std::vector{sum(cast(s.rows_of("dy"), f32), {0})}; }},
      {"total", [](const Shapes& s) { return std::vector{sum(cast(s.rows_of("x"), f32))}; }},
      {"cross_entropy",
       [](const Shapes& s) {
         return std::vector{nn::cross_entropy(cast(s.rows_of("logits"), f32), s.labels("targets", i64))};
       }},
      {"cross_entropy_backward",
       [](const Shapes& s) {
         Tensor logits = s.rows_of("logits");
         return grad(nn::cross_entropy(cast(logits, f32), s.labels("targets", i64)), std::vector{logits});
       }},
      {"argmax", [](const Shapes& s) { return std::vector{argmax(s.rows_of("x"), 1)}; }},
      {"argsort", [](const Shapes& s) { return std::vector{argsort(s.rows_of("x"), 1, /*descending=*/true)}; }},
      {"cumsum", [](const Shapes& s) { return std::vector{cumsum(s.rows_of("x"), 1)}; }},
      {"cumsum_reversed", [](const Shapes& s) { return std::vector{cumsum(s.rows_of("x"), 1, /*reverse=*/true)}; }},
      {"cumsum_columns", [](const Shapes& s) { return std::vector{cumsum(s.rows_of("x"), 0)}; }},
      {"embedding_backward",
       [](const Shapes& s) {
         Tensor table = s.make("table", s.dtype, {vocabulary(s.rows), s.columns});
         Tensor taken = gather(table, s.labels("tokens", i32));
         return backward(taken, s.rows_of("dy"), {table});
       }},
      {"update_rows",
       [](const Shapes& s) {
         Tensor update = s.make("update", s.dtype, {s.rows / 2, s.columns});
         return std::vector{
             dynamic_update_slice(s.rows_of("x"), update, {s.number("start", i32), s.number("zero", i32)})};
       }},
      {"window", [](const Shapes& s) { return std::vector{window(s.rows_of("x"), windows)}; }},
      {"fold",
       [](const Shapes& s) {
         Tensor taps = s.make("taps", s.dtype, {s.rows, (s.columns - 4) / 2 + 1, 4});
         return std::vector{fold(taps, {s.rows, s.columns}, windows)};
       }},
      {"adamw",
       [](const Shapes& s) {
         Tensor p = s.master("p"), g = s.master("g"), m = s.master("m"), v = s.master("v");
         Tensor lr = s.number("lr"), t = s.number("t");
         Tensor m1 = 0.9 * m + 0.1 * g, v1 = 0.999 * v + 0.001 * square(g);
         Tensor first = -expm1(t * std::log(0.9)), second = -expm1(t * std::log(0.999));
         Tensor decayed = p - lr * 0.1 * p;
         return std::vector{decayed - lr / first * m1 / (sqrt(v1) * rsqrt(second) + 1e-8), m1, v1};
       }},
      {"batch_norm_sums",  // what the gradient of a batch norm sums over all rows: four results of two sums
       [](const Shapes& s) {
         auto of_columns = [&](const std::string& name) { return s.make(name, f32, {s.columns}); };
         Tensor mean = of_columns("mean"), scale = of_columns("scale"), weight = of_columns("weight"),
                bias = of_columns("bias");
         Tensor y = (cast(s.rows_of("x"), f32) - mean) * scale * weight + bias;
         return backward(y, s.rows_of("dy"), {mean, scale, weight, bias});
       }},
      {"stream_norm_backward",  // of a norm that reads a residual stream in f32, whose own gradient is added
       [](const Shapes& s) {
         Tensor x = s.make("x", f32, {s.rows, s.columns}), weight = s.row("weight");
         std::vector<Tensor> gradients = backward(rms_norm(x, weight), s.rows_of("dy"), {x, weight});
         gradients[0] = gradients[0] + s.make("stream", f32, {s.rows, s.columns});
         return gradients;
       }},
      {"row_dots",  // what attention's backward sums of each row and its gradient
       [](const Shapes& s) { return std::vector{sum(cast(s.rows_of("y"), f32) * cast(s.rows_of("dy"), f32), {1})}; }},
      {"kept_norm_backward",  // stream_norm_backward of a layer norm whose mean and scale of each row forward kept
       [](const Shapes& s) {
         auto of_rows = [&](const std::string& name) { return s.make(name, f32, {s.rows, 1}); };
         Tensor x = s.make("x", f32, {s.rows, s.columns}), dy = cast(s.rows_of("dy"), f32);
         Tensor scale = of_rows("scale"), normal = (x - of_rows("mean")) * scale, of_normal = dy * s.row("weight");
         Tensor along = mean(of_normal * normal, {1}, true), level = mean(of_normal, {1}, true);
         Tensor dx = s.make("stream", f32, {s.rows, s.columns}) + scale * (of_normal - level - normal * along);
         return std::vector{dx, cast(dx, s.dtype), sum(dy * normal, {0}), sum(dy, {0})};
       }},
      {"cross_entropy_step",  // loss and gradient as a training step has them, of tokens in 32 bits
       [](const Shapes& s) {
         Tensor logits = s.rows_of("logits");
         Tensor loss = nn::cross_entropy(cast(logits, f32), s.labels("targets", i32));
         return std::vector{loss, grad(loss, std::vector{logits})[0]};
       }},
  };
  return all;
}

}  // namespace

int64_t vocabulary(int64_t rows) { return 3 * rows + 1152; }

Tensor random_input(Draw& draw, const std::string& name, DType dtype, const Shape& shape) {
  if (name == "v" || name == "t") return random_tensor(draw, dtype, shape, {1, 2});
  if (name != "tokens" && name != "targets") return random_tensor(draw, dtype, shape);
  std::vector<double> labels;  // some of them often
  for (int64_t k = 0; k < shape.numel(); ++k)
    labels.push_back(static_cast<double>(draw.below(1 + draw.below(name == "tokens" ? 40 : 8))));
  return from_doubles(labels, dtype, shape);
}

const std::vector<std::string>& row_program_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& [name, record] : records()) all.push_back(name);
    return all;
  }();
  return names;
}

RowProgram recorded_program(const std::string& name, const MakeInput& make,
                            const std::function<std::vector<Tensor>(const MakeInput&)>& record) {
  restart_random_calls();
  RowProgram made;
  made.name = name;
  std::vector<NodePtr> captured, outputs;
  made.results = record([&](const std::string& label, DType type, const Shape& shape) {
    Tensor input = make(label, type, shape);
    input.node()->label = label;
    return input;
  });
  for (const Tensor& result : made.results) outputs.push_back(result.node());
  made.program = flatten({}, outputs, /*lift_constants=*/false, &captured);
  made.program.name = name;
  for (const NodePtr& node : captured) made.arguments.push_back(node->value);
  return made;
}

RowProgram row_program(const std::string& name, int64_t rows, int64_t columns, DType dtype, const MakeInput& make) {
  return recorded_program(name, make,
                          [&](const MakeInput& keep) { return records().at(name)({rows, columns, dtype, keep}); });
}

RowProgram adamw_program(const std::vector<int64_t>& sizes, const MakeInput& make) {
  return recorded_program("adamw", make, [&](const MakeInput& keep) {
    const Tensor rate = keep("lr", f32, {}), step = keep("t", f32, {});
    const MakeInput of_one = [&](const std::string& name, DType dtype, const Shape& shape) {
      return name == "lr" ? rate : name == "t" ? step : keep(name, dtype, shape);
    };
    std::vector<Tensor> results;
    for (int64_t size : sizes)
      for (Tensor& result : records().at("adamw")({size, 1, f32, of_one})) results.push_back(std::move(result));
    return results;
  });
}

}  // namespace tessera::testing
