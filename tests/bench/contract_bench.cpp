// Contraction kernels alone: GFLOP/s of the best call, and its share of what a register-only FMA loop reaches beside it.
// TESSERA_THREADS sets the number of threads. One (the default) is timed by its own processor time, several by the wall.

#include <benchmark/benchmark.h>

#include <algorithm>

#include <tessera/core/buffer.h>

#include "tests/bench/measure.h"
#include "tests/codegen/contract_program.h"

namespace tessera {
namespace {

using test::ContractProgram;
using test::ContractSpec;
using Strides = std::vector<int64_t>;

using bench::peak_now;
using bench::seconds;
using bench::threads;

void contract(benchmark::State& state, const ContractSpec& spec) {
  ContractProgram program(spec);
  std::vector<std::unique_ptr<Buffer>> buffers;
  std::vector<void*> operands;
  auto add = [&](const test::Walk& walk) {
    auto count = static_cast<size_t>(test::elements_of(spec, walk));
    buffers.push_back(std::make_unique<Buffer>(count * sizeof(float)));
    float* data = buffers.back()->as<float>();
    for (size_t i = 0; i < count; ++i) data[i] = static_cast<float>(i % 1000) * 1e-3f - 0.5f;
    operands.push_back(data);
  };
  for (const test::Walk& walk : spec.ins) add(walk);
  for (const test::Walk& walk : spec.outs) add(walk);
  program.run(operands, threads());
  double peak = peak_now(), best = 1e9;
  for (auto _ : state) {
    double start = seconds();
    program.run(operands, threads());
    best = std::min(best, seconds() - start);
  }
  peak = std::max(peak, peak_now());
  double flops = 2;
  for (int64_t extent : spec.dims) flops *= static_cast<double>(extent);
  state.counters["best_ms"] = best * 1e3;
  state.counters["GFLOP/s"] = flops * 1e-9 / best;
  state.counters["of_peak"] = flops * 1e-9 / best / peak;
  state.counters["peak"] = peak;
  state.counters["compile_ms"] = program.compile_ms();
}

// batch × [m, k] · [k, n].
ContractSpec product(int64_t m, int64_t n, int64_t k, const char* layout, int64_t batch = 1) {
  bool a_turned = layout[0] == 'T', b_turned = layout[1] == 'T';
  ContractSpec spec;
  spec.dims = {batch, m, n, k}, spec.over = {3};
  spec.ins = {{"f32", a_turned ? Strides{m * k, 1, 0, m} : Strides{m * k, k, 0, 1}},
              {"f32", b_turned ? Strides{n * k, 0, k, 1} : Strides{n * k, 0, 1, n}}};
  spec.outs = {{"f32", {m * n, n, 1, 0}}};
  return spec;
}

// z = x·wᵀ + b and gelu(z), both kept: the first layer of a feed-forward block in training.
ContractSpec with_gelu(int64_t m, int64_t n, int64_t k) {
  ContractSpec spec = product(m, n, k, "NT");
  spec.ins.push_back({"f32", {0, 0, 1, 0}});
  spec.outs.push_back(spec.outs[0]);
  spec.epilogue = R"(  %y0 = arith.addf %acc, %x2 : f32
  %c = arith.constant 0.044715 : f32
  %s = arith.constant 0.79788456 : f32
  %h = arith.constant 0.5 : f32
  %one = arith.constant 1.0 : f32
  %z2 = arith.mulf %y0, %y0 : f32
  %z3 = arith.mulf %z2, %y0 : f32
  %u = arith.mulf %z3, %c : f32
  %v = arith.addf %u, %y0 : f32
  %w = arith.mulf %v, %s : f32
  %t = math.tanh %w : f32
  %p = arith.addf %t, %one : f32
  %q = arith.mulf %y0, %h : f32
  %y1 = arith.mulf %p, %q : f32
)";
  return spec;
}

// 64 images of 32 channels to 32 channels, 3 × 3, padding in place. dims: n, o, p, q, c, r, s.
struct Images {
  int64_t n = 64, o = 32, c = 32, p = 28, q = 28, h = 30, w = 30;
  Strides x{c * h * w, 0, w, 1, h * w, w, 1}, f{0, c * 9, 0, 0, 9, 3, 1}, y{o * p * q, p * q, q, 1, 0, 0, 0};
  ContractSpec make(Strides over, Strides a, Strides b, Strides out) const {
    ContractSpec spec;
    spec.dims = {n, o, p, q, c, 3, 3}, spec.over = std::move(over);
    spec.ins = {{"f32", std::move(a)}, {"f32", std::move(b)}}, spec.outs = {{"f32", std::move(out)}};
    return spec;
  }
};

// Data gradient of the same at a step of 1: dy padded by 2 on each side. dims: n, c, y, x, o, r, s.
ContractSpec data_gradient() {
  const int64_t n = 64, c = 32, o = 32, h = 28, w = 28;
  ContractSpec spec;
  spec.dims = {n, c, h, w, o, 3, 3}, spec.over = {4, 5, 6};
  spec.ins = {{"f32", {o * 30 * 30, 0, 30, 1, 30 * 30, 30, 1}}, {"f32", {0, 9, 0, 0, c * 9, -3, -1}, 8}};
  spec.outs = {{"f32", {c * h * w, h * w, w, 1, 0, 0, 0}}};
  return spec;
}

// The largest of the four parities of a data gradient at a step of 2.
ContractSpec strided_data_gradient() {
  const int64_t n = 64, c = 32, o = 32, p = 14, q = 14;
  ContractSpec spec;
  spec.dims = {n, c, p, q, o, 2, 2}, spec.over = {4, 5, 6};
  spec.ins = {{"f32", {o * 15 * 15, 0, 15, 1, 15 * 15, 15, 1}}, {"f32", {0, 9, 0, 0, c * 9, 6, 2}}};
  spec.outs = {{"f32", {c * 28 * 28, 28 * 28, 56, 2, 0, 0, 0}, 29}};
  return spec;
}

[[maybe_unused]] const bool registered = [] {
  auto add = [](const std::string& name, const ContractSpec& spec) {
    benchmark::RegisterBenchmark(("contract/" + name).c_str(), contract, spec)->MinTime(0.3);
  };
  for (int64_t size : {512, 1024, 2048}) {
    for (const char* layout : {"NN", "NT", "TN", "TT"}) {
      add(std::to_string(size) + "_" + layout, product(size, size, size, layout));
    }
  }
  for (auto [m, n, k] : {std::tuple{1000, 1000, 1000},
                         {517, 771, 333},
                         {256, 1024, 4096},
                         {1024, 256, 4096},
                         {4096, 1024, 256},
                         {4096, 256, 1024},
                         {256, 4096, 1024},
                         {1024, 4096, 256}}) {
    add(std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) + "_NN", product(m, n, k, "NN"));
  }
  add("4096x1024x256_NT", product(4096, 1024, 256, "NT"));
  add("4096x1024x256_NT_gelu", with_gelu(4096, 1024, 256));
  add("1024x256x4096_TN", product(1024, 256, 4096, "TN"));
  add("scores_256x256x32_NT_b128", product(256, 256, 32, "NT", 128));
  add("values_256x32x256_NN_b128", product(256, 32, 256, "NN", 128));
  add("dvalues_256x32x256_TN_b128", product(256, 32, 256, "TN", 128));
  add("scores_256x256x32_NT_b2", product(256, 256, 32, "NT", 2));
  add("values_256x32x256_NN_b2", product(256, 32, 256, "NN", 2));
  Images images;
  add("conv_forward", images.make({4, 5, 6}, images.x, images.f, images.y));
  add("conv_filter_gradient", images.make({0, 2, 3}, images.x, images.y, images.f));
  add("conv_data_gradient", data_gradient());
  add("conv_data_gradient_step_2", strided_data_gradient());
  return true;
}();

}  // namespace
}  // namespace tessera
