#include <tessera/autograd/gradcheck.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include <fmt/format.h>

#include <tessera/core/error.h>
#include <tessera/core/executor.h>
#include <tessera/core/random.h>

namespace tessera {
namespace {

class Draws {
 public:
  explicit Draws(uint64_t seed) : seed_(seed) {}
  std::vector<double> next(int64_t count) {  // in [−1, 1)
    std::vector<double> out(static_cast<size_t>(count));
    for (double& x : out) x = 2.0 * random_uniform(seed_, 0, 0, drawn_++) - 1.0;
    return out;
  }
  Tensor tensor(const Shape& shape) { return tessera::tensor(next(shape.numel()), shape); }

 private:
  uint64_t seed_, drawn_ = 0;
};

Tensor in_f64(const Tensor& x) { return is_float(x.dtype()) ? tensor(x.to_vector<double>(), x.shape()) : x.eval(); }

// ⟨y, c⟩ with a random c.
Tensor projected(const Tensor& y, Draws& draws) { return sum(y * draws.tensor(y.shape())); }

// loss and its gradients as one program of the inputs, to be run at several places.
class Runner {
 public:
  Runner(const Tensor& loss, const Tensors& gradients, const Tensors& inputs) {
    std::vector<NodePtr> in, out{loss.node()}, captured;
    for (const Tensor& x : inputs) in.push_back(x.node());
    for (const Tensor& g : gradients) out.push_back(g.node());
    program_ = flatten(in, out, /*lift_constants=*/false, &captured);
    for (const NodePtr& node : captured) captured_.push_back(Tensor(node).buffer());
    run_ = reference_executor().compile(program_);
  }

  std::vector<BufferPtr> operator()(std::vector<BufferPtr> arguments) {
    arguments.insert(arguments.end(), captured_.begin(), captured_.end());
    return run_->run(program_, arguments);
  }

 private:
  Program program_;
  std::shared_ptr<Executable> run_;
  std::vector<BufferPtr> captured_;
};

GradcheckResult check(const Tensor& loss, const Tensors& wrt, const Tensors& gradients, const Tensors& inputs,
                      Draws& draws, const GradcheckOptions& options) {
  Runner run(loss, gradients, inputs);
  std::vector<std::vector<double>> directions;
  for (const Tensor& x : wrt) directions.push_back(draws.next(x.numel()));

  auto at = [&](double step) {
    std::vector<BufferPtr> arguments;
    size_t next = 0;
    for (const Tensor& x : inputs) {
      if (!is_float(x.dtype())) {
        arguments.push_back(x.buffer());
        continue;
      }
      const std::vector<double>& d = directions[next++];
      std::vector<double> moved = x.to_vector<double>();
      for (size_t i = 0; i < moved.size(); ++i) moved[i] += step * d[i];
      arguments.push_back(tensor(moved, x.shape()).buffer());
    }
    return run(std::move(arguments));
  };

  GradcheckResult result;
  const std::vector<BufferPtr> here = at(0);
  double scale = 0;
  for (size_t k = 0; k < wrt.size(); ++k)
    for (size_t i = 0; i < directions[k].size(); ++i) {
      const double term = here[k + 1]->as<double>()[i] * directions[k][i];
      result.analytic += term;
      scale += std::fabs(term);
    }
  const double up = at(options.step)[0]->as<double>()[0], down = at(-options.step)[0]->as<double>()[0];
  result.numeric = (up - down) / (2 * options.step);
  result.error = std::fabs(result.analytic - result.numeric) / std::max({scale, std::fabs(result.numeric), 1e-3});
  result.ok = result.error <= options.tolerance;  // false for NaN
  return result;
}

}  // namespace

std::string GradcheckResult::str() const {
  return fmt::format("order {}: gradient along a random direction is {:.12g}, by differences {:.12g}, error {:.3g}",
                     order, analytic, numeric, error);
}

GradcheckResult gradcheck(const std::function<Tensor(const Tensors&)>& fn, const Tensors& inputs,
                          const GradcheckOptions& options, Loc at) {
  UseExecutor on_reference(reference_executor());
  Draws draws(options.seed);
  Tensors here, wrt;
  for (const Tensor& x : inputs) {
    here.push_back(in_f64(x));
    if (is_float(x.dtype())) wrt.push_back(here.back());
  }
  if (wrt.empty()) throw GradError({.code = "T-G002", .fault = "gradcheck needs an input of a float dtype", .at = at});
  Tensor value = projected(fn(here), draws);
  GradcheckResult result;
  for (int order = 1; order <= options.order; ++order) {
    const Tensors gradients = grad(value, wrt);
    result = check(value, wrt, gradients, here, draws, options);
    result.order = order;
    if (!result.ok) break;
    Tensor next;
    for (const Tensor& g : gradients) {
      const Tensor term = projected(g, draws);
      next = next.valid() ? next + term : term;
    }
    value = next;
  }
  return result;
}

}  // namespace tessera
