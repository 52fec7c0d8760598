// Tile kernels run without a GPU: the goldens compute what they say, for ragged sizes and any interleaving, and a kernel
// with one planted fault is caught by a verifier or by what it computes.

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"

#include <tessera/codegen/cuda/tile/interpreter.h>

#include "tests/codegen/cuda/values.h"

namespace tessera::tile {
namespace {

std::string read(const std::string& name) {
  std::ifstream file(std::string(TESSERA_CUDA_KERNELS) + "/" + name + ".mlir");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class Tiles : public testing::Test {
 protected:
  Tiles() {
    mlir::DialectRegistry registry;
    registry.insert<mlir::arith::ArithDialect, mlir::math::MathDialect, mlir::scf::SCFDialect, TileDialect>();
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    context.getDiagEngine().registerHandler([this](mlir::Diagnostic& d) { said += d.str() + "\n"; });
  }

  mlir::OwningOpRef<mlir::ModuleOp> parse(const std::string& text) {
    return mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  }
  static KernelOp kernel_of(mlir::ModuleOp module) { return *module.getOps<KernelOp>().begin(); }

  mlir::MLIRContext context;
  std::string said;
};

GlobalTensor tensor(std::vector<int64_t> extents, uint64_t seed) {
  int64_t count = 1;
  for (int64_t extent : extents) count *= extent;
  GlobalTensor made{std::move(extents), {}};
  for (uint16_t x : cuda::normals(static_cast<size_t>(count), seed)) made.values.push_back(cuda::widen(x));
  return made;
}

GlobalTensor nothing(std::vector<int64_t> extents) {
  GlobalTensor made = tensor(std::move(extents), 1);
  for (float& x : made.values) x = NAN;
  return made;
}

// The largest error as a share of what roundings allow; infinity for NaN.
struct Worst {
  double share = 0;
  void see(double got, double expected, double allowed) {
    double error = std::abs(got - expected) / allowed;
    share = std::isnan(error) ? INFINITY : std::max(share, error);
  }
};

struct Outcome {
  bool ran = false;
  double worst = INFINITY;
  std::vector<float> result;
};

Outcome run_gemm(KernelOp kernel, int64_t m, int64_t n, int64_t k, Execution execution) {
  GlobalTensor a = tensor({m, k}, 1), b = tensor({n, k}, 2), d = nothing({m, n});
  const Argument arguments[] = {&a, &b, &d, m, n, k};
  if (mlir::failed(interpret(kernel, arguments, execution))) return {};
  Worst worst;
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0, size = 0;
      for (int64_t l = 0; l < k; ++l) {
        const double term =
            static_cast<double>(a.values[static_cast<size_t>(i * k + l)]) * b.values[static_cast<size_t>(j * k + l)];
        sum += term, size += std::abs(term);
      }
      worst.see(d.values[static_cast<size_t>(i * n + j)], sum, 0x1p-8 * std::abs(sum) + 0x1p-18 * size);
    }
  return {true, worst.share, d.values};
}

Outcome run_attention(KernelOp kernel, bool causal, int64_t planes, int64_t length, Execution execution) {
  GlobalTensor q = tensor({planes, length, 128}, 3), k = tensor({planes, length, 128}, 4),
               v = tensor({planes, length, 128}, 5), o = nothing({planes, length, 128}),
               lse = nothing({planes * length}), counter = nothing({1});
  const float scale = 1 / std::sqrt(128.f);
  const Argument arguments[] = {&q, &k, &v, &o, &lse, &counter, length, planes, int64_t{2}, scale};
  if (mlir::failed(interpret(kernel, arguments, execution))) return {};
  Worst worst;
  for (int64_t r = 0; r < planes * length; ++r) {
    const int64_t base = r / length * length * 128, m = r % length, end = causal ? m + 1 : length;
    auto at = [&](const GlobalTensor& t, int64_t row, int64_t d) {
      return static_cast<double>(t.values[static_cast<size_t>(base + row * 128 + d)]);
    };
    std::vector<double> p(static_cast<size_t>(end));
    double top = -INFINITY, sum = 0;
    for (int64_t n = 0; n < end; ++n) {
      double dot = 0;
      for (int64_t d = 0; d < 128; ++d) dot += at(q, m, d) * at(k, n, d);
      top = std::max(top, p[static_cast<size_t>(n)] = dot / std::sqrt(128.0));
    }
    for (double& x : p) sum += x = std::exp(x - top);
    worst.see(lse.values[static_cast<size_t>(r)], top + std::log(sum), 0x1p-16 * (1 + std::abs(top)));
    for (int64_t d = 0; d < 128; ++d) {
      double expected = 0, size = 0;
      for (int64_t n = 0; n < end; ++n) {
        const double term = p[static_cast<size_t>(n)] / sum * at(v, n, d);
        expected += term, size += std::abs(term);
      }
      worst.see(at(o, m, d), expected, (0x1p-8 + 0x1p-14) * (std::abs(expected) + size));
    }
  }
  return {true, worst.share, o.values};
}

TEST_F(Tiles, Gemm) {
  auto module = parse(read("gemm_bf16"));
  ASSERT_TRUE(module) << said;
  const int64_t sizes[][3] = {{1, 8, 8}, {130, 264, 72}, {300, 520, 136}, {257, 24, 200}};
  for (auto [m, n, k] : sizes)
    for (int64_t blocks : {2, 4}) {
      SCOPED_TRACE(fmt::format("{} x {} x {}, {} blocks", m, n, k, blocks));
      Outcome first = run_gemm(kernel_of(*module), m, n, k, {.seed = 1, .blocks = blocks});
      ASSERT_TRUE(first.ran) << said;
      EXPECT_LE(first.worst, 1);
      EXPECT_EQ(run_gemm(kernel_of(*module), m, n, k, {.seed = 2, .blocks = blocks}).result, first.result);
    }
}

TEST_F(Tiles, Attention) {
  for (bool causal : {true, false}) {
    auto module = parse(read(causal ? "attention_causal" : "attention_full"));
    ASSERT_TRUE(module) << said;
    const int64_t sizes[][2] = {{2, 1}, {1, 128}, {1, 129}, {3, 200}};
    for (auto [planes, length] : sizes) {
      SCOPED_TRACE(fmt::format("{}, {} planes of {}", causal ? "causal" : "full", planes, length));
      Outcome first = run_attention(kernel_of(*module), causal, planes, length, {.seed = 1, .blocks = 1});
      ASSERT_TRUE(first.ran) << said;
      EXPECT_LE(first.worst, 1);
      EXPECT_EQ(run_attention(kernel_of(*module), causal, planes, length, {.seed = 2, .blocks = 2}).result,
                first.result);
    }
  }
}

struct Fault {
  const char *kernel, *what, *from, *to;
};

const Fault faults[] = {
    {"gemm_bf16", "a buffer is freed while a product reads it", "        tile.wait_mma 1\n", ""},
    {"gemm_bf16", "a buffer is not freed at the end of a tile", "      tile.release %ab\n      %mine_staged",
     "      %mine_staged"},
    {"gemm_bf16", "the first product adds to what was there", "arith.cmpi sgt, %k, %c0", "arith.cmpi sge, %k, %c0"},
    {"gemm_bf16", "each block loads the first half of b", "%n_half = arith.addi %n, %half",
     "%n_half = arith.addi %n, %c0"},
    {"gemm_bf16", "both consumers read the first rows", "%a_rows = tile.rows %a_s from %row",
     "%a_rows = tile.rows %a_s from %c0"},
    {"gemm_bf16", "the consumer takes half of the steps", "step %c64 iter_args", "step %c128 iter_args"},
    {"gemm_bf16", "the last tile of ragged rows is left out", "%m_padded = arith.addi %M, %c255",
     "%m_padded = arith.addi %M, %c0"},
    {"attention_causal", "the mask is off by one", "arith.cmpi sle, %n, %limit", "arith.cmpi slt, %n, %limit"},
    {"attention_causal", "a sum is not repaired", "%repaired = arith.mulf %x, %f", "%repaired = arith.maximumf %x, %x"},
    {"attention_causal", "a sum stays in its lanes", "tile.sum_of_lanes %sum", "tile.finite_or_zero %sum"},
    {"attention_causal", "v of the next block", "tile.put %v_ready of %v : !blocks loc(\"v_this\")",
     "tile.put %k_ready of %v : !blocks loc(\"v_this\")"},
    {"attention_causal", "the product with v is not waited for", "%o5 = tile.wait_mma 0 %o4",
     "%o5 = tile.wait_mma 1 %o4"},
    {"attention_causal", "q is freed at its start", "      %k_last = tile.get %k_ready",
     "      tile.release %q_ready\n      %k_last = tile.get %k_ready"},
    {"attention_full", "the end is not masked", "arith.cmpi slt, %n, %S", "arith.cmpi slt, %n, %n_end"},
};

// By an error, or by what comes out, in one of eight interleavings.
bool is_caught(KernelOp kernel) {
  const bool gemm = kernel.getName() == "gemm_bf16", causal = kernel.getName() == "attention_causal";
  for (uint64_t seed = 0; seed < 8; ++seed) {
    Outcome outcome = gemm ? run_gemm(kernel, 130, 264, 264, {.seed = seed, .blocks = 2})
                           : run_attention(kernel, causal, 1, 200, {.seed = seed, .blocks = 1});
    if (!outcome.ran || !(outcome.worst <= 1)) return true;
  }
  return false;
}

TEST_F(Tiles, NothingIsCaughtWithoutAFault) {
  for (const char* name : {"gemm_bf16", "attention_causal", "attention_full"}) {
    auto module = parse(read(name));
    ASSERT_TRUE(module) << said;
    EXPECT_FALSE(is_caught(kernel_of(*module))) << name << "\n" << said;
  }
}

class PlantedFault : public Tiles, public testing::WithParamInterface<Fault> {};

TEST_P(PlantedFault, IsCaught) {
  const Fault& fault = GetParam();
  std::string text = read(fault.kernel);
  const size_t at = text.find(fault.from);
  ASSERT_NE(at, std::string::npos) << "the golden has changed; plant the fault anew";
  text.replace(at, std::string(fault.from).size(), fault.to);
  auto module = parse(text);
  if (!module) return;  // the ops' verifier
  EXPECT_TRUE(is_caught(kernel_of(*module))) << fault.what;
}
INSTANTIATE_TEST_SUITE_P(Each, PlantedFault, testing::ValuesIn(faults));

}  // namespace
}  // namespace tessera::tile
