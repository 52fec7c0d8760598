// normalize_body() on random bodies: every point keeps its value, and a second time changes nothing.

#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"

#include <tessera/core/convert.h>
#include <tessera/ir/compile_ir.h>
#include <tessera/ir/plane/normalize_body.h>

#include "tests/ir/fuse_body.h"
#include "tests/support/host_data.h"

namespace tessera::testing {
namespace {

constexpr std::string_view text = R"(
func.func @f(%q_: tensor<2x3x4xf64>, %k_: tensor<2x11x4xf64>, %w_: tensor<2x3xf64>, %c_: tensor<2x11xf64>,
             %kept_: tensor<2x3x11xi1>) {{
  %r = fuse.cascade "test" dims [2, 3, 11, 4] batch 1 stream 1
      ins(%q_, %k_, %w_, %c_, %kept_
          : tensor<2x3x4xf64>, tensor<2x11x4xf64>, tensor<2x3xf64>, tensor<2x11xf64>, tensor<2x3x11xi1>)
      at [affine_map<(b, m, n, d) -> (b * 12 + m * 4 + d)>, affine_map<(b, m, n, d) -> (b * 44 + n * 4 + d)>,
          affine_map<(b, m, n, d) -> (b * 3 + m)>, affine_map<(b, m, n, d) -> (b * 11 + n)>,
          affine_map<(b, m, n, d) -> (b * 33 + m * 11 + n)>]
      outs at [affine_map<(b, m, n, d) -> (b * 33 + m * 11 + n)>] {{
  ^bb0(%qe: f64, %ke: f64, %f1: f64, %f2: f64, %b0: i1):
    %f0 = fuse.contract %ke, %qe over [3] : f64 -> f64
    %yes = arith.constant true
    %zero = arith.constant 0.0 : f64
    %one = arith.constant 1.0 : f64
{0}
    fuse.yield {1} : f64
  }} -> tensor<2x3x11xf64>
  return
}}
)";

// Writes ops of one kind after the other, each on values that are there.
class RandomBody {
 public:
  explicit RandomBody(uint64_t seed) : draw_(seed) {
    for (const char* map : {"b", "m", "n", "n * 2 + m", "m * 11 + n + 3"}) {
      const std::string at = name('x');
      line(fmt::format("{} = fuse.index affine_map<(b, m, n, d) -> ({})>", at, map));
      line(fmt::format("{} = arith.index_cast {} : index to i32", integer(), at));
    }
    for (const char* number : {"0", "1", "-3", "7", "2147483647"})
      line(fmt::format("{} = arith.constant {} : i32", integer(), number));
    for (const char* number : {"0.5", "-3.0", "1.25", "-1.0e9", "8.0"})
      line(fmt::format("{} = arith.constant {} : f64", real(), number));
    for (int i = 0; i < 30; ++i) grow();
  }

  std::string text() const { return fmt::format(testing::text, body_, fmt::format("%f{}", reals_ - 1)); }

 private:
  void line(const std::string& op) { body_ += "    " + op + "\n"; }
  std::string name(char kind) { return fmt::format("%{}{}", kind, others_++); }
  std::string integer() { return fmt::format("%i{}", integers_++); }
  std::string real() { return fmt::format("%f{}", reals_++); }
  std::string boolean() { return fmt::format("%b{}", booleans_++); }
  // Later values more often: bodies are deep.
  int64_t pick(int64_t count) { return std::max(draw_.below(count), draw_.below(count)); }
  std::string an_integer() { return fmt::format("%i{}", pick(integers_)); }
  std::string a_real() { return fmt::format("%f{}", pick(reals_)); }
  std::string a_boolean() { return fmt::format("%b{}", pick(booleans_)); }
  template <size_t n> const char* one_of(const char* const (&all)[n]) { return all[draw_.below(n)]; }

  void grow() {
    switch (draw_.below(9)) {
      case 0: {
        const std::string a = an_integer(), b = an_integer();
        line(fmt::format("{} = arith.{} {}, {} : i32", integer(), one_of({"addi", "subi", "muli"}), a, b));
        break;
      }
      case 1: {
        const std::string a = an_integer(), b = an_integer();
        line(fmt::format("{} = arith.cmpi {}, {}, {} : i32", boolean(),
                         one_of({"sge", "sgt", "sle", "slt", "eq", "ne", "ult"}), a, b));
        break;
      }
      case 2: {
        const char* type = draw_.below(2) ? "f32" : "f64";
        const std::string a = name('y'), b = name('y');
        line(fmt::format("{} = arith.sitofp {} : i32 to {}", a, an_integer(), type));
        line(fmt::format("{} = arith.sitofp {} : i32 to {}", b, an_integer(), type));
        line(fmt::format("{} = arith.cmpf {}, {}, {} : {}", boolean(),
                         one_of({"oge", "ogt", "ole", "olt", "oeq", "une"}), a, b, type));
        break;
      }
      case 3: {
        const std::string a = a_boolean(), b = a_boolean();
        line(draw_.below(2) ? fmt::format("{} = arith.xori {}, %yes : i1", boolean(), a)
                            : fmt::format("{} = arith.{} {}, {} : i1", boolean(), one_of({"andi", "ori"}), a, b));
        break;
      }
      case 4: {  // a coin that is compared
        const std::string coin = real(), chosen = a_boolean();
        line(draw_.below(2) ? fmt::format("{} = arith.uitofp {} : i1 to f64", coin, chosen)
                            : fmt::format("{} = arith.select {}, %one, %zero : f64", coin, chosen));
        const char* number = one_of({"%zero", "%one"});
        const bool first = draw_.below(2);
        line(fmt::format("{} = arith.cmpf {}, {}, {} : f64", boolean(), one_of({"oeq", "une", "ogt", "ole"}),
                         first ? coin : number, first ? number : coin));
        break;
      }
      case 5: {
        const std::string c = a_boolean(), a = a_real(), b = draw_.below(3) ? a_real() : "%zero";
        line(fmt::format("{} = arith.select {}, {}, {} : f64", real(), c, draw_.below(2) ? a : b,
                         draw_.below(2) ? b : a));
        break;
      }
      case 6: {
        const std::string a = a_real();
        line(fmt::format("{} = arith.negf {} : f64", real(), a));
        break;
      }
      default: {
        const std::string a = a_real(), b = a_real();
        line(fmt::format("{} = arith.{} {}, {} : f64", real(), one_of({"addf", "subf", "mulf", "maximumf"}), a, b));
        break;
      }
    }
  }

  Draw draw_;
  std::string body_;
  int64_t others_ = 0, integers_ = 0, reals_ = 3, booleans_ = 1;
};

std::vector<double> yielded(fuse::CascadeOp cascade, const std::vector<Tensor>& inputs) {
  BodyRun run(cascade, inputs);
  run.run();
  const Tensor result = run.results(cascade.getOutMaps(), cascade->getResultTypes()).front();
  std::vector<double> values;
  for (int64_t i = 0; i < result.shape.numel(); ++i)
    values.push_back(load_double(result.data->data(), result.dtype, i));
  return values;
}

std::string printed(mlir::ModuleOp module) {
  std::string out;
  llvm::raw_string_ostream(out) << module;
  return out;
}

TEST(NormalizeBody, keeps_every_value) {
  mlir::MLIRContext context;
  ir::load_dialects(context);
  constexpr int count = 400;
  for (int i = 0; i < count; ++i) {
    const uint64_t seed = 100 + static_cast<uint64_t>(i);
    SCOPED_TRACE(seed);
    mlir::OwningOpRef<mlir::ModuleOp> module = mlir::parseSourceString<mlir::ModuleOp>(
        RandomBody(seed).text(), mlir::ParserConfig(&context, /*verifyAfterParse=*/false));
    ASSERT_TRUE(module);
    fuse::CascadeOp cascade;
    module->walk([&](fuse::CascadeOp found) { cascade = found; });
    Draw draw(seed);
    std::vector<Tensor> inputs;
    for (mlir::Value input : cascade.getInputs()) {
      Tensor tensor = empty_tensor(input.getType());
      for (int64_t k = 0; k < tensor.shape.numel(); ++k)
        store_double(tensor.data->data(), tensor.dtype, k,
                     tensor.dtype == boolean ? static_cast<double>(draw.below(2)) : draw.uniform(-1, 1));
      inputs.push_back(std::move(tensor));
    }
    const std::vector<double> before = yielded(cascade, inputs);
    const std::string was = printed(*module);
    ir::normalize_body(cascade);
    const std::string once = printed(*module);
    const std::vector<double> after = yielded(cascade, inputs);
    for (size_t k = 0; k < before.size(); ++k) ASSERT_EQ(before[k], after[k]) << was << once;
    ir::normalize_body(cascade);
    ASSERT_EQ(printed(*module), once);
  }
}

}  // namespace
}  // namespace tessera::testing
