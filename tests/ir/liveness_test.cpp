// Blocks that find_liveness() calls empty or full, against every point of them by the definition of the body.

#include <cmath>
#include <cstdio>
#include <limits>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"

#include <tessera/core/convert.h>
#include <tessera/ir/compile_ir.h>
#include <tessera/ir/fuse/body_dims.h>
#include <tessera/ir/plane/find_liveness.h>

#include "tests/ir/fuse_body.h"
#include "tests/support/host_data.h"

namespace tessera::testing {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Two batches of a plane: ids of rows and columns, a length a batch, masks in memory to choose by and to add.
constexpr std::string_view text = R"(
func.func @f(%q_: tensor<{q}xf32>, %k_: tensor<{k}xf32>, %v_: tensor<{k}xf32>, %r_: tensor<{r}xi32>,
             %c_: tensor<{c}xi32>, %l_: tensor<2xi64>, %m_: tensor<{p}xi1>, %a_: tensor<{p}xf32>) {{
  %o = fuse.cascade "test" dims [2, {rows}, {columns}, 2, 2] batch 1 stream 1
      ins(%q_, %k_, %v_, %r_, %c_, %l_, %m_, %a_ : tensor<{q}xf32>, tensor<{k}xf32>, tensor<{k}xf32>, tensor<{r}xi32>,
          tensor<{c}xi32>, tensor<2xi64>, tensor<{p}xi1>, tensor<{p}xf32>)
      at [affine_map<(b, m, n, d, e) -> (b * {rows} * 2 + m * 2 + d)>,
          affine_map<(b, m, n, d, e) -> (b * {columns} * 2 + n * 2 + d)>,
          affine_map<(b, m, n, d, e) -> (b * {columns} * 2 + n * 2 + e)>, affine_map<(b, m, n, d, e) -> (b * {rows} + m)>,
          affine_map<(b, m, n, d, e) -> (b * {columns} + n)>, affine_map<(b, m, n, d, e) -> (b)>,
          affine_map<(b, m, n, d, e) -> (m * {columns} + n)>, affine_map<(b, m, n, d, e) -> (m * {columns} + n)>]
      outs at [affine_map<(b, m, n, d, e) -> (b * {rows} * 2 + m * 2 + e)>] {{
  ^bb0(%qe: f32, %ke: f32, %ve: f32, %rid: i32, %cid: i32, %length: i64, %kept: i1, %bias: f32):
    %none = arith.constant 0xFF800000 : f32
    %low = arith.constant -1.0e9 : f32
    %zero = arith.constant 0.0 : f32
    %one = arith.constant 1.0 : f32
    %row_ = fuse.index affine_map<(b, m, n, d, e) -> (m)>
    %row = arith.index_cast %row_ : index to i64
    %column_ = fuse.index affine_map<(b, m, n, d, e) -> (n)>
    %column = arith.index_cast %column_ : index to i64
    %rl = arith.extsi %rid : i32 to i64
    %cl = arith.extsi %cid : i32 to i64
    %s = fuse.contract %qe, %ke over [3] : f32 -> f32
{mask}
    %max = fuse.reduce max %x over [2] : f32
    %nothing = arith.cmpf oeq, %max, %none : f32
    %shift = arith.select %nothing, %zero, %max : f32
    %d = arith.subf %x, %shift : f32
    %p = math.exp %d : f32
    %sum = fuse.reduce sum %p over [2] : f32
{weight}
    %acc = fuse.contract %w, %ve over [2] : f32 -> f32
    %o1 = arith.divf %acc, %sum : f32
    fuse.yield %o1 : f32
  }} -> tensor<{q}xf32>
  return
}}
)";

// Random bools of the plane, as lines of a body.
class MaskWriter {
 public:
  explicit MaskWriter(Draw& draw) : draw_(draw) {}
  std::string lines;

  std::string condition(int depth) {
    if (depth == 0 || draw_.below(4) == 0) return comparison();
    const std::string a = condition(depth - 1), b = condition(depth - 1);
    switch (draw_.below(5)) {
      case 0:
      case 1: return line("arith.andi {}, {} : i1", a, b);
      case 2: return line("arith.ori {}, {} : i1", a, b);
      case 3: return line("arith.xori {}, {} : i1", a, line("arith.constant true"));
      default: return line("arith.select {}, {}, {} : i1", comparison(), a, b);
    }
  }

  template <class... Parts> std::string line(std::string_view op, const Parts&... parts) {
    const std::string name = fmt::format("%v{}", count_++);
    lines += fmt::format("    {} = {}\n", name, fmt::vformat(op, fmt::make_format_args(parts...)));
    return name;
  }

 private:
  std::string comparison() {
    if (draw_.below(8) == 0) return "%kept";
    constexpr const char* order[] = {"slt", "sle", "sgt", "sge", "eq", "ne", "ult", "uge"};
    if (draw_.below(6) == 0) {  // as floats
      constexpr const char* real[] = {"olt", "ole", "ogt", "oge", "oeq", "une"};
      const std::string a = line("arith.sitofp {} : i64 to f32", number(1));
      const std::string b = line("arith.sitofp {} : i64 to f32", number(1));
      return line("arith.cmpf {}, {}, {} : f32", real[draw_.below(6)], a, b);
    }
    const std::string a = number(2), b = number(1);
    return line("arith.cmpi {}, {}, {} : i64", order[draw_.below(8)], a, b);
  }

  std::string number(int depth) {
    if (depth == 0 || draw_.below(3) == 0) {
      constexpr const char* sources[] = {"%row", "%column", "%row", "%column", "%rl", "%cl", "%length"};
      return draw_.below(5) == 0 ? constant(draw_.below(16) - 3) : sources[draw_.below(7)];
    }
    const std::string a = number(depth - 1);
    auto by = [&](const char* op, int64_t k) { return line("arith.{} {}, {} : i64", op, a, constant(k)); };
    switch (draw_.below(9)) {
      case 0: return by("addi", draw_.below(9) - 4);
      case 1:
      case 2: return line("arith.subi {}, {} : i64", a, number(depth - 1));
      case 3: return by("muli", draw_.below(5) - 2);
      case 4: return by("divsi", 1 + draw_.below(4));
      case 5: return by("remsi", 1 + draw_.below(4));
      case 6: return line("arith.select {}, {}, {} : i64", comparison(), a, number(depth - 1));
      case 7: return line("arith.extsi {} : i8 to i64", line("arith.trunci {} : i64 to i8", by("muli", 30)));
      default: return line("arith.{} {}, {} : i64", draw_.below(2) ? "minsi" : "maxsi", a, number(depth - 1));
    }
  }
  std::string constant(int64_t k) { return line("arith.constant {} : i64", k); }

  Draw& draw_;
  int count_ = 0;
};

struct Counts {
  int64_t all = 0, empty = 0, found_empty = 0, full = 0, found_full = 0;
};

class LivenessTest : public ::testing::Test {
 protected:
  LivenessTest() { ir::load_dialects(context_); }

  fuse::CascadeOp parse(int64_t rows, int64_t columns, const std::string& mask, const std::string& weight) {
    const std::string source =
        fmt::format(text, fmt::arg("q", 4 * rows), fmt::arg("k", 4 * columns), fmt::arg("r", 2 * rows),
                    fmt::arg("c", 2 * columns), fmt::arg("p", rows * columns), fmt::arg("rows", rows),
                    fmt::arg("columns", columns), fmt::arg("mask", mask), fmt::arg("weight", weight));
    mlir::ParserConfig unverified(&context_, /*verifyAfterParse=*/false);
    module_ = mlir::parseSourceString<mlir::ModuleOp>(source, unverified);
    if (!module_) throw std::invalid_argument(source);
    fuse::CascadeOp found;
    module_->walk([&](fuse::CascadeOp cascade) { found = cascade; });
    return found;
  }

  // Ids in runs, as documents have them; a mask that is a band, or a coin.
  static std::vector<Tensor> inputs(fuse::CascadeOp cascade, Draw& draw) {
    const int64_t columns = cascade.getDims()[2];
    const bool band = draw.below(2) == 0;
    const int64_t shift = draw.below(5) - 2;
    std::vector<Tensor> all;
    for (auto [i, value] : llvm::enumerate(cascade.getInputs())) {
      Tensor t = empty_tensor(value.getType());
      int64_t id = draw.below(3) - 1;
      for (int64_t j = 0; j < t.shape.numel(); ++j) {
        const int64_t m = j / columns, n = j % columns;
        if (i == 3 || i == 4) store_int(t.data->data(), t.dtype, j, id += draw.below(4) == 0);
        else if (i == 5) store_int(t.data->data(), t.dtype, j, draw.below(columns + 1));
        else if (i == 6) store_int(t.data->data(), t.dtype, j, band ? m + shift >= n : draw.below(4) != 0);
        else if (i == 7) store_double(t.data->data(), t.dtype, j, m + shift >= n ? 0.25 : -infinity);
        else store_double(t.data->data(), t.dtype, j, draw.uniform(-1, 1));
      }
      all.push_back(t);
    }
    return all;
  }

  // The neutral element of what `op` combines over the stream; nothing for other ops.
  static std::optional<double> neutral_of(mlir::Operation& op, const fuse::BodyDims& dims) {
    if (auto reduce = llvm::dyn_cast<fuse::ReduceOp>(op))
      return reduce.getKind() == fuse::ReduceKind::max ? -infinity : 0.0;
    if (llvm::isa<fuse::ContractOp>(op) && (dims.of(op.getResult(0)) & 4) == 0) return 0.0;
    return {};
  }

  // Every block of a random cut.
  void check(fuse::CascadeOp cascade, Draw& draw, Counts& counts) {
    const std::vector<Tensor> in = inputs(cascade, draw);
    std::vector<void*> data;
    for (const Tensor& t : in) data.push_back(t.data->data());
    BodyRun run(cascade, in);
    run.run();
    const ir::FoundLiveness found = ir::find_liveness(cascade);
    mlir::Block& body = cascade.getBody().front();
    const fuse::BodyDims dims(body, cascade.getInMaps());
    const int64_t rows = cascade.getDims()[1], columns = cascade.getDims()[2];
    const int64_t high = 1 + draw.below(5), wide = 1 + draw.below(5);
    const Values& largest = run.of((*body.getOps<fuse::ReduceOp>().begin()).getResult());
    for (int64_t b = 0; b < 2; ++b) {
      std::vector<float> maxima;
      for (int64_t i = 0; i < rows; ++i)
        maxima.push_back(static_cast<float>(largest.real[position(largest, Point{b, i, 0, 0, 0})]));
      void* statistics[] = {maxima.data()};
      for (int64_t m = 0; m < rows; m += high)
        for (int64_t n = 0; n < columns; n += wide) {
          const ir::Interval block[] = {
              {b, b}, {m, std::min(m + high, rows) - 1}, {n, std::min(n + wide, columns) - 1}};
          bool empty = true, full = true;
          for (int64_t i = block[1].low; i <= block[1].high; ++i)
            for (int64_t j = block[2].low; j <= block[2].high; ++j) {
              const Point at{b, i, j, 0, 0};
              for (mlir::Operation& op : body)
                if (const auto neutral = neutral_of(op, dims)) {
                  const Values& x = run.of(op.getOperand(0));
                  const double value = x.real[position(x, at)];
                  // What is less than a maximum is none, so long as another one is there: its block is not this one.
                  const bool is_below =
                      *neutral == -infinity && value <= -1e4 && value + 2048 <= maxima[static_cast<size_t>(i)];
                  empty &= value == *neutral || is_below;
                }
              for (auto [condition, side] : found.conditions) {
                const Values& x = run.of(condition);
                full &= (x.whole[position(x, at)] != 0) == side;
              }
            }
          const ir::BlockState state = ir::state_of(found.blocks, block, {data.data(), statistics});
          ++counts.all;
          counts.empty += empty;
          if (found.conditions.empty()) full = false;
          counts.full += full && !empty;
          if (state == ir::BlockState::empty) {
            ASSERT_TRUE(empty) << "rows " << m << ", columns " << n;
            ++counts.found_empty;
          }
          if (state == ir::BlockState::full) {
            ASSERT_TRUE(full) << "rows " << m << ", columns " << n;
            counts.found_full += !empty;
          }
        }
    }
  }

  static void print(const char* what, const Counts& c) {
    auto share = [](int64_t part, int64_t of) {
      return of ? 100.0 * static_cast<double>(part) / static_cast<double>(of) : 100.0;
    };
    std::printf("%s: %lld blocks; empty %lld, found %.1f %%; full %lld, found %.1f %%\n", what,
                static_cast<long long>(c.all), static_cast<long long>(c.empty), share(c.found_empty, c.empty),
                static_cast<long long>(c.full), share(c.found_full, c.full));
  }

  // What users write: all that is empty is found.
  void finds_all(const char* what, const std::string& mask) {
    Counts counts;
    for (uint64_t seed = 0; seed < 50; ++seed) {
      Draw draw(seed);
      fuse::CascadeOp cascade = parse(1 + draw.below(14), 1 + draw.below(14), mask + chosen, same_weight);
      check(cascade, draw, counts);
      if (HasFatalFailure()) return;
    }
    print(what, counts);
    EXPECT_GT(counts.empty, 0);
    EXPECT_EQ(counts.found_empty, counts.empty);
    EXPECT_EQ(counts.found_full, counts.full);
  }

  const std::string chosen = "    %x = arith.select %seen, %s, %none : f32\n";
  const std::string same_weight = "    %w = arith.mulf %p, %one : f32\n";
  mlir::MLIRContext context_{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module_;
};

TEST_F(LivenessTest, RandomMasksAreSound) {
  Counts counts;
  const uint64_t masks = 4000;
  for (uint64_t seed = 0; seed < masks; ++seed) {
    Draw draw(seed);
    MaskWriter writer(draw);
    const std::string seen = writer.condition(3);
    std::string mask = writer.lines, weight = same_weight;
    switch (draw.below(6)) {
      case 0: mask += fmt::format("    %x = arith.select {}, %none, %s : f32\n", seen); break;
      case 1:
        mask += fmt::format("    %fill = arith.select {}, %zero, %none : f32\n", seen) +
                "    %x = arith.addf %s, %fill : f32\n";
        break;
      case 2:  // of the weights behind the softmax: the statistics see all
        mask += "    %x = arith.addf %s, %bias : f32\n";
        weight =
            fmt::format("    %keeps = arith.uitofp {} : i1 to f32\n", seen) + "    %w = arith.mulf %p, %keeps : f32\n";
        break;
      case 3:
        mask +=
            fmt::format("    %y = arith.select {}, %s, %none : f32\n", seen) + "    %x = arith.addf %y, %bias : f32\n";
        break;
      default: mask += fmt::format("    %x = arith.select {}, %s, %none : f32\n", seen);
    }
    SCOPED_TRACE(fmt::format("seed {}\n{}", seed, mask));
    check(parse(1 + draw.below(12), 1 + draw.below(12), mask, weight), draw, counts);
    if (HasFatalFailure()) return;
  }
  print("random masks", counts);
  EXPECT_GT(counts.found_empty * 2, counts.empty);
  EXPECT_GT(counts.found_full * 2, counts.full);
}

TEST_F(LivenessTest, FindsAllOfCommonMasks) {
  finds_all("causal", "    %seen = arith.cmpi sge, %row, %column : i64\n");
  finds_all("window", R"(
    %back = arith.subi %row, %column : i64
    %four = arith.constant 4 : i64
    %nil = arith.constant 0 : i64
    %late = arith.cmpi sge, %back, %nil : i64
    %near = arith.cmpi slt, %back, %four : i64
    %seen = arith.andi %late, %near : i1
)");
  finds_all("prefix", R"(
    %late = arith.cmpi sge, %row, %column : i64
    %three = arith.constant 3 : i64
    %early = arith.cmpi slt, %column, %three : i64
    %seen = arith.ori %late, %early : i1
)");
  finds_all("lengths", "    %seen = arith.cmpi slt, %column, %length : i64\n");
  finds_all("a mask in memory", "    %seen = arith.andi %kept, %kept : i1\n");
  finds_all("causal in floats", R"(
    %rf = arith.sitofp %row : i64 to f32
    %cf = arith.sitofp %column : i64 to f32
    %seen = arith.cmpf oge, %rf, %cf : f32
)");
}

// Ids that grow: a block whose intervals of ids meet may still share none.
TEST_F(LivenessTest, FindsMostOfDocuments) {
  Counts counts;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Draw draw(seed);
    check(parse(14, 14, "    %seen = arith.cmpi eq, %rid, %cid : i32\n" + chosen, same_weight), draw, counts);
    if (HasFatalFailure()) return;
  }
  print("documents", counts);
  EXPECT_GT(counts.found_empty, counts.empty * 9 / 10);
}

// −10⁹ is a number: it hides where the maximum of the row is far above it, and all of a row that sees nothing weighs alike.
TEST_F(LivenessTest, FiniteFillsHideFarBelowTheMaximum) {
  for (const char* seen : {"arith.cmpi sge, %row, %column : i64", "arith.cmpi slt, %column, %length : i64",
                           "arith.cmpi eq, %rl, %cl : i64"}) {
    Counts counts;
    for (uint64_t seed = 0; seed < 50; ++seed) {
      Draw draw(seed);
      check(parse(12, 12, std::string("    %seen = ") + seen + "\n    %x = arith.select %seen, %s, %low : f32\n",
                  same_weight),
            draw, counts);
      ASSERT_FALSE(HasFatalFailure());
    }
    print(seen, counts);
    EXPECT_GT(counts.empty, 0);
    EXPECT_GT(counts.found_empty, counts.empty * 9 / 10);
  }
}

TEST_F(LivenessTest, NothingToSkipWithoutMasks) {
  fuse::CascadeOp cascade = parse(12, 12, "    %x = arith.mulf %s, %one : f32\n", same_weight);
  const ir::FoundLiveness found = ir::find_liveness(cascade);
  EXPECT_EQ(found.blocks.empty, -1);
  EXPECT_EQ(found.blocks.full, -1);
  EXPECT_TRUE(found.blocks.nodes.empty());
}

// Arithmetic that wraps in its type is no interval of its own.
TEST_F(LivenessTest, WrappedNumbersAreUnknown) {
  Counts counts;
  Draw draw(3);
  check(parse(12, 12, R"(
    %much = arith.constant 2147483640 : i32
    %r32 = arith.trunci %row : i64 to i32
    %c32 = arith.trunci %column : i64 to i32
    %sum32 = arith.addi %r32, %much : i32
    %seen = arith.cmpi sge, %sum32, %c32 : i32
)" + chosen,
              same_weight),
        draw, counts);
  EXPECT_GT(counts.empty, 0);  // rows 8 and on have wrapped
}

}  // namespace
}  // namespace tessera::testing
