// repair() on cascades by definition. Where it succeeds, streaming the result part by part must give what the original
// says; the families of compiler practice must succeed, and what cannot be repaired must be named.

#include <cmath>
#include <limits>
#include <regex>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"

#include <tessera/core/convert.h>
#include <tessera/ir/compile_ir.h>
#include <tessera/ir/plane/repair.h>

#include "tests/ir/fuse_laws.h"
#include "tests/ir/fuse_rolling.h"

namespace tessera::testing {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Two batches of 3 rows over 11 columns: scores of depth 4, values of 5 columns, a row vector, a column vector, a mask.
constexpr std::string_view text = R"(
#q = affine_map<(b, m, n, d, e) -> (b * 12 + m * 4 + d)>
#k = affine_map<(b, m, n, d, e) -> (b * 44 + n * 4 + d)>
#v = affine_map<(b, m, n, d, e) -> (b * 55 + n * 5 + e)>
#row = affine_map<(b, m, n, d, e) -> (b * 3 + m)>
#column = affine_map<(b, m, n, d, e) -> (b * 11 + n)>
#plane = affine_map<(b, m, n, d, e) -> (b * 33 + m * 11 + n)>
#o = affine_map<(b, m, n, d, e) -> (b * 15 + m * 5 + e)>
#table = affine_map<(b, m, n, d, e) -> (b * 5 + e)>
func.func @f(%q_: tensor<2x3x4xf64>, %k_: tensor<2x11x4xf64>, %v_: tensor<2x11x5xf64>, %w_: tensor<2x3xf64>,
             %c_: tensor<2x11xf64>, %kept_: tensor<2x3x11xi1>) {{
  %r:{0} = fuse.cascade "test" dims [2, 3, 11, 4, 5] batch 1 stream 1
      ins(%q_, %k_, %v_, %w_, %c_, %kept_ : tensor<2x3x4xf64>, tensor<2x11x4xf64>, tensor<2x11x5xf64>, tensor<2x3xf64>,
          tensor<2x11xf64>, tensor<2x3x11xi1>) at [#q, #k, #v, #row, #column, #plane] outs at [{1}] {{
  ^bb0(%qe: f64, %ke: f64, %ve: f64, %we: f64, %ce: f64, %kept: i1):
    %none = arith.constant 0xFFF0000000000000 : f64
    %zero = arith.constant 0.0 : f64
    %half = arith.constant 0.5 : f64
    %two = arith.constant 2.0 : f64
    %s = fuse.contract %qe, %ke over [3] : f64 -> f64
{2}
  }} -> {3}
  return
}}
)";

// Results by the name of what is yielded: %o… has columns, %p… is of the plane, %t… a table, others are of the row.
std::string cascade_text(const std::string& body, const std::vector<std::string>& yielded) {
  std::string maps, types, values, element_types;
  for (const std::string& name : yielded) {
    const std::string_view comma = maps.empty() ? "" : ", ";
    const char kind = name[1];
    maps += fmt::format("{}#{}", comma, kind == 'o' ? "o" : kind == 'p' ? "plane" : kind == 't' ? "table" : "row");
    types += fmt::format("{}tensor<2{}xf64>", comma,
                         kind == 'o'   ? "x3x5"
                         : kind == 'p' ? "x3x11"
                         : kind == 't' ? "x5"
                                       : "x3");
    values += fmt::format("{}{}", comma, name);
    element_types += fmt::format("{}f64", comma);
  }
  return fmt::format(text, yielded.size(), maps, body + fmt::format("\n    fuse.yield {} : {}", values, element_types),
                     types);
}

class Repair : public ::testing::Test {
 protected:
  Repair() { ir::load_dialects(context_); }

  template <class Op> static std::string print(Op op) {
    std::string out;
    llvm::raw_string_ostream stream(out);
    op->print(stream, mlir::OpPrintingFlags().assumeVerified());
    return std::regex_replace(out, std::regex("reduce  "), "reduce ");
  }
  std::string printed() { return print(*module_); }

  fuse::CascadeOp parse(const std::string& source) {
    mlir::ParserConfig unverified(&context_, /*verifyAfterParse=*/false);
    module_ = mlir::parseSourceString<mlir::ModuleOp>(source, unverified);
    if (!module_) throw std::invalid_argument(source);
    fuse::CascadeOp found;
    module_->walk([&](fuse::CascadeOp cascade) { found = cascade; });
    return found;
  }

  static std::vector<Tensor> inputs(fuse::CascadeOp cascade, Draw& draw, double scale, bool empty_row) {
    std::vector<Tensor> all;
    for (auto [i, value] : llvm::enumerate(cascade.getInputs())) {
      Tensor t = empty_tensor(value.getType());
      for (int64_t j = 0; j < t.shape.numel(); ++j) {
        if (t.dtype == boolean) store_int(t.data->data(), t.dtype, j, draw.below(3) > 0 && !(empty_row && j < 11));
        else store_double(t.data->data(), t.dtype, j, draw.uniform(-1, 1) * (i == 0 ? scale : 1));
      }
      all.push_back(t);
    }
    return all;
  }

  static std::string difference(const std::vector<Tensor>& got, const std::vector<Tensor>& want, double tolerance) {
    for (size_t k = 0; k < want.size(); ++k)
      for (int64_t i = 0; i < want[k].shape.numel(); ++i) {
        const double x = load_double(got[k].data->data(), f64, i), y = load_double(want[k].data->data(), f64, i);
        if ((std::isnan(x) && std::isnan(y)) || x == y) continue;
        if (!(std::fabs(x - y) <= tolerance * (1 + std::fabs(y))))
          return fmt::format("result {} at {}: {} instead of {}", k, i, x, y);
      }
    return "";
  }

  // Repairs the cascade and compares, for small and large scores and with rows that a mask leaves empty.
  void check(const std::string& source, uint64_t seed = 1, double tolerance = 1e-11) {
    fuse::CascadeOp asked = parse(source);
    auto original = mlir::OwningOpRef<mlir::ModuleOp>(module_->clone());
    fuse::CascadeOp definition;
    original->walk([&](fuse::CascadeOp cascade) { definition = cascade; });
    ir::RepairSteps steps;
    const auto failed = ir::repair(asked, steps);
    ASSERT_FALSE(failed.has_value()) << failed->why << "\n" << source;
    ASSERT_TRUE(mlir::succeeded(mlir::verify(*module_))) << printed();
    Draw draw(seed);
    int points = 0;
    ASSERT_EQ(broken_law(asked, draw, std::max(tolerance, 1e-9), points), "") << source << printed();
    points_ += points;
    for (const double scale : {1.0, 40.0})
      for (const bool empty_row : {false, true}) {
        const std::vector<Tensor> in = inputs(asked, draw, scale, empty_row);
        const std::vector<Tensor> want = run_by_definition(definition, in);
        ASSERT_EQ(difference(run_by_definition(asked, in), want, tolerance), "") << source << printed();
        ASSERT_EQ(difference(run_rolling(asked, in, draw), want, tolerance), "") << source << printed();
        ASSERT_EQ(difference(run_merged(asked, in, draw), want, tolerance), "") << source << printed();
      }
  }
  void check(const std::string& body, const std::vector<std::string>& yielded) { check(cascade_text(body, yielded)); }

  // Repair declines, names the pair by the names of ops, and changes nothing.
  void declines(const std::string& body, const std::vector<std::string>& yielded, std::string_view accumulation,
                std::string_view statistic, std::string_view why) {
    fuse::CascadeOp cascade = parse(cascade_text(body, yielded));
    const std::string before = printed();
    ir::RepairSteps steps;
    const auto failed = ir::repair(cascade, steps);
    ASSERT_TRUE(failed.has_value()) << printed();
    EXPECT_THAT(failed->why, ::testing::HasSubstr(std::string(why)));
    EXPECT_EQ(failed->accumulation->getBlock(), &cascade.getBody().front());
    EXPECT_THAT(print(failed->accumulation), ::testing::HasSubstr(std::string(accumulation)));
    EXPECT_THAT(print(failed->statistic), ::testing::HasSubstr(std::string(statistic)));
    EXPECT_EQ(printed(), before);
  }

  int64_t count(std::string_view what) {
    const std::string all = printed();
    int64_t n = 0;
    for (size_t at = all.find(what); at != std::string::npos; at = all.find(what, at + 1)) ++n;
    return n;
  }

  mlir::MLIRContext context_{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module_;
  int points_ = 0;  // where a law of a repair was seen to hold
};

// M, its guard, e = exp(x − M) and L for scores %x.
const std::string softmax_of_x = R"(
    %max = fuse.reduce max %x over [2] : f64
    %nothing = arith.cmpf oeq, %max, %none : f64
    %shift = arith.select %nothing, %zero, %max : f64
    %d = arith.subf %x, %shift : f64
    %e = math.exp %d : f64
    %sum = fuse.reduce sum %e over [2] : f64
)";
const std::string masked = "    %x = arith.select %kept, %s, %none : f64\n";
const std::string weights = softmax_of_x + R"(
    %one = arith.constant 1.0 : f64
    %divisor = arith.select %nothing, %one, %sum : f64
    %w = arith.divf %e, %divisor : f64
)";

TEST_F(Repair, Attention) {
  check(masked + weights + "    %o = fuse.contract %w, %ve over [2] : f64 -> f64", {"%o", "%max", "%sum"});
  EXPECT_EQ(count("fuse.repair"), 2);  // of the sum and of the product, by the maximum
  EXPECT_EQ(count("math.exp "), 3);    // one on the plane
}

TEST_F(Repair, WithoutAGuardEmptyRowsStayNaN) {
  check(masked + R"(
    %max = fuse.reduce max %x over [2] : f64
    %d = arith.subf %x, %max : f64
    %e = math.exp %d : f64
    %sum = fuse.reduce sum %e over [2] : f64
    %w = arith.divf %e, %sum : f64
    %o = fuse.contract %w, %ve over [2] : f64 -> f64)",
        {"%o", "%sum"});
}

TEST_F(Repair, Logsumexp) {
  check(masked + softmax_of_x + "    %log = math.log %sum : f64\n    %lse = arith.addf %shift, %log : f64", {"%lse"});
}

// The sum of the weights and that of the logsumexp are written apart, become one, and move once.
TEST_F(Repair, WeightsWithOneMoreBesideTheLogsumexp) {
  check("    %x = arith.mulf %s, %half : f64\n" + softmax_of_x + R"(
    %log = math.log %sum : f64
    %lse = arith.addf %shift, %log : f64
    %d2 = arith.subf %x, %max : f64
    %e2 = math.exp %d2 : f64
    %sum2 = fuse.reduce sum %e2 over [2] : f64
    %one = arith.constant 1.0 : f64
    %divisor = arith.addf %sum2, %one : f64
    %w = arith.divf %e2, %divisor : f64
    %o = fuse.contract %w, %ve over [2] : f64 -> f64)",
        {"%lse", "%o"});
  EXPECT_EQ(count("fuse.reduce sum"), 1);
  EXPECT_EQ(count("fuse.repair"), 2);
}

TEST_F(Repair, Exp2WithFoldedScale) {
  check(R"(
    %scale = arith.constant 0.7213475204444817 : f64
    %x = arith.select %kept, %s, %none : f64
    %y = arith.mulf %x, %scale : f64
    %max = fuse.reduce max %x over [2] : f64
    %nothing = arith.cmpf oeq, %max, %none : f64
    %shift = arith.select %nothing, %zero, %max : f64
    %z = arith.mulf %shift, %scale : f64
    %d = arith.subf %y, %z : f64
    %e = math.exp2 %d : f64
    %sum = fuse.reduce sum %e over [2] : f64
    %w = arith.divf %e, %sum : f64
    %o = fuse.contract %w, %ve over [2] : f64 -> f64)",
        {"%o"});
  EXPECT_EQ(count("fuse.reduce max"), 1);
}

TEST_F(Repair, DropoutAndMasksAfterTheWeights) {
  check(masked + weights + R"(
    %scaled = arith.mulf %w, %two : f64
    %dropped = arith.select %kept, %scaled, %zero : f64
    %negative = arith.negf %dropped : f64
    %o = fuse.contract %negative, %ve over [2] : f64 -> f64)",
        {"%o"});
}

TEST_F(Repair, SumOfSquaresScaledByTheLargest) {
  check(R"(
    %x = arith.select %kept, %s, %zero : f64
    %size = math.absf %x : f64
    %largest = fuse.reduce max %size over [2] : f64
    %t = arith.divf %x, %largest : f64
    %t2 = arith.mulf %t, %t : f64
    %sum = fuse.reduce sum %t2 over [2] : f64
    %root = math.sqrt %sum : f64
    %norm = arith.mulf %root, %largest : f64)",
        {"%sum", "%norm"});
  EXPECT_EQ(count("fuse.repair"), 1);
}

TEST_F(Repair, LargestWithAFloor) {
  check(R"(
    %floor = arith.constant 1.0e-6 : f64
    %size = math.absf %s : f64
    %largest = fuse.reduce max %size over [2] : f64
    %by = arith.maximumf %largest, %floor : f64
    %t = arith.divf %s, %by : f64
    %three = arith.constant 3.0 : f64
    %t3 = math.powf %t, %three : f64
    %o = fuse.contract %t3, %ve over [2] : f64 -> f64)",
        {"%o"});
  EXPECT_EQ(count("fuse.repair"), 1);
}

TEST_F(Repair, RangeAfterCentring) {
  check(R"(
    %sum = fuse.reduce sum %s over [2] : f64
    %max = fuse.reduce max %s over [2] : f64
    %by = arith.addf %sum, %max : f64
    %d = arith.subf %s, %by : f64
    %high = fuse.reduce max %d over [2] : f64
    %turned = arith.negf %d : f64
    %low = fuse.reduce max %turned over [2] : f64
    %range = arith.addf %high, %low : f64)",
        {"%range"});
  EXPECT_EQ(count("fuse.repair"), 0);
}

TEST_F(Repair, LargestWeight) {
  check("    %x = arith.addf %s, %ce : f64\n" + weights +
            "    %most = fuse.reduce max %w over [2] : f64\n    %least = fuse.reduce min %w over [2] : f64",
        {"%most", "%least"});
}

TEST_F(Repair, LinearAttention) {
  check(R"(
    %f = math.exp %s : f64
    %sum = fuse.reduce sum %f over [2] : f64
    %by = arith.addf %sum, %half : f64
    %w = arith.divf %f, %by : f64
    %o = fuse.contract %w, %ve over [2] : f64 -> f64)",
        {"%o"});
  EXPECT_EQ(count("fuse.repair"), 0);
}

TEST_F(Repair, Entropy) {
  check("    %x = arith.mulf %s, %half : f64\n" + softmax_of_x + R"(
    %xe = arith.mulf %x, %e : f64
    %first = fuse.reduce sum %xe over [2] : f64
    %mean = arith.divf %first, %sum : f64
    %log = math.log %sum : f64
    %lse = arith.addf %shift, %log : f64
    %entropy = arith.subf %lse, %mean : f64)",
        {"%entropy"});
}

TEST_F(Repair, StatisticsOfStatistics) {
  check("    %x = arith.mulf %s, %half : f64\n" + weights + R"(
    %w2 = arith.mulf %w, %w : f64
    %collision = fuse.reduce sum %w2 over [2] : f64
    %ratio = arith.divf %w2, %collision : f64
    %o = fuse.contract %ratio, %ve over [2] : f64 -> f64)",
        {"%collision", "%o"});
}

TEST_F(Repair, WeightsFromTheLogsumexp) {
  check(masked + softmax_of_x + R"(
    %log = math.log %sum : f64
    %lse = arith.addf %shift, %log : f64
    %y = arith.subf %x, %lse : f64
    %w = math.exp %y : f64
    %o = fuse.contract %w, %ve over [2] : f64 -> f64)",
        {"%o"});
  EXPECT_EQ(count("fuse.reduce max"), 1);
}

TEST_F(Repair, SinkBesideTheScores) {
  check(masked + R"(
    %max = fuse.reduce max %x over [2] : f64
    %top = arith.maximumf %max, %we : f64
    %d = arith.subf %x, %top : f64
    %e = math.exp %d : f64
    %sum = fuse.reduce sum %e over [2] : f64
    %rest = arith.subf %we, %top : f64
    %sink = math.exp %rest : f64
    %all = arith.addf %sum, %sink : f64
    %w = arith.divf %e, %all : f64
    %o = fuse.contract %w, %ve over [2] : f64 -> f64)",
        {"%o"});
  EXPECT_EQ(count("fuse.reduce max"), 1);
}

TEST_F(Repair, ExponentWithoutItsMaximumGetsOne) {
  check(R"(
    %sum = fuse.reduce sum %s over [2] : f64
    %d = arith.subf %s, %sum : f64
    %e = math.exp %d : f64
    %total = fuse.reduce sum %e over [2] : f64
    %log = math.log %total : f64)",
        {"%log"});
  EXPECT_EQ(count("fuse.reduce max"), 1);
}

TEST_F(Repair, MinimumOfTheNegative) {
  check(R"(
    %infinite = arith.constant 0x7FF0000000000000 : f64
    %x = arith.select %kept, %s, %infinite : f64
    %min = fuse.reduce min %x over [2] : f64
    %nothing = arith.cmpf oeq, %min, %infinite : f64
    %shift = arith.select %nothing, %zero, %min : f64
    %d = arith.subf %shift, %x : f64
    %e = math.exp %d : f64
    %sum = fuse.reduce sum %e over [2] : f64
    %w = arith.divf %e, %sum : f64
    %o = fuse.contract %w, %ve over [2] : f64 -> f64)",
        {"%o"});
  EXPECT_EQ(count("fuse.reduce max"), 0);
}

TEST_F(Repair, DifferenceOfTwoWeights) {
  check("    %x = arith.mulf %s, %half : f64\n" + weights + R"(
    %u = arith.mulf %e, %ce : f64
    %v = arith.subf %e, %u : f64
    %o = fuse.contract %v, %ve over [2] : f64 -> f64)",
        {"%o"});
}

// The gradient of a softmax: what its rows have in common is a sum of the same sweep, and comes out as a second product.
TEST_F(Repair, GradientOfWeightsInOneSweep) {
  check(R"(
    %p = arith.select %kept, %s, %zero : f64
    %y = arith.addf %s, %ce : f64
    %py = arith.mulf %p, %y : f64
    %sum = fuse.reduce sum %py over [2] : f64
    %centred = arith.subf %y, %sum : f64
    %g = arith.mulf %p, %centred : f64
    %more = arith.addf %g, %py : f64
    %scaled = arith.mulf %more, %half : f64
    %o = fuse.contract %scaled, %ve over [2] : f64 -> f64)",
        {"%o", "%sum"});
  EXPECT_EQ(count("fuse.contract"), 3);  // scores, Σ p y v, which is there twice, and Σ p v
}

// Rounding what is left of a difference is not rounding its parts.
TEST_F(Repair, DeclinesPartsOfARoundedDifference) {
  declines(R"(
    %p = arith.mulf %s, %ce : f64
    %sum = fuse.reduce sum %p over [2] : f64
    %centred = arith.subf %s, %sum : f64
    %g = arith.mulf %p, %centred : f64
    %t = arith.truncf %g : f64 to f32
    %u = arith.extf %t : f32 to f64
    %o = fuse.contract %u, %ve over [2] : f64 -> f64)",
           {"%o"}, "fuse.contract", "fuse.reduce sum", "arith.subf mixes");
}

// The factor of the row is taken out from behind a cast: either way each weight is rounded once.
TEST_F(Repair, PullsFactorsThroughARoundingCast) {
  check(cascade_text(masked + weights + R"(
    %t = arith.truncf %w : f64 to f32
    %u = arith.extf %t : f32 to f64
    %o = fuse.contract %u, %ve over [2] : f64 -> f64)",
                     {"%o", "%max", "%sum"}),
        1, 1e-6);
  EXPECT_EQ(count("fuse.repair"), 2);
}

// What is no weight may leave the range of the narrower type when it loses its factor.
TEST_F(Repair, DeclinesACastThatMayOverflow) {
  declines("    %x = arith.mulf %s, %half : f64\n" + weights + R"(
    %y = arith.mulf %w, %s : f64
    %t = arith.truncf %y : f64 to f32
    %u = arith.extf %t : f32 to f64
    %o = fuse.contract %u, %ve over [2] : f64 -> f64)",
           {"%o"}, "fuse.contract", "fuse.reduce sum", "rounds");
}

TEST_F(Repair, DeclinesWhatMixes) {
  declines(R"(
    %max = fuse.reduce max %s over [2] : f64
    %d = arith.subf %s, %max : f64
    %t = math.tanh %d : f64
    %sum = fuse.reduce sum %t over [2] : f64)",
           {"%sum"}, "fuse.reduce sum", "fuse.reduce max", "math.tanh mixes");
  declines(R"(
    %sum = fuse.reduce sum %s over [2] : f64
    %d = arith.subf %s, %sum : f64
    %d2 = arith.mulf %d, %d : f64
    %o = fuse.contract %d2, %ve over [2] : f64 -> f64)",
           {"%o"}, "fuse.contract", "fuse.reduce sum", "arith.subf mixes");
  declines(R"(
    %max = fuse.reduce max %s over [2] : f64
    %top = arith.cmpf oeq, %s, %max : f64
    %one = arith.constant 1.0 : f64
    %hit = arith.select %top, %one, %zero : f64
    %sum = fuse.reduce sum %hit over [2] : f64)",
           {"%sum"}, "fuse.reduce sum", "fuse.reduce max", "arith.select mixes");
  // A filled place does not move with the maximum.
  declines(R"(
    %far = arith.constant -1.0e9 : f64
    %max = fuse.reduce max %s over [2] : f64
    %d = arith.subf %s, %max : f64
    %y = arith.select %kept, %d, %far : f64
    %e = math.exp %y : f64
    %sum = fuse.reduce sum %e over [2] : f64)",
           {"%sum"}, "fuse.reduce sum", "fuse.reduce max", "arith.select mixes");
}

TEST_F(Repair, DeclinesAnOrderOfUnknownSign) {
  declines(R"(
    %sum = fuse.reduce sum %s over [2] : f64
    %y = arith.divf %s, %sum : f64
    %max = fuse.reduce max %y over [2] : f64)",
           {"%max"}, "fuse.reduce max", "fuse.reduce sum", "sign");
}

TEST_F(Repair, DeclinesWeightsThatAreAskedFor) {
  declines("    %x = arith.mulf %s, %half : f64\n" + weights + "    %p = arith.mulf %w, %two : f64", {"%p"},
           "fuse.yield", "fuse.reduce sum", "every point");
}

const std::string into_table = R"(
    %far = fuse.index affine_map<(b, m, n, d, e) -> (m + n - 4)>
    %table = fuse.scatter_add %y at %far of 4 over [1, 2] : f64
)";

// Parts of the stream add to a table what they would add together; an index outside counts nowhere.
TEST_F(Repair, TableBesideWeights) {
  check("    %x = arith.mulf %s, %half : f64\n" + weights + "    %o = fuse.contract %w, %ve over [2] : f64 -> f64\n" +
            "    %y = arith.mulf %s, %we : f64" + into_table,
        {"%o", "%table"});
}

TEST_F(Repair, DeclinesATableOfWeights) {
  declines("    %x = arith.mulf %s, %half : f64\n" + weights + "    %y = arith.mulf %w, %two : f64" + into_table,
           {"%table"}, "fuse.scatter_add", "fuse.reduce sum", "each point that goes into a table");
}

// Random products of what repair knows, over random chains of statistics.
class Grammar {
 public:
  explicit Grammar(uint64_t seed) : draw_(seed) {}

  std::string cascade() {
    const std::string x = exponent();
    std::string max = line("fuse.reduce max {} over [2] : f64", x);
    const std::string nothing = line("arith.cmpf oeq, {}, %none : f64", max);
    late_.push_back(guard_ = line("arith.select {}, %zero, {} : f64", nothing, max));
    x_ = x;
    std::vector<std::string> yielded;
    for (int64_t i = 0, n = 1 + draw_.below(3); i < n; ++i) {
      const std::string sum = line("fuse.reduce sum {} over [2] : f64", product(1 + draw_.below(3)));
      yielded.push_back(sum);
      const std::string size = line("math.absf {} : f64", sum);
      late_.push_back(line("arith.addf {}, %half : f64", size));
    }
    const std::string o = "%o" + std::to_string(next_++);
    body_ += fmt::format("    {} = fuse.contract {}, %ve over [2] : f64 -> f64\n", o, product(1 + draw_.below(4)));
    yielded.push_back(o);
    return cascade_text(body_, yielded);
  }

 private:
  template <class... Args> std::string line(fmt::format_string<Args...> op, Args&&... args) {
    const std::string name = "%r" + std::to_string(next_++);
    body_ += fmt::format("    {} = {}\n", name, fmt::format(op, std::forward<Args>(args)...));
    return name;
  }
  bool coin() { return draw_.below(2) == 0; }
  double number() { return std::ldexp(static_cast<double>(1 + draw_.below(7)), -2); }
  std::string constant(double x) { return line("arith.constant {:e} : f64", x); }

  // A value of the plane that waits for nothing.
  std::string plain() {
    switch (draw_.below(5)) {
      case 0: return line("arith.mulf %s, {} : f64", constant(number()));
      case 1: return line("arith.addf %s, %ce : f64");
      case 2: return line("math.tanh %s : f64");
      case 3: return line("arith.mulf %s, %we : f64");
      default: return "%s";
    }
  }
  std::string exponent() { return coin() ? line("arith.select %kept, {}, %none : f64", plain()) : plain(); }

  std::string atom() {
    switch (draw_.below(6)) {
      case 0: {  // exp(c (x − shift))
        const std::string d = line("arith.subf {}, {} : f64", x_, guard_);
        const std::string scaled = coin() ? d : line("arith.mulf {}, {} : f64", d, constant(number()));
        return coin() ? line("math.exp {} : f64", scaled) : line("math.exp2 {} : f64", scaled);
      }
      case 1: {  // exp of another value, relative to any statistic
        const std::string d = line("arith.subf {}, {} : f64", plain(), late());
        return line("math.exp {} : f64", d);
      }
      case 2: return line("arith.divf {}, {} : f64", plain(), late_.size() > 1 ? late_.back() : "%two");
      case 3: return line("arith.mulf {}, {} : f64", late(), plain());
      default: return plain();
    }
  }
  std::string late() { return late_[static_cast<size_t>(draw_.below(static_cast<int64_t>(late_.size())))]; }

  std::string product(int64_t factors) {
    std::string all = atom();
    for (int64_t i = 1; i < factors; ++i) all = line("arith.mulf {}, {} : f64", all, atom());
    if (coin()) all = line("arith.select %kept, {}, %zero : f64", all);
    if (coin()) all = line("arith.negf {} : f64", all);
    if (draw_.below(4) == 0) all = line("math.powf {}, %two : f64", all);
    return all;
  }

  Draw draw_;
  int next_ = 0;
  std::string body_, x_, guard_;
  std::vector<std::string> late_;
};

TEST_F(Repair, RandomProducts) {
  for (uint64_t seed = 1; seed <= 100 && !HasFatalFailure(); ++seed) check(Grammar(seed).cascade(), seed, 1e-9);
  EXPECT_GE(points_, 2000);
}

}  // namespace
}  // namespace tessera::testing
