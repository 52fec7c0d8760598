// Contractions as tile kernels, run by the interpreter: every schedule of every layout keeps the protocol and gives the sums
// that loops in f64 give, whatever the interleaving; and a kernel with one planted fault is caught.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"

#include <tessera/codegen/cuda/contract/tile_kernel.h>
#include <tessera/codegen/cuda/tile/interpreter.h>
#include <tessera/codegen/cuda/tile/protocol.h>
#include <tessera/codegen/executor/compile_fuse.h>
#include <tessera/ir/compile_ir.h>

#include "tests/codegen/cuda/values.h"
#include "tests/codegen/cuda_contract/programs.h"

namespace tessera::cuda {
namespace {

using tile::GlobalTensor;

using Product = tessera::testing::ProductShape;

// Products of f32 are of tf32 here.
std::vector<TileSchedule> schedules_of(const Contraction& c) { return tile_schedules(c, F32Products::as_tf32); }

// Half way between two of tf32 goes to the even one.
float rounded_to_tf32(float x) {
  const float scale = std::ldexp(1.f, 10 - std::ilogb(x));
  return std::nearbyint(x * scale) / scale;
}

// An operand as the kernel finds it, [planes, rows, k] or [planes, k, rows].
struct Operand {
  int64_t planes, rows, k;
  bool along_k;
  bool is_turned = false;  // it is a copy along K, in lines of whole fours whose ends nobody reads

  int64_t line() const { return is_turned ? (k + 3) / 4 * 4 : along_k ? k : rows; }
  int64_t lines() const { return along_k || is_turned ? rows : k; }
  size_t at(int64_t z, int64_t i, int64_t l) const {
    const bool is_along_k = along_k || is_turned;
    return static_cast<size_t>((z * lines() + (is_along_k ? i : l)) * line() + (is_along_k ? l : i));
  }
};

Tensor unread(const std::string&, DType dtype, const Shape& shape) {
  return tensor_from(std::make_shared<tessera::Buffer>(static_cast<size_t>(shape.numel()) * size_of(dtype)), dtype,
                     shape);
}

class TileContract : public ::testing::Test {
 protected:
  TileContract() {
    codegen::load_fuse_dialects(context);
    ir::load_dialects(context);
    context.loadDialect<tile::TileDialect>();
    context.getDiagEngine().registerHandler([this](mlir::Diagnostic& d) { said += d.str() + "\n"; });
  }

  Contraction contraction(const Product& p) { return contraction(tessera::testing::product_program(p, unread)); }
  Contraction contraction(const tessera::testing::RowProgram& made) {
    module = ir::import_program(context, made.program);
    ir::lower_to_fuse(*module, {}, ir::Planes::in_memory, ir::OperandSums::apart);
    fuse::KernelOp found;
    module->walk([&](fuse::KernelOp kernel) { found = kernel; });
    return read_mapped(found);
  }

  mlir::OwningOpRef<mlir::ModuleOp> build(const Contraction& c, const TileSchedule& s) {
    place = mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
    const Epilogue epilogue =
        s.parts > 1 ? make_parts(c, s.parts, *place->getBody()) : make_epilogue(c, *place->getBody());
    KernelWords words;
    words.kernel = "product", words.inputs = {"x", "y"}, words.results = {"d"};
    if (c.in.size() > 2 && s.parts == 1) words.inputs.push_back(s.beside.empty() ? "bias" : "h");
    if (c.out.size() > 1 && s.parts == 1) words.results.push_back("e");
    return build_tile_kernel(c, s, epilogue, words);
  }

  // The largest error as a share of what roundings allow; infinity for NaN, for what is missing, or where it fails.
  double run(tile::KernelOp kernel, const Product& p, int64_t parts, const tile::Execution& how,
             bool is_thrice = false) {
    const int64_t planes = p.batch;
    const bool is_f32 = p.dtype == f32;
    // Rests lie as a copy does, and here what they are of too.
    const Operand of_a{planes, p.m, p.k, p.a_along_k, is_f32 && (!p.a_along_k || p.k % 4 != 0)},
        of_b{planes, p.n, p.k, p.b_along_k, is_f32 && (!p.b_along_k || p.k % 4 != 0)};
    auto tensor = [&](const Operand& of, uint64_t seed) {
      const int64_t count = planes * of.lines() * of.line();
      GlobalTensor made{{planes, of.lines(), of.line()}, std::vector(static_cast<size_t>(count), NAN)};
      if (planes == 1) made.extents.erase(made.extents.begin());
      const std::vector<uint16_t> drawn = normals(static_cast<size_t>(count), seed),
                                  beside = normals(drawn.size(), seed + 2);
      for (int64_t z = 0; z < planes; ++z)
        for (int64_t i = 0; i < of.rows; ++i)
          for (int64_t l = 0; l < of.k; ++l) {
            const size_t at = of.at(z, i, l);
            made.values[at] = widen(drawn[at]) * (is_f32 ? 1 + 0.01f * widen(beside[at]) : 1);
          }
      return made;
    };
    auto seen = [&](const GlobalTensor& from, size_t at) -> double {
      return is_f32 && !is_thrice ? rounded_to_tf32(from.values[at]) : from.values[at];
    };
    GlobalTensor a = tensor(of_a, 1), b = tensor(of_b, 2);
    GlobalTensor other{{1}, {0}};  // what only the statements would touch
    std::vector<double> sums(static_cast<size_t>(planes * p.m * p.n), 0);
    std::vector<int> times(sums.size(), 0);
    tile::Execution execution = how;
    execution.finish = [&](const tile::Finished& f) {
      const int64_t z = planes > 1 ? f.at[2] : 0;
      for (int64_t r = 0; r < 64; ++r)
        for (int64_t c = 0; c < f.columns; ++c) {
          const int64_t n = f.at[0] + c, m = f.at[1] + r;
          if (m >= p.m || n >= p.n) continue;
          const auto at = static_cast<size_t>((z * p.m + m) * p.n + n);
          sums[at] += f.sums[static_cast<size_t>(r * f.columns + c)];
          ++times[at];
        }
    };
    std::vector<tile::Argument> arguments(kernel.getBody().getNumArguments(), &other);
    arguments[0] = &a, arguments[1] = &b;
    GlobalTensor a_rests = a, b_rests = b;
    for (GlobalTensor* rests : {&a_rests, &b_rests})
      for (float& x : rests->values) x -= std::isnan(x) ? 0 : rounded_to_tf32(x);
    if (is_thrice) arguments[2] = &a_rests, arguments[3] = &b_rests;
    if (mlir::failed(tile::interpret(kernel, arguments, execution))) return INFINITY;
    double worst = 0;
    for (int64_t z = 0; z < planes; ++z)
      for (int64_t i = 0; i < p.m; ++i)
        for (int64_t j = 0; j < p.n; ++j) {
          double sum = 0, size = 0;
          for (int64_t l = 0; l < p.k; ++l) {
            const double term = seen(a, of_a.at(z, i, l)) * seen(b, of_b.at(z, j, l));
            sum += term, size += std::abs(term);
          }
          const auto at = static_cast<size_t>((z * p.m + i) * p.n + j);
          const double error = std::abs(sums[at] - sum) / (0x1p-20 * size);
          worst = std::isnan(error) || times[at] != parts ? INFINITY : std::max(worst, error);
        }
    return worst;
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module, place;
  std::string said;
};

// A few of them run all tiles where there is a loop over these.
int64_t blocks_of(const TileSchedule& s, int64_t clusters) { return s.one_each ? s.blocks() : s.cluster() * clusters; }

tile::KernelOp kernel_of(mlir::ModuleOp module) { return *module.getOps<tile::KernelOp>().begin(); }

TEST_F(TileContract, every_schedule_of_every_layout) {
  int checked = 0;
  for (bool a_along_k : {true, false})
    for (bool b_along_k : {true, false}) {
      const Product p{1, 200, 328, 712, a_along_k, b_along_k, a_along_k ? bf16 : f16};
      const Contraction c = contraction(p);
      for (const TileSchedule& s : tile_schedules(c)) {
        // In parts only once for each shape: the rest of it is the same.
        if (s.parts > 1 && (s.parts != 2 || s.pair == TileSchedule::Pair::along_n)) continue;
        SCOPED_TRACE(schedule_text(s));
        auto built = build(c, s);
        ASSERT_TRUE(mlir::succeeded(tile::verify_protocol(kernel_of(*built), {}))) << said;
        EXPECT_LE(run(kernel_of(*built), p, s.parts, {.seed = 3, .blocks = blocks_of(s, 2)}), 1) << said;
        ++checked;
      }
    }
  EXPECT_GE(checked, 60);
}

TEST_F(TileContract, ragged_sizes_and_batches) {
  const Product products[] = {{1, 8, 8, 8},
                              {1, 65, 72, 64},
                              {3, 130, 136, 200},
                              {2, 264, 72, 264, false, false},
                              {5, 24, 520, 136, true, false}};
  for (const Product& p : products) {
    const Contraction c = contraction(p);
    int seen = 0;
    for (const TileSchedule& s : tile_schedules(c)) {
      if (s.parts > 1 || ++seen > 4) continue;
      SCOPED_TRACE(fmt::format("{} times {} x {} x {}: {}", p.batch, p.m, p.n, p.k, schedule_text(s)));
      auto built = build(c, s);
      ASSERT_TRUE(mlir::succeeded(tile::verify_protocol(kernel_of(*built), {}))) << said;
      for (uint64_t seed : {1, 2})
        EXPECT_LE(run(kernel_of(*built), p, 1, {.seed = seed, .blocks = blocks_of(s, 3)}), 1) << said;
    }
    EXPECT_GT(seen, 0);
  }
}

// Parts have a tile for each block, the last ones shorter where they need no turns; or are more tiles than blocks.
TEST_F(TileContract, parts) {
  for (const Product& p : {Product{1, 200, 72, 840}, Product{67, 8, 8, 840, true, false}}) {
    const Contraction c = contraction(p);
    const bool one_each = p.batch == 1;
    int in_turns = 0, shorter = 0, whole = 0;
    for (const TileSchedule& s : tile_schedules(c)) {
      if (s.parts < 2 || s.tile_n > 128) continue;
      EXPECT_EQ(s.one_each, one_each) << schedule_text(s);
      const bool is_shorter = s.parts * s.part - p.k >= s.step;
      EXPECT_FALSE(s.in_turns && is_shorter) << schedule_text(s);
      if ((is_shorter ? shorter : s.in_turns ? in_turns : whole)++ > 0) continue;
      SCOPED_TRACE(schedule_text(s));
      auto built = build(c, s);
      ASSERT_TRUE(mlir::succeeded(tile::verify_protocol(kernel_of(*built), {}))) << said;
      EXPECT_LE(run(kernel_of(*built), p, s.parts, {.seed = 6, .blocks = blocks_of(s, 2)}), 1) << said;
    }
    EXPECT_EQ(in_turns > 0, !one_each);
    EXPECT_EQ(shorter > 0, one_each);
    EXPECT_EQ(whole > 0, one_each);
  }
}

// Narrow tiles are for results of few rows whose b lies along K.
TEST_F(TileContract, few_rows) {
  const Product products[] = {{1, 40, 328, 712},
                              {3, 64, 72, 136, false},
                              {1, 8, 200, 64, true, true, f16, true},
                              {1, 8, 4264, 64}};  // more tiles than blocks
  for (const Product& p : products) {
    const Contraction c = contraction(p);
    int narrow = 0;
    for (const TileSchedule& s : tile_schedules(c)) {
      if (s.tile_n != 32 || s.pair != TileSchedule::Pair::none) continue;
      SCOPED_TRACE(fmt::format("{} times {} x {} x {}: {}", p.batch, p.m, p.n, p.k, schedule_text(s)));
      auto built = build(c, s);
      ASSERT_TRUE(mlir::succeeded(tile::verify_protocol(kernel_of(*built), {}))) << said;
      EXPECT_EQ(s.one_each, p.n < 4264);
      for (uint64_t seed : {1, 2})
        EXPECT_LE(run(kernel_of(*built), p, 1, {.seed = seed, .blocks = blocks_of(s, 2)}), 1) << said;
      ++narrow;
    }
    EXPECT_EQ(narrow, 1);
  }
  for (const Product& p : {Product{1, 72, 328, 712}, Product{1, 40, 328, 712, true, false}})
    for (const TileSchedule& s : tile_schedules(contraction(p))) EXPECT_NE(s.tile_n, 32);
}

// Each block of a pair has half of K, and finishes half of the columns of the sums of both.
TEST_F(TileContract, halves_of_few_rows) {
  const Product products[] = {
      {1, 40, 328, 712}, {1, 8, 4200, 136}, {3, 64, 72, 328, false}, {1, 8, 200, 256, true, true, f16, true}};
  for (const Product& p : products) {
    const Contraction c = contraction(p);
    int halved = 0;
    for (const TileSchedule& s : tile_schedules(c)) {
      if (s.pair != TileSchedule::Pair::along_k) continue;
      SCOPED_TRACE(fmt::format("{} times {} x {} x {}: {}", p.batch, p.m, p.n, p.k, schedule_text(s)));
      auto built = build(c, s);
      ASSERT_TRUE(mlir::succeeded(tile::verify_protocol(kernel_of(*built), {}))) << said;
      for (uint64_t seed : {1, 2})
        EXPECT_LE(run(kernel_of(*built), p, 1, {.seed = seed, .blocks = s.blocks()}), 1) << said;
      ++halved;
    }
    EXPECT_EQ(halved, p.n == 4200 ? 2 : 3);
  }
  const Product none[] = {{1, 40, 328, 128}, {1, 40, 8456, 256}, {1, 72, 328, 712}};  // one step, many tiles, many rows
  for (const Product& p : none)
    for (const TileSchedule& s : tile_schedules(contraction(p))) EXPECT_NE(s.pair, TileSchedule::Pair::along_k);
}

TEST_F(TileContract, faults_of_halves_are_caught) {
  struct Fault {
    const char* what;
    void (*plant)(tile::KernelOp);
  };
  static const auto constant = [](mlir::Operation* before, int64_t x) {
    mlir::OpBuilder b(before);
    return mlir::arith::ConstantIntOp::create(b, before->getLoc(), x, 32);
  };
  static const auto rank = [](tile::KernelOp kernel) {
    return (*kernel.getOps<tile::ClusterRankOp>().begin()).getResult();
  };
  // As if the block were the first of its pair, where a role says `times` times its number.
  static const auto as_first = [](tile::KernelOp kernel, const char* role, int64_t times) {
    kernel.walk([&](mlir::arith::MulIOp op) {
      auto factor = op.getRhs().getDefiningOp<mlir::arith::ConstantIntOp>();
      if (op.getLhs() == rank(kernel) && factor && factor.value() == times &&
          op->getParentOfType<tile::RoleOp>().getName() == role)
        op.getResult().replaceAllUsesWith(constant(op, 0));
    });
  };
  const Fault faults[] = {
      {"all pairs have the first tile",
       [](tile::KernelOp k) {
         k.walk([](tile::ClusterIndexOp index) { index.getResult().replaceAllUsesWith(constant(index, 0)); });
       }},
      {"the launch has more tiles",
       [](tile::KernelOp k) { k.walk([](tile::ClusterIndexOp index) { index.setOf(index.getOf() + 1); }); }},
      {"sums are sent twice",
       [](tile::KernelOp k) {
         k.walk([](tile::AddHalvesOp add) {
           mlir::OpBuilder b(add);
           b.clone(*add);
         });
       }},
      {"both blocks bring the first half of K", [](tile::KernelOp k) { as_first(k, "producer", 256); }},
      {"both blocks finish the first columns", [](tile::KernelOp k) { as_first(k, "consumer", 32); }},
      {"the second block takes a step less",
       [](tile::KernelOp k) {
         k.walk([&](mlir::scf::ForOp loop) {
           mlir::OpBuilder b(loop);
           auto less = mlir::arith::MulIOp::create(b, loop.getLoc(), rank(k), constant(loop, 128));
           loop.getUpperBoundMutable().assign(
               mlir::arith::SubIOp::create(b, loop.getLoc(), loop.getUpperBound(), less));
         });
       }},
      {"the sums of the other block are not taken",
       [](tile::KernelOp k) {
         k.walk([&](tile::FinishOp finish) {
           tile::AddHalvesOp add = finish.getValues()[0].getDefiningOp<tile::AddHalvesOp>();
           mlir::OpBuilder b(finish);
           mlir::Value zero = mlir::arith::ConstantOp::create(b, finish.getLoc(), b.getF32FloatAttr(0));
           finish.getValuesMutable().assign(tile::FillOp::create(b, finish.getLoc(), add.getType(), zero).getResult());
         });
       }},
  };
  const Product p{1, 8, 328, 512};
  const Contraction c = contraction(p);
  const auto schedules = tile_schedules(c);
  const auto s = std::ranges::find_if(
      schedules, [](const TileSchedule& one) { return one.pair == TileSchedule::Pair::along_k && one.tile_n == 64; });
  ASSERT_NE(s, schedules.end());
  for (const Fault& fault : faults) {
    SCOPED_TRACE(fault.what);
    auto built = build(c, *s);
    EXPECT_TRUE(mlir::succeeded(tile::verify_protocol(kernel_of(*built), {})));
    fault.plant(kernel_of(*built));
    bool is_caught = mlir::failed(mlir::verify(*built)) || mlir::failed(tile::verify_protocol(kernel_of(*built), {}));
    for (uint64_t seed = 0; seed < 4 && !is_caught; ++seed)
      is_caught = !(run(kernel_of(*built), p, 1, {.seed = seed, .blocks = s->blocks()}) <= 1);
    EXPECT_TRUE(is_caught);
  }
}

// A bias goes along with the sums of its columns, where these are finished in registers.
TEST_F(TileContract, values_of_columns) {
  const Product p{1, 200, 328, 264, true, true, bf16, true};
  const Contraction c = contraction(p);
  int checked = 0, caught = 0;
  for (const TileSchedule& s : tile_schedules(c)) {
    if (s.parts > 1 || s.through_shared) continue;
    SCOPED_TRACE(schedule_text(s));
    auto built = build(c, s);
    ASSERT_TRUE(mlir::succeeded(tile::verify_protocol(kernel_of(*built), {}))) << said;
    const tile::Execution how{.seed = 3, .blocks = s.cluster() * 2};
    EXPECT_LE(run(kernel_of(*built), p, 1, how), 1) << said;
    ++checked;
    kernel_of(*built).walk([&](tile::BringColumnsOp bring) {
      mlir::OpBuilder b(bring);
      bring.getFirstMutable().assign(mlir::arith::ConstantIntOp::create(b, bring.getLoc(), 0, 32));
    });
    caught += !(run(kernel_of(*built), p, 1, how) <= 1);
  }
  EXPECT_GE(checked, 10);
  EXPECT_EQ(caught, checked) << "the first columns' values for all";
}

// An input with a value for each sum comes to the tiles through which results leave.
TEST_F(TileContract, inputs_beside_the_sums) {
  const Product p{1, 200, 328, 264, true, false, bf16};
  const Contraction c = contraction(tessera::testing::recorded_program("product", unread, [&](const auto& in) {
    return std::vector{tessera::testing::gelu_data_gradient(p.m, p.n, p.k, p.dtype, in)};
  }));
  struct Fault {
    const char* what;
    void (*plant)(tile::BringBesideOp);
  };
  const Fault faults[] = {
      {"sums of other columns", [](tile::BringBesideOp bring) { bring.setColumns(bring.getColumns() + 64); }},
      {"more sums", [](tile::BringBesideOp bring) { bring.setFragments(bring.getFragments() + 1); }},
      {"a map of other boxes",
       [](tile::BringBesideOp bring) {
         auto type = mlir::cast<tile::MapType>(bring.getMaps()[0].getType());
         bring.getMaps()[0].setType(
             tile::MapType::get(bring.getContext(), {32, 64}, type.getElement(), type.getExtra()));
       }},
      {"two tensors where there is one",
       [](tile::BringBesideOp bring) { bring.getBeside().getDefiningOp<tile::BesideOp>().setInputs(2); }},
      {"another number of buffers",
       [](tile::BringBesideOp bring) {
         auto room = bring.getBeside().getDefiningOp<tile::BesideOp>().getRoom();
         auto type = mlir::cast<tile::ArrivalsType>(room.getType());
         const int64_t buffers = type.getShape()[1];
         room.setType(
             tile::ArrivalsType::get(bring.getContext(), {type.getShape()[0], buffers + 1}, type.getElement(), 0));
       }},
  };
  int checked = 0, through_shared = 0;
  for (const TileSchedule& s : tile_schedules(c)) {
    through_shared += s.through_shared;
    if (s.parts > 1 || s.through_shared) continue;
    SCOPED_TRACE(schedule_text(s));
    ASSERT_EQ(s.beside.size(), 1);
    auto built = build(c, s);
    ASSERT_TRUE(mlir::succeeded(tile::verify_protocol(kernel_of(*built), {}))) << said;
    const tile::Execution how{.seed = 3, .blocks = s.cluster() * 2};
    EXPECT_LE(run(kernel_of(*built), p, 1, how), 1) << said;
    if (++checked > 1) continue;
    for (const Fault& fault : faults) {
      SCOPED_TRACE(fault.what);
      built = build(c, s);
      kernel_of(*built).walk([&](tile::BringBesideOp bring) { fault.plant(bring); });
      EXPECT_TRUE(mlir::failed(mlir::verify(*built)));
    }
  }
  EXPECT_GE(checked, 10);
  EXPECT_GE(through_shared, 1) << "what is done where registers do not suffice";
  for (const TileSchedule& s : tile_schedules(contraction(p))) EXPECT_TRUE(s.beside.empty());
}

// Lines of b that are dealt are for several results in registers; the sums' columns come out in their order.
TEST_F(TileContract, dealt_lines) {
  const Product products[] = {{1, 200, 352, 264, true, true, bf16, true},
                              {1, 8, 32, 72, false, true, f16, true},
                              {1, 40, 352, 712, true, true, bf16, true},
                              {1, 40, 352, 712}};  // of few rows one result is
  int checked = 0, halves = 0, planted = 0;
  for (const Product& p : products) {
    const Contraction c = contraction(p);
    for (const TileSchedule& s : tile_schedules(c)) {
      if (!s.is_dealt()) continue;
      SCOPED_TRACE(fmt::format("{} x {} x {}: {}", p.m, p.n, p.k, schedule_text(s)));
      auto built = build(c, s);
      ASSERT_TRUE(mlir::succeeded(tile::verify_protocol(kernel_of(*built), {}))) << said;
      const tile::Execution how{.seed = 5, .blocks = blocks_of(s, 2)};
      EXPECT_LE(run(kernel_of(*built), p, 1, how), 1) << said;
      const bool is_halved = s.pair == TileSchedule::Pair::along_k;
      ++checked, halves += is_halved;
      if (planted++ > 0 && (!is_halved || halves > 1)) continue;
      kernel_of(*built).walk([&](tile::FinishOp finish) { finish.removeDealtAttr(); });
      EXPECT_GT(run(kernel_of(*built), p, 1, how), 1) << "sums are taken as they come";
    }
  }
  EXPECT_GE(checked, 20);
  EXPECT_EQ(halves, 4);
  for (const Product& p : {Product{1, 200, 328, 264, true, true, bf16, true},   // no whole 32s
                           Product{1, 200, 352, 264, true, false, bf16, true},  // neighbours along N
                           Product{3, 200, 352, 264, true, true, bf16, true},   // planes
                           Product{1, 40, 328, 264, true, true, bf16, true},    // few rows, the same
                           Product{3, 40, 352, 264, true, true, bf16, true},
                           Product{1, 200, 352, 264, true, true, bf16, false}})  // one result
    for (const TileSchedule& s : tile_schedules(contraction(p))) EXPECT_FALSE(s.is_dealt());
}

// A pair goes down a column of tiles, and what it has of b stays from one tile to the next.
TEST_F(TileContract, steps_of_b_stay) {
  const Product p{1, 600, 992, 264, true, true, bf16, true};
  const Contraction c = contraction(p);
  const auto schedules = tile_schedules(c);
  const auto found = std::ranges::find_if(schedules, [](const TileSchedule& one) { return one.kept > 0; });
  ASSERT_NE(found, schedules.end());
  EXPECT_EQ(found->kept, 5) << "all of K";
  TileSchedule some = *found;
  some.stages = 2, some.kept = 3,
  some.abreast = 3;  // rounds of different lengths, and tiles that turn at both ends of K
  for (const TileSchedule& s : {*found, some}) {
    SCOPED_TRACE(schedule_text(s));
    auto built = build(c, s);
    ASSERT_TRUE(mlir::succeeded(tile::verify_protocol(kernel_of(*built), {}))) << said;
    for (uint64_t seed : {1, 2})
      EXPECT_LE(run(kernel_of(*built), p, 1, {.seed = seed, .blocks = s.blocks()}), 1) << said;
  }
  // Each by the verifier of the protocol, or by what comes out.
  auto is_refused = [&](const TileSchedule& s, llvm::function_ref<void(tile::KernelOp)> plant, const char* why) {
    auto built = build(c, s);
    plant(kernel_of(*built));
    said.clear();
    return mlir::failed(tile::verify_protocol(kernel_of(*built), {})) && said.find(why) != std::string::npos;
  };
  auto nothing = [](tile::KernelOp) {};
  TileSchedule deep = some;
  deep.stages = 4;  // a step of b comes while the one before it there is read
  EXPECT_TRUE(is_refused(deep, nothing, "(R11) loads a tile that may still be read")) << said;
  auto never_loaded = [](tile::KernelOp kernel) {
    kernel.walk([](mlir::arith::SelectOp one) {
      if (mlir::getConstantIntValue(one.getFalseValue()) == 0) one.getFalseValueMutable().assign(one.getTrueValue());
    });
  };
  EXPECT_TRUE(is_refused(some, never_loaded, "(R11) reads a tile that was never loaded")) << said;
  auto built = build(c, some);
  kernel_of(*built).walk([](mlir::arith::SelectOp one) {  // nobody turns: what stays is the other end of K
    if (mlir::getConstantIntValue(one.getFalseValue()) != 0) one.getTrueValueMutable().assign(one.getFalseValue());
  });
  EXPECT_GT(run(kernel_of(*built), p, 1, {.seed = 1, .blocks = some.blocks()}), 1);
}

// Of more columns than there are pairs, for longer K, or with one result, nothing stays.
TEST_F(TileContract, steps_of_b_stay_where_K_is_short) {
  auto keeps = [&](int64_t m, int64_t n, int64_t k, bool has_gelu = true) {
    return tile_schedules(contraction(Product{1, m, n, k, true, true, bf16, has_gelu})).front().kept;
  };
  EXPECT_EQ(keeps(16384, 3072, 768), 6);
  EXPECT_EQ(keeps(16384, 3072, 768, false), 0);
  EXPECT_EQ(keeps(16384, 3072, 1536), 0);
  EXPECT_EQ(keeps(16384, 50304, 768), 0);
}

// What the copy engine cannot bring has no such schedule.
TEST_F(TileContract, other_layouts_have_none) {
  EXPECT_TRUE(tile_schedules(contraction({1, 64, 64, 60})).empty()) << "rows that are not multiples of 16 bytes";
  EXPECT_FALSE(tile_schedules(contraction({1, 64, 64, 64})).empty());
  EXPECT_TRUE(tile_schedules(contraction({1, 64, 64, 64, true, true, f32})).empty());
  EXPECT_FALSE(schedules_of(contraction({1, 64, 64, 60, true, true, f32})).empty());
  EXPECT_TRUE(schedules_of(contraction({1, 64, 64, 64, true, true, f64})).empty());
}

// f32 is rounded to tf32 as it lands, and lies along K, or a copy of it does.
TEST_F(TileContract, tf32) {
  const Product products[] = {{1, 200, 328, 708, true, true, f32},     {3, 130, 136, 200, true, false, f32},
                              {1, 264, 72, 262, true, false, f32},     {2, 24, 520, 136, false, true, f32},
                              {1, 40, 328, 712, true, true, f32},      {1, 200, 352, 264, true, true, f32, true},
                              {1, 72, 200, 140, true, true, f32, true}};
  int checked = 0, dealt = 0, halves = 0, few = 0;
  for (const Product& p : products) {
    const Contraction c = contraction(p);
    int seen = 0;
    for (const TileSchedule& s : schedules_of(c)) {
      const bool is_new = (s.is_dealt() && dealt < 3) || s.pair == TileSchedule::Pair::along_k || s.tile_n == 32;
      if (s.parts > 2 || (++seen > 6 && !is_new)) continue;
      SCOPED_TRACE(fmt::format("{} times {} x {} x {}: {}", p.batch, p.m, p.n, p.k, schedule_text(s)));
      EXPECT_EQ(s.operands.a.copy.has_value(), !p.a_along_k || p.k % 4 != 0);
      EXPECT_EQ(s.operands.b.copy.has_value(), !p.b_along_k || p.k % 4 != 0);
      auto built = build(c, s);
      ASSERT_TRUE(mlir::succeeded(tile::verify_protocol(kernel_of(*built), {}))) << said;
      EXPECT_LE(run(kernel_of(*built), p, s.parts, {.seed = 4, .blocks = blocks_of(s, 3)}), 1) << said;
      ++checked, dealt += s.is_dealt(), few += s.tile_n == 32;
      halves += s.pair == TileSchedule::Pair::along_k;
    }
    EXPECT_GT(seen, 0);
  }
  EXPECT_GE(checked, 40);
  EXPECT_GE(dealt, 3);
  EXPECT_GE(halves, 3);
  EXPECT_GE(few, 1);
}

// f32 as three products of tf32, within roundings of f32.
TEST_F(TileContract, tf32_thrice) {
  const Product products[] = {{1, 200, 328, 708, true, true, f32},
                              {3, 130, 136, 200, true, false, f32},
                              {1, 264, 72, 264, false, false, f32},
                              {1, 200, 352, 264, true, true, f32, true}};
  int checked = 0;
  for (const Product& p : products) {
    const Contraction c = contraction(p);
    int seen = 0, planted = 0;
    for (const TileSchedule& s : tile_schedules(c, F32Products::on_tensor_cores)) {
      if (s.parts > 2 || ++seen > 6) continue;
      SCOPED_TRACE(fmt::format("{} times {} x {} x {}: {}", p.batch, p.m, p.n, p.k, schedule_text(s)));
      ASSERT_TRUE(s.operands.is_thrice());
      auto built = build(c, s);
      ASSERT_TRUE(mlir::succeeded(tile::verify_protocol(kernel_of(*built), {}))) << said;
      const tile::Execution how{.seed = 4, .blocks = blocks_of(s, 3)};
      EXPECT_LE(run(kernel_of(*built), p, s.parts, how, true), 1) << said;
      ++checked;
      if (planted++ > 0) continue;
      // Each product counts, and the sums of each step.
      for (int k = 0; k < 3; ++k) {
        built = build(c, s);
        int at = 0;
        kernel_of(*built).walk([&](tile::MmaOp mma) {
          if (at++ != k) return;
          mma.getResult().replaceAllUsesWith(mma.getAcc());
          mma.erase();
        });
        EXPECT_GT(run(kernel_of(*built), p, s.parts, how, true), 1) << k;
      }
      built = build(c, s);
      kernel_of(*built).walk([](tile::AddOp add) { add.getResult().replaceAllUsesWith(add.getMore()); });
      EXPECT_GT(run(kernel_of(*built), p, s.parts, how, true), 1) << "the last step alone";
    }
    EXPECT_GT(seen, 0);
  }
  EXPECT_GE(checked, 12);
}

TEST_F(TileContract, faults_of_tf32_are_caught) {
  struct Fault {
    const char* what;
    void (*plant)(tile::KernelOp);
  };
  const Fault faults[] = {
      {"a product of an operand along its rows",
       [](tile::KernelOp k) { k.walk([](tile::MmaOp mma) { mma.setBTransposed(false); }); }},
      {"a map of other elements",
       [](tile::KernelOp k) {
         mlir::BlockArgument map = k.getBody().getArgument(0);
         auto type = mlir::cast<tile::MapType>(map.getType());
         map.setType(tile::MapType::get(k.getContext(), type.getShape(), mlir::Float32Type::get(k.getContext()),
                                        type.getExtra()));
       }},
      {"boxes of twice as many columns",
       [](tile::KernelOp k) {
         mlir::BlockArgument map = k.getBody().getArgument(1);
         auto type = mlir::cast<tile::MapType>(map.getType());
         map.setType(tile::MapType::get(k.getContext(), {type.getShape()[0], 64}, type.getElement(), type.getExtra()));
       }},
      {"a step of K is left out",
       [](tile::KernelOp k) {
         k.walk([](tile::LoadOp load) {
           mlir::OpBuilder b(load);
           load.getAtMutable()[0].assign(mlir::arith::ConstantIntOp::create(b, load.getLoc(), 32, 32));
         });
       }},
  };
  const Product p{1, 200, 136, 264, true, true, f32};
  const Contraction c = contraction(p);
  for (const Fault& fault : faults) {
    SCOPED_TRACE(fault.what);
    auto built = build(c, schedules_of(c).front());
    fault.plant(kernel_of(*built));
    const int64_t blocks = schedules_of(c).front().cluster();
    EXPECT_TRUE(mlir::failed(mlir::verify(*built)) ||
                !(run(kernel_of(*built), p, 1, {.seed = 1, .blocks = blocks}) <= 1));
  }
}

// One op changed or gone: a verifier says so, or the sums do.
TEST_F(TileContract, faults_are_caught) {
  struct Fault {
    const char* what;
    bool in_turns;
    void (*plant)(tile::KernelOp);
  };
  auto first = [](auto op, tile::KernelOp kernel) {
    decltype(op) found;
    kernel.walk([&](decltype(op) one) {
      if (!found) found = one;
    });
    return found;
  };
  static const auto find = first;
  const Fault faults[] = {
      {"buffers of the other are not passed by", true, [](tile::KernelOp k) { find(tile::SkipOp(), k).erase(); }},
      {"nobody waits for the turn", true,
       [](tile::KernelOp k) {
         find(tile::TurnWaitOp(), k).erase();
         find(tile::TurnPassOp(), k).erase();
       }},
      {"a buffer is freed while a product reads it", true,
       [](tile::KernelOp k) { find(tile::WaitMmaOp(), k).setPending(4); }},
      {"a product of the first fragment is not waited for", false,
       [](tile::KernelOp k) { find(tile::WaitMmaOp(), k).erase(); }},
      {"each block brings the first half", false,
       [](tile::KernelOp k) {
         tile::RowsOp half = find(tile::RowsOp(), k);
         mlir::OpBuilder b(half);
         half.getFirstMutable().assign(mlir::arith::ConstantIntOp::create(b, half.getLoc(), 0, 32));
       }},
      {"the first product adds to what was there", false,
       [](tile::KernelOp k) {
         tile::MmaOp mma = find(tile::MmaOp(), k);
         mlir::OpBuilder b(mma);
         mma.getAddMutable().assign(mlir::arith::ConstantIntOp::create(b, mma.getLoc(), 1, 1));
       }},
  };
  const Product p{1, 520, 400, 712};
  const Contraction c = contraction(p);
  for (const Fault& fault : faults) {
    SCOPED_TRACE(fault.what);
    bool is_caught = false, is_planted = false;
    for (const TileSchedule& s : tile_schedules(c)) {
      if (s.in_turns != fault.in_turns || s.parts > 1 || s.pair != TileSchedule::Pair::along_m || is_planted) continue;
      is_planted = true;
      auto built = build(c, s);
      fault.plant(kernel_of(*built));
      is_caught = mlir::failed(mlir::verify(*built)) || mlir::failed(tile::verify_protocol(kernel_of(*built), {}));
      for (uint64_t seed = 0; seed < 4 && !is_caught; ++seed)
        is_caught = !(run(kernel_of(*built), p, 1, {.seed = seed, .blocks = 2}) <= 1);
    }
    EXPECT_TRUE(is_planted);
    EXPECT_TRUE(is_caught);
  }
}

}  // namespace
}  // namespace tessera::cuda
