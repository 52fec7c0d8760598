#pragma once
// summary(model, inputs…): runs the forward on abstract tensors (nothing is computed) and prints the module tree with
// output shapes, parameters, floating-point operations and the bytes that the recorded ops produce.
//
//   std::cout << nn::summary(model, nn::spec({8, 128}, i32));

#include <concepts>
#include <functional>
#include <string>
#include <vector>

#include <tessera/nn/module.h>

namespace tessera::nn {

struct Spec {
  Shape shape;
  DType dtype = f32;
};
inline Spec spec(Shape shape, DType dtype = f32) { return {std::move(shape), dtype}; }

struct SummaryRow {
  std::string label, what;
  std::string output;  // "[8, 128, 256]"; empty for modules that were not called
  int64_t parameters = 0;
  double flops = 0;        // of everything recorded under the module: 2 per multiply-add, 1 per elementwise result
  double activations = 0;  // bytes of every op's result, before fusion: an upper bound of what a step keeps
};
std::string render(const std::vector<SummaryRow>&);

namespace detail {
std::vector<SummaryRow> summarize(const ModuleBase&, const std::vector<Spec>&,
                                  const std::function<void(const std::vector<Tensor>&)>& call);
inline Spec spec_of(const Tensor& t) { return {t.shape(), t.dtype()}; }
inline Spec spec_of(const Spec& s) { return s; }
}  // namespace detail

// Inputs are Tensors or specs, in the order of forward's parameters.
template <class M, class... Inputs> std::vector<SummaryRow> summary_rows(M& model, const Inputs&... inputs) {
  return detail::summarize(model, {detail::spec_of(inputs)...}, [&](const std::vector<Tensor>& arguments) {
    [&]<size_t... i>(std::index_sequence<i...>) { model(arguments[i]...); }(std::index_sequence_for<Inputs...>{});
  });
}
template <class M, class... Inputs> std::string summary(M& model, const Inputs&... inputs) {
  return render(summary_rows(model, inputs...));
}

}  // namespace tessera::nn
