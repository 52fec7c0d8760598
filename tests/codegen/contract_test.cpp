// Contraction kernels against plain loops: every layout, dtype and epilogue class, alone, without a program around them.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <type_traits>

#include <tessera/core/buffer.h>
#include <tessera/core/convert.h>

#include "tests/codegen/contract_program.h"

namespace tessera::test {
namespace {

using Strides = std::vector<int64_t>;

// Calls visit(index) for every point of the dims in `walked`; the other indices keep their values.
void each_point(const Strides& dims, const std::vector<bool>& walked, Strides& index,
                const std::function<void()>& visit, size_t d = 0) {
  if (d == dims.size()) return visit();
  if (!walked[d]) return each_point(dims, walked, index, visit, d + 1);
  for (index[d] = 0; index[d] < dims[d]; ++index[d]) each_point(dims, walked, index, visit, d + 1);
  index[d] = 0;
}

int64_t offset(const Walk& walk, const Strides& index) {
  int64_t sum = walk.base;
  for (size_t d = 0; d < index.size(); ++d) sum += walk.stride[d] * index[d];
  return sum;
}

template <class T> std::vector<T> numbers(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) {
    if constexpr (std::is_floating_point_v<T>) value = static_cast<T>(static_cast<int>(random() % 2001) - 1000) / 1000;
    else value = static_cast<T>(static_cast<int>(random() % 19) - 9);
  }
  return values;
}

// What a point of the result becomes: from the sum and the elements of inputs 2, 3, … there.
using Finish = std::function<std::vector<double>(double sum, const std::vector<double>& others)>;

// Runs the spec on random numbers and compares with plain loops. Elements that no point reaches must stay as they were.
template <class T> void check(const ContractSpec& spec, const Finish& finish = {}, int threads = 2) {
  ContractProgram program(spec);
  std::vector<std::vector<T>> ins, outs;
  std::vector<void*> operands;
  for (size_t k = 0; k < spec.ins.size(); ++k) {
    ins.push_back(numbers<T>(elements_of(spec, spec.ins[k]), static_cast<unsigned>(k) + 1));
  }
  constexpr T untouched = 77;
  for (const Walk& out : spec.outs) outs.emplace_back(static_cast<size_t>(elements_of(spec, out)), untouched);
  for (auto& in : ins) operands.push_back(in.data());
  for (auto& out : outs) operands.push_back(out.data());
  program.run(operands, threads);

  std::vector<std::vector<double>> expected;
  for (const auto& out : outs) expected.emplace_back(out.size(), untouched);
  std::vector<bool> kept(spec.dims.size(), true), summed(spec.dims.size(), false);
  int64_t terms = 1;
  for (int64_t d : spec.over) {
    kept[static_cast<size_t>(d)] = false, summed[static_cast<size_t>(d)] = true;
    terms *= spec.dims[static_cast<size_t>(d)];
  }
  Strides index(spec.dims.size(), 0);
  each_point(spec.dims, kept, index, [&] {
    double sum = 0;
    each_point(spec.dims, summed, index, [&] {
      sum += static_cast<double>(ins[0][static_cast<size_t>(offset(spec.ins[0], index))]) *
             static_cast<double>(ins[1][static_cast<size_t>(offset(spec.ins[1], index))]);
    });
    std::vector<double> others;
    for (size_t k = 2; k < ins.size(); ++k) {
      others.push_back(static_cast<double>(ins[k][static_cast<size_t>(offset(spec.ins[k], index))]));
    }
    std::vector<double> results = finish ? finish(sum, others) : std::vector<double>{sum};
    for (int operand : spec.sums) {
      const auto k = static_cast<size_t>(operand);
      double all = 0;
      each_point(spec.dims, summed, index,
                 [&] { all += static_cast<double>(ins[k][static_cast<size_t>(offset(spec.ins[k], index))]); });
      results.push_back(all);
    }
    for (size_t k = 0; k < outs.size(); ++k) {
      expected[k][static_cast<size_t>(offset(spec.outs[k], index))] = results[k];
    }
  });
  double tolerance = std::is_same_v<T, float>
                         ? 2e-6 * std::sqrt(static_cast<double>(terms)) * (1 + std::sqrt(static_cast<double>(terms)))
                     : std::is_same_v<T, double> ? 1e-12 * static_cast<double>(terms + 1)
                                                 : 0;
  for (size_t k = 0; k < outs.size(); ++k) {
    for (size_t i = 0; i < outs[k].size(); ++i) {
      double wanted = std::is_floating_point_v<T>
                          ? expected[k][i]
                          : static_cast<double>(static_cast<T>(static_cast<int64_t>(expected[k][i])));
      ASSERT_NEAR(static_cast<double>(outs[k][i]), wanted, tolerance * (1 + std::abs(wanted) * 0.01))
          << "result " << k << ", element " << i << "\n"
          << kernel_text(spec);
    }
  }
}

ContractSpec product(int64_t m, int64_t n, int64_t k, bool a_transposed = false, bool b_transposed = false,
                     bool out_transposed = false, const std::string& type = "f32") {
  ContractSpec spec;
  spec.dims = {m, n, k}, spec.over = {2};
  spec.ins = {{type, a_transposed ? Strides{1, 0, m} : Strides{k, 0, 1}},
              {type, b_transposed ? Strides{0, k, 1} : Strides{0, 1, n}}};
  spec.outs = {{type, out_transposed ? Strides{1, m, 0} : Strides{n, 1, 0}}};
  return spec;
}

TEST(Contract, AllLayouts) {
  for (int bits = 0; bits < 8; ++bits) {
    for (auto [m, n, k] : {std::tuple{64, 96, 40}, {37, 70, 53}, {8, 32, 2}, {70, 5, 19}}) {
      check<float>(product(m, n, k, bits & 1, bits & 2, bits & 4));
    }
  }
}

// The register tile of a machine with AVX2: 6 rows, which no vector matches.
TEST(Contract, NarrowVectors) {
  for (int bits = 0; bits < 8; ++bits) {
    for (auto [m, n, k] : {std::tuple{64, 96, 40}, {37, 70, 53}, {300, 40, 330}, {7, 5, 1}}) {
      ContractSpec spec = product(m, n, k, bits & 1, bits & 2, bits & 4);
      spec.lanes = 8;
      check<float>(spec);
      spec = product(m, n, k, bits & 1, bits & 2, bits & 4, "f64");
      spec.lanes = 8;
      check<double>(spec);
    }
  }
}

TEST(Contract, OddSizes) {
  for (int m : {1, 2, 7, 9, 31, 33, 70}) {
    for (int n : {1, 3, 15, 17, 33, 64, 69}) {
      for (int k : {1, 2, 3, 8, 13, 70}) check<float>(product(m, n, k, (m + k) % 2, (n + k) % 2));
    }
  }
}

TEST(Contract, KIsCutIntoBlocks) {
  for (int k : {256, 320, 321, 777}) check<float>(product(20, 70, k, k % 2, true));
  check<float>(product(300, 600, 330));
}

// Blocks are multiples of a tile whose rows do not divide these extents.
TEST(Contract, CuttingIntoTasksEnds) {
  for (int lanes : {0, 8}) {
    for (int size : {256, 512, 1000, 1024}) {
      for (int threads : {1, 2, 4, 64}) {
        ContractSpec spec = product(size, size, size);
        spec.lanes = lanes, spec.threads = threads;
        EXPECT_GE(ContractProgram(spec).tasks().back(), std::min(threads, size > 256 ? 8 : 2)) << size;
      }
    }
  }
}

// One thread may be slower than the next.
TEST(Contract, LargeProductsGiveAThreadSeveralTasks) {
  for (auto [m, n, k] : {std::tuple{1024, 1024, 1024}, {4096, 1024, 256}, {256, 1024, 4096}, {1024, 256, 4096}}) {
    ContractSpec spec = product(m, n, k);
    spec.threads = 2;
    const std::vector<int64_t> tasks = ContractProgram(spec).tasks();
    ASSERT_EQ(tasks.size(), 2u);
    EXPECT_GE(k == 4096 ? tasks.front() : tasks.back(), 4 * spec.threads) << m << " " << n << " " << k;
  }
}

TEST(Contract, KIsCutIntoParts) {
  ContractSpec spec = product(32, 40, 20000, true, false);
  EXPECT_EQ(ContractProgram(spec).tasks().size(), 2u);
  check<float>(spec);
  spec.epilogue = "  %y0 = arith.addf %acc, %x2 : f32\n";
  spec.ins.push_back({"f32", {0, 1, 0}});
  check<float>(spec, [](double sum, const auto& x) { return std::vector{sum + x[0]}; });
}

// Large enough that what several blocks read is packed once, by a launch before: of B where M is long, of A where N is,
// of both; and of A where K is in parts, whose sums a third launch adds up.
TEST(Contract, SharedOperandsArePackedBefore) {
  for (auto [m, n, k, launches] :
       {std::tuple{900, 300, 1000, 2u}, {250, 1400, 800, 2u}, {700, 1600, 250, 2u}, {256, 1024, 4096, 2u}}) {
    for (int bits = 0; bits < 4; ++bits) {
      ContractSpec spec = product(m, n, k, bits & 1, bits & 2);
      spec.threads = 8;
      ContractProgram program(spec);
      ASSERT_GE(program.tasks().size(), launches) << m << " " << n << " " << k;
      auto a = numbers<float>(m * k, 1), b = numbers<float>(k * n, 2);
      std::vector<float> c(static_cast<size_t>(m * n)), again = c;
      program.run({a.data(), b.data(), c.data()}, 2);
      program.run({a.data(), b.data(), again.data()}, 3);
      ASSERT_EQ(std::memcmp(c.data(), again.data(), c.size() * sizeof(float)), 0);
      std::mt19937 random(7);
      for (int sample = 0; sample < 2000; ++sample) {
        const int64_t i =
            sample < 100 ? m - 1 - sample % 10 : static_cast<int64_t>(random() % static_cast<unsigned>(m));
        const int64_t j =
            sample < 100 ? n - 1 - sample / 10 : static_cast<int64_t>(random() % static_cast<unsigned>(n));
        double sum = 0;
        for (int64_t l = 0; l < k; ++l) {
          sum += static_cast<double>(a[static_cast<size_t>(bits & 1 ? l * m + i : i * k + l)]) *
                 static_cast<double>(b[static_cast<size_t>(bits & 2 ? j * k + l : l * n + j)]);
        }
        ASSERT_NEAR(c[static_cast<size_t>(i * n + j)], sum, 2e-6 * std::sqrt(static_cast<double>(k)) * 8)
            << i << ", " << j;
      }
    }
  }
}

TEST(Contract, EmptyExtents) {
  check<float>(product(5, 40, 0));
  check<float>(product(0, 40, 3));
  check<float>(product(5, 0, 3));
}

TEST(Contract, Batches) {
  ContractSpec spec;
  spec.dims = {3, 4, 33, 50, 21}, spec.over = {4};
  // [b, h, m, k] · [b, h, n, k] → [b, m, h, n]: heads beside rows in the result.
  spec.ins = {{"f32", {4 * 33 * 21, 33 * 21, 21, 0, 1}}, {"f32", {4 * 50 * 21, 50 * 21, 0, 21, 1}}};
  spec.outs = {{"f32", {4 * 33 * 50, 50, 200, 1, 0}}};
  check<float>(spec);
  // One B for all batches; and A a view that starts late and runs backwards along m.
  spec.ins[1].stride = {0, 0, 0, 21, 1};
  spec.ins[0] = {"f32", {4 * 33 * 21, 33 * 21, -21, 0, 1}, 32 * 21};
  check<float>(spec);
}

TEST(Contract, DimsOfOneOperandOnly) {
  ContractSpec spec;
  spec.dims = {9, 40, 6, 5}, spec.over = {2, 3};
  spec.ins = {{"f32", {30, 0, 5, 1}}, {"f32", {0, 6, 1, 0}}};  // dim 3 is in A alone, and summed
  spec.outs = {{"f32", {40, 1, 0, 0}}};
  check<float>(spec);
  // An outer product: nothing is summed.
  spec.dims = {9, 40}, spec.over = {};
  spec.ins = {{"f32", {1, 0}}, {"f32", {0, 1}}};
  spec.outs = {{"f32", {40, 1}}};
  check<float>(spec);
  // A dim that neither operand has.
  spec.dims = {9, 4, 12, 7}, spec.over = {3};
  spec.ins = {{"f32", {7, 0, 0, 1}}, {"f32", {0, 0, 7, 1}}};
  spec.outs = {{"f32", {48, 12, 1, 0}}};
  check<float>(spec);
  // A product of vectors.
  spec.dims = {100}, spec.over = {0};
  spec.ins = {{"f32", {1}}, {"f32", {1}}};
  spec.outs = {{"f32", {0}}};
  check<float>(spec);
}

// x [n, c, h, w] with padding in place, w [o, c, 3, 3], y [n, o, p, q].
TEST(Contract, Convolution) {
  const int64_t n = 3, c = 5, o = 10, p = 11, q = 9;
  for (int64_t step : {1, 2}) {
    int64_t h = step * (p - 1) + 3, w = step * (q - 1) + 3;
    Strides x{c * h * w, 0, step * w, step, h * w, w, 1}, f{0, c * 9, 0, 0, 9, 3, 1},
        y{o * p * q, p * q, q, 1, 0, 0, 0};
    ContractSpec spec;
    spec.dims = {n, o, p, q, c, 3, 3};
    spec.over = {4, 5, 6}, spec.ins = {{"f32", x}, {"f32", f}}, spec.outs = {{"f32", y}};
    check<float>(spec);
    spec.over = {0, 2, 3}, spec.ins = {{"f32", x}, {"f32", y}}, spec.outs = {{"f32", f}};  // gradient of the filter
    check<float>(spec);
  }
  // Gradient of the input, one parity of a step of 2: dy [n, o, p + 1, q + 1], dx written with strides of 2.
  ContractSpec spec;
  spec.dims = {n, c, p, q, o, 2, 2}, spec.over = {4, 5, 6};
  spec.ins = {{"f32", {o * (p + 1) * (q + 1), 0, q + 1, 1, (p + 1) * (q + 1), q + 1, 1}},
              {"f32", {0, 9, 0, 0, c * 9, 6, 2}}};
  spec.outs = {{"f32", {c * 4 * p * q, 4 * p * q, 4 * q, 2, 0, 0, 0}, 2 * q + 1}};
  check<float>(spec);
}

double gelu(double z) { return 0.5 * z * (1 + std::erf(z * std::sqrt(0.5))); }

TEST(Contract, EpilogueWithTwoResults) {
  const std::string lines = R"(  %z = arith.addf %acc, %x2 : f32
  %c = arith.constant 0.70710678118654752 : f32
  %h = arith.constant 0.5 : f32
  %u = arith.mulf %z, %c : f32
  %e = math.erf %u : f32
  %g = arith.mulf %z, %h : f32
  %t = arith.mulf %g, %e : f32
  %y1 = arith.addf %g, %t : f32
  %y0 = arith.addf %z, %x3 : f32
)";
  for (bool transposed : {false, true}) {
    for (auto [m, n, k] : {std::tuple{32, 64, 32}, {45, 51, 20}, {3, 200, 400}}) {
      ContractSpec spec = product(m, n, k, false, true);
      spec.ins.push_back({"f32", {0, 1, 0}});                                         // bias along n
      spec.ins.push_back({"f32", transposed ? Strides{1, m, 0} : Strides{n, 1, 0}});  // residual
      spec.outs.push_back({"f32", transposed ? Strides{1, m, 0} : Strides{n, 1, 0}});
      spec.epilogue = lines;
      check<float>(spec, [](double sum, const auto& x) {
        double z = sum + x[0];
        return std::vector{z + x[1], gelu(z)};
      });
    }
  }
}

TEST(Contract, EpilogueOperandsOfEveryClass) {
  const int64_t m = 21, n = 45, k = 9;
  std::vector<Strides> walks{{1, 0, 0}, {0, 0, 0}, {3 * n, 3, 0}, {0, 2, 0}, {n, 1, 0}};
  for (const Strides& walk : walks) {
    ContractSpec spec = product(m, n, k);
    spec.ins.push_back({"f32", walk});
    spec.epilogue = "  %y0 = arith.mulf %acc, %x2 : f32\n";
    check<float>(spec, [](double sum, const auto& x) { return std::vector{sum * x[0]}; });
  }
}

TEST(Contract, IndexInEpilogue) {
  ContractSpec spec = product(13, 40, 6);
  spec.epilogue = R"(  %i = fuse.index affine_map<(d0, d1, d2) -> (d0 * 1000 + d1)>
  %j = arith.index_cast %i : index to i64
  %f = arith.sitofp %j : i64 to f32
  %zero = arith.constant 0.0 : f32
  %none = arith.mulf %acc, %zero : f32
  %y0 = arith.addf %none, %f : f32
)";
  ContractProgram program(spec);
  std::vector<float> a(13 * 6, 1), b(6 * 40, 1), out(13 * 40);
  program.run({a.data(), b.data(), out.data()});
  for (size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], static_cast<float>(i / 40 * 1000 + i % 40));
}

TEST(Contract, DoublesAndIntegers) {
  for (bool turned : {false, true}) {
    check<double>(product(19, 40, 33, turned, !turned, false, "f64"));
    check<double>(product(70, 21, 400, turned, turned, turned, "f64"));
    check<int32_t>(product(19, 40, 33, turned, !turned, false, "i32"));
    check<int64_t>(product(19, 40, 33, turned, !turned, turned, "i64"));
    check<int16_t>(product(19, 40, 33, turned, turned, false, "i16"));
    check<int8_t>(product(19, 40, 3, turned, !turned, false, "i8"));
  }
}

// Narrow floats are widened while packing, and summed in f32.
TEST(Contract, NarrowFloats) {
  for (const char* type : {"bf16", "f16"}) {
    bool brain = std::string(type) == "bf16";
    for (int bits = 0; bits < 4; ++bits) {
      ContractSpec spec = product(21, 45, 35, bits & 1, bits & 2, false, type);
      spec.epilogue = "  %y0 = arith.truncf %acc : f32 to " + std::string(type) + "\n";
      ContractProgram program(spec);
      std::vector<uint16_t> ins[2], out(21 * 45);
      std::vector<float> wide[2];
      for (unsigned k = 0; k < 2; ++k) {
        for (float x : numbers<float>(elements_of(spec, spec.ins[k]), k + 5)) {
          ins[k].push_back(brain ? float_to_bf16(x) : float_to_f16(x));
          wide[k].push_back(brain ? bf16_to_float(ins[k].back()) : f16_to_float(ins[k].back()));
        }
      }
      program.run({ins[0].data(), ins[1].data(), out.data()});
      for (int64_t i = 0; i < 21; ++i) {
        for (int64_t j = 0; j < 45; ++j) {
          double sum = 0;
          for (int64_t k = 0; k < 35; ++k) {
            sum += static_cast<double>(wide[0][static_cast<size_t>(offset(spec.ins[0], {i, j, k}))]) *
                   static_cast<double>(wide[1][static_cast<size_t>(offset(spec.ins[1], {i, j, k}))]);
          }
          uint16_t bits_out = out[static_cast<size_t>(i * 45 + j)];
          EXPECT_NEAR(brain ? bf16_to_float(bits_out) : f16_to_float(bits_out), sum,
                      (brain ? 5e-3 : 6e-4) * (1 + std::abs(sum)));
        }
      }
    }
  }
}

TEST(Contract, SameBitsOnAnyNumberOfThreads) {
  for (ContractSpec spec : {product(100, 300, 700), product(32, 40, 20000, true), product(517, 771, 333),
                            product(300, 900, 2500, false, true)}) {
    spec.threads = 1;
    auto a = numbers<float>(elements_of(spec, spec.ins[0]), 1), b = numbers<float>(elements_of(spec, spec.ins[1]), 2);
    std::vector<float> first(static_cast<size_t>(elements_of(spec, spec.outs[0]))), again = first;
    ContractProgram(spec).run({a.data(), b.data(), first.data()}, 1);
    for (int threads : {2, 3, 8}) {
      std::fill(again.begin(), again.end(), 0.0f);
      spec.threads = threads;
      ContractProgram(spec).run({a.data(), b.data(), again.data()}, threads);
      EXPECT_EQ(std::memcmp(first.data(), again.data(), first.size() * sizeof(float)), 0) << threads << " threads";
    }
  }
}

// The same product; the operands in `sums` are summed over K as well, each sum two elements from the next.
ContractSpec with_sums(ContractSpec spec, const std::vector<int>& sums) {
  spec.sums = sums;
  for (int k : sums) {
    const bool float32 = spec.ins[0].type != "f64";
    spec.outs.push_back({float32 ? "f32" : "f64", k == 0 ? Strides{2, 0, 0} : Strides{0, 2, 0}, 3});
  }
  return spec;
}

TEST(OperandSums, AllLayouts) {
  for (int bits = 0; bits < 8; ++bits) {
    for (auto [m, n, k] : {std::tuple{64, 96, 40}, {37, 70, 53}, {8, 32, 2}, {70, 5, 19}, {300, 40, 330}, {7, 5, 1}}) {
      for (int lanes : {0, 8}) {
        for (const std::vector<int>& sums : {std::vector{0}, {1}, {0, 1}, {1, 0}}) {
          ContractSpec spec = with_sums(product(m, n, k, bits & 1, bits & 2, bits & 4), sums);
          spec.lanes = lanes;
          check<float>(spec);
        }
        ContractSpec spec = with_sums(product(m, n, k, bits & 1, bits & 2, bits & 4, "f64"), {0, 1});
        spec.lanes = lanes;
        check<double>(spec);
      }
    }
  }
}

TEST(OperandSums, KIsCutIntoBlocksAndParts) {
  for (int k : {256, 320, 321, 777}) {
    check<float>(with_sums(product(20, 70, k, k % 2, true), {0, 1}));
    check<float>(with_sums(product(70, 20, k, true, k % 2), {0, 1}));
  }
  check<float>(with_sums(product(300, 600, 330), {0, 1}));
  for (int operand : {0, 1}) {
    ContractSpec spec = with_sums(product(32, 40, 20000, true, false), {operand});
    ASSERT_EQ(ContractProgram(spec).tasks().size(), 2u);
    check<float>(spec);
  }
  check<float>(with_sums(product(70, 90, 20001, false, true), {0, 1}));
}

// A filter gradient of few channels reads A where it lies, but not if it is summed.
TEST(OperandSums, OfWhatWouldNotBePacked) {
  for (int bits = 0; bits < 4; ++bits) {
    for (int operand : {0, 1}) check<float>(with_sums(product(90, 24, 2000, bits & 1, bits & 2), {operand}));
  }
}

// A bias beside the gradient of its weight: dims of rows and of K in pieces, and an epilogue that reads others.
TEST(OperandSums, DimsInPieces) {
  ContractSpec spec;
  const int64_t b = 3, t = 50, h = 4, d = 10, c = 33;
  spec.dims = {h, d, c, b, t}, spec.over = {3, 4};
  spec.ins = {{"f32", {d, 1, 0, t * h * d, h * d}}, {"f32", {0, 0, 1, t * c, c}}, {"f32", {d * c, c, 1, 0, 0}}};
  spec.outs = {{"f32", {d * c, c, 1, 0, 0}}, {"f32", {d, 1, 0, 0, 0}}};
  spec.epilogue = "  %y0 = arith.subf %x2, %acc : f32\n";
  spec.sums = {0};
  check<float>(spec, [](double sum, const auto& x) { return std::vector{x[0] - sum}; });
  EXPECT_TRUE(ContractProgram(spec).may_share(2, 0));
  EXPECT_FALSE(ContractProgram(spec).may_share(2, 1));
  EXPECT_FALSE(ContractProgram(spec).may_share(0, 0));
}

// Sums are f32, of the values that the product reads.
TEST(OperandSums, NarrowFloats) {
  for (int bits = 0; bits < 4; ++bits) {
    const int64_t m = 21, n = 45, k = 400;
    ContractSpec spec = with_sums(product(m, n, k, bits & 1, bits & 2, false, "bf16"), {1});
    spec.outs[0].type = "f32";
    ContractProgram program(spec);
    std::vector<uint16_t> a, b;
    for (float x : numbers<float>(m * k, 1)) a.push_back(float_to_bf16(x));
    for (float x : numbers<float>(n * k, 2)) b.push_back(float_to_bf16(x));
    std::vector<float> out(m * n), sums(static_cast<size_t>(elements_of(spec, spec.outs[1])));
    program.run({a.data(), b.data(), out.data(), sums.data()});
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t l = 0; l < k; ++l) sum += bf16_to_float(b[static_cast<size_t>(offset(spec.ins[1], {0, j, l}))]);
      EXPECT_NEAR(sums[static_cast<size_t>(3 + 2 * j)], sum, 2e-5) << j;
    }
  }
}

TEST(OperandSums, SameBitsOnAnyNumberOfThreads) {
  for (const ContractSpec& one :
       {product(100, 300, 700), product(32, 40, 20000, true), product(256, 1024, 4096, true, false),
        product(700, 1600, 250), product(900, 300, 1000, false, true)}) {
    ContractSpec spec = with_sums(one, {0, 1});
    auto a = numbers<float>(elements_of(spec, spec.ins[0]), 1), b = numbers<float>(elements_of(spec, spec.ins[1]), 2);
    std::vector<std::vector<float>> first;
    for (int threads : {1, 2, 3, 8}) {
      spec.threads = threads;
      std::vector<std::vector<float>> outs;
      for (const Walk& out : spec.outs) outs.emplace_back(static_cast<size_t>(elements_of(spec, out)), 0.0f);
      ContractProgram(spec).run({a.data(), b.data(), outs[0].data(), outs[1].data(), outs[2].data()}, threads);
      if (first.empty()) first = outs;
      EXPECT_EQ(outs, first) << threads << " threads";
      for (int64_t i = 0; i < spec.dims[0]; ++i) {
        double sum = 0;
        for (int64_t l = 0; l < spec.dims[2]; ++l) sum += a[static_cast<size_t>(offset(spec.ins[0], {i, 0, l}))];
        ASSERT_NEAR(outs[1][static_cast<size_t>(3 + 2 * i)], sum, 1e-4 + 1e-6 * std::abs(sum)) << i;
      }
    }
  }
}

// Numbers of one sign, whose sum grows far beyond each: a plain loop loses digits, blocks lose fewer.
TEST(OperandSums, AreCloserThanAPlainLoop) {
  for (int64_t k : {1000, 8192, 40000}) {
    ContractSpec spec = with_sums(product(70, 90, k, true, false), {0});
    auto a = numbers<float>(70 * k, 1), b = numbers<float>(90 * k, 2);
    for (float& x : a) x = std::abs(x);
    std::vector<float> out(70 * 90), sums(static_cast<size_t>(elements_of(spec, spec.outs[1])));
    ContractProgram(spec).run({a.data(), b.data(), out.data(), sums.data()});
    double error = 0, error_of_loop = 0;
    for (int64_t i = 0; i < 70; ++i) {
      double exact = 0;
      float loop = 0;
      for (int64_t l = 0; l < k; ++l) {
        exact += static_cast<double>(a[static_cast<size_t>(l * 70 + i)]);
        loop += a[static_cast<size_t>(l * 70 + i)];
      }
      error = std::max(error, std::abs(sums[static_cast<size_t>(3 + 2 * i)] - exact) / exact);
      error_of_loop = std::max(error_of_loop, std::abs(loop - exact) / exact);
    }
    std::printf("sums of %ld numbers: %.1e, of a plain loop %.1e\n", static_cast<long>(k), error, error_of_loop);
    EXPECT_LT(error, 0.5 * error_of_loop);
  }
}

TEST(Contract, NanAndInfinityPass) {
  ContractSpec spec = product(9, 33, 5);
  ContractProgram program(spec);
  std::vector<float> a(45, 1), b(165, 1), out(297);
  a[7] = std::numeric_limits<float>::quiet_NaN();
  b[32] = std::numeric_limits<float>::infinity();
  program.run({a.data(), b.data(), out.data()});
  for (size_t i = 0; i < out.size(); ++i) {
    if (i / 33 == 1) EXPECT_TRUE(std::isnan(out[i]));
    else EXPECT_EQ(out[i], i % 33 == 32 ? std::numeric_limits<float>::infinity() : 5.0f);
  }
}

// 16 MiB and more, rows of whole cache lines.
TEST(Contract, LargeResultsAreWrittenPastTheCache) {
  const int64_t m = 2048, n = 2048;
  ContractSpec spec = product(m, n, 2);
  ContractProgram program(spec);
  auto a = numbers<float>(m * 2, 1), b = numbers<float>(2 * n, 2);
  Buffer out(static_cast<size_t>(m * n) * sizeof(float) + 64);
  for (size_t shift : {0, 1}) {  // a result that does not begin at a line takes the other way
    float* c = out.as<float>() + shift;
    std::fill_n(c, m * n, 77.0f);
    program.run({a.data(), b.data(), c}, 2);
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        auto x = static_cast<size_t>(2 * i), y = static_cast<size_t>(j);
        ASSERT_NEAR(c[i * n + j], a[x] * b[y] + a[x + 1] * b[y + static_cast<size_t>(n)], 1e-6) << i << ", " << j;
      }
    }
  }
}

TEST(Contract, SharesABufferOnlyPointByPoint) {
  ContractSpec spec = product(9, 33, 5);
  spec.epilogue = "  %t = arith.addf %acc, %x2 : f32\n  %y0 = arith.addf %t, %x3 : f32\n";
  spec.ins.push_back({"f32", {33, 1, 0}});
  spec.ins.push_back({"f32", {0, 1, 0}});
  ContractProgram program(spec);
  EXPECT_FALSE(program.may_share(0, 0));
  EXPECT_TRUE(program.may_share(2, 0));
  EXPECT_FALSE(program.may_share(3, 0));
}

}  // namespace
}  // namespace tessera::test
