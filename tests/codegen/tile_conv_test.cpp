// Convolutions and their gradients as tile kernels, run by the interpreter: every schedule keeps the protocol and gives the
// sums that loops in f64 give, with no padded tensor in memory; and a map or a coordinate that is wrong is seen.

#include <gtest/gtest.h>

#include <cmath>

#include <fmt/format.h>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"

#include <tessera/codegen/cuda/contract/bounds.h>
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

using Conv = tessera::testing::ConvShape;
using What = Conv::What;

int64_t rows_of(const Conv& v) {
  return v.what == What::forward ? v.n * v.p() * v.q() : v.what == What::data_gradient ? v.n * v.h * v.w : v.k;
}
int64_t columns_of(const Conv& v) {
  return v.what == What::forward ? v.k : v.what == What::data_gradient ? v.c : v.r * v.s * v.c;
}
std::string text_of(const Conv& v) {
  return fmt::format("{} {}x{}x{}x{} k {} {}x{} stride {} dilation {} pad {}", static_cast<int>(v.what), v.n, v.h, v.w,
                     v.c, v.k, v.r, v.s, v.stride, v.dilation, v.pad);
}

Tensor unread(const std::string&, DType dtype, const Shape& shape) {
  return tensor_from(std::make_shared<tessera::Buffer>(static_cast<size_t>(shape.numel()) * size_of(dtype)), dtype,
                     shape);
}

tile::KernelOp kernel_of(mlir::ModuleOp module) { return *module.getOps<tile::KernelOp>().begin(); }

class TileConv : public ::testing::Test {
 protected:
  TileConv() {
    codegen::load_fuse_dialects(context);
    ir::load_dialects(context);
    context.loadDialect<tile::TileDialect>();
    context.getDiagEngine().registerHandler([this](mlir::Diagnostic& d) { said += d.str() + "\n"; });
  }

  // Of the one kernel that is left when nothing is padded in memory.
  Contraction contraction(const Conv& v) {
    const auto made = tessera::testing::conv_program(v, unread);
    module = ir::import_program(context, made.program);
    ir::lower_to_fuse(*module, {}, ir::Planes::in_memory, ir::OperandSums::apart);
    std::vector<fuse::KernelOp> found;
    for (auto function : module->getOps<mlir::func::FuncOp>()) {
      read_beyond_ends(function, [](fuse::KernelOp kernel) { return !tile_schedules(read_mapped(kernel)).empty(); });
      for (auto kernel : function.getOps<fuse::KernelOp>()) found.push_back(kernel);
    }
    EXPECT_EQ(found.size(), 1U) << text_of(v);
    return read_mapped(found.back());
  }

  mlir::OwningOpRef<mlir::ModuleOp> build(const Contraction& c, const TileSchedule& s) {
    place = mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
    const Epilogue epilogue =
        s.parts > 1 ? make_parts(c, s.parts, *place->getBody()) : make_epilogue(c, *place->getBody());
    KernelWords words;
    words.kernel = "conv", words.inputs = {"a_tensor", "b_tensor"}, words.results = {"d"};
    return build_tile_kernel(c, s, epilogue, words);
  }

  // The largest error as a share of what roundings allow; infinity for NaN, for what is missing, or where it fails.
  double run(tile::KernelOp kernel, const Conv& v, const Contraction& contraction, const TileSchedule& schedule,
             const tile::Execution& how) {
    auto tensor = [](int64_t count, uint64_t seed) {
      GlobalTensor made{{count}, {}};
      for (uint16_t x : normals(static_cast<size_t>(count), seed)) made.values.push_back(widen(x));
      return made;
    };
    GlobalTensor x = tensor(v.n * v.h * v.w * v.c, 1), w = tensor(v.k * v.r * v.s * v.c, 2),
                 y = tensor(v.n * v.p() * v.q() * v.k, 3), d{{1}, {0}};
    GlobalTensor* first = v.what == What::data_gradient ? &y : &x;
    GlobalTensor* second = v.what == What::filter_gradient ? &y : &w;
    if (contraction.a.argument != 0) std::swap(first, second);
    const int64_t m = rows_of(v), columns = columns_of(v);
    std::vector<double> sums(static_cast<size_t>(m * columns), 0), expected = sums, sizes = sums;
    std::vector<int> times(sums.size(), 0);
    tile::Execution execution = how;
    execution.finish = [&](const tile::Finished& f) {
      for (int64_t r = 0; r < 64; ++r)
        for (int64_t c = 0; c < f.columns; ++c) {
          int64_t column = f.at[0] + c;
          if (const int64_t channels = schedule.operands.columns; channels != 0) {
            const int64_t filled = schedule.operands.filled_columns(), channel = column % filled;
            if (channel >= channels) continue;
            column = column / filled * channels + channel;
          }
          if (f.at[1] + r >= m || column >= columns) continue;
          const auto at = static_cast<size_t>((f.at[1] + r) * columns + column);
          sums[at] += f.sums[static_cast<size_t>(r * f.columns + c)];
          ++times[at];
        }
    };
    const tile::Argument arguments[] = {first, second, &d};
    if (mlir::failed(tile::interpret(kernel, arguments, execution))) return INFINITY;
    auto at = [](const GlobalTensor& t, int64_t i) { return static_cast<double>(t.values[static_cast<size_t>(i)]); };
    for (int64_t n = 0; n < v.n; ++n)
      for (int64_t p = 0; p < v.p(); ++p)
        for (int64_t q = 0; q < v.q(); ++q)
          for (int64_t r = 0; r < v.r; ++r)
            for (int64_t s = 0; s < v.s; ++s) {
              const int64_t h = p * v.stride + r * v.dilation - v.pad, e = q * v.stride + s * v.dilation - v.pad;
              if (h < 0 || h >= v.h || e < 0 || e >= v.w) continue;
              const int64_t x_at = ((n * v.h + h) * v.w + e) * v.c, y_at = ((n * v.p() + p) * v.q() + q) * v.k;
              for (int64_t k = 0; k < v.k; ++k)
                for (int64_t c = 0; c < v.c; ++c) {
                  const int64_t w_at = ((k * v.r + r) * v.s + s) * v.c + c;
                  const int64_t to = v.what == What::forward         ? y_at + k
                                     : v.what == What::data_gradient ? x_at + c
                                                                     : w_at;
                  const double term = v.what == What::forward         ? at(x, x_at + c) * at(w, w_at)
                                      : v.what == What::data_gradient ? at(y, y_at + k) * at(w, w_at)
                                                                      : at(x, x_at + c) * at(y, y_at + k);
                  expected[static_cast<size_t>(to)] += term;
                  sizes[static_cast<size_t>(to)] += std::abs(term);
                }
            }
    double worst = 0;
    for (size_t i = 0; i < sums.size(); ++i) {
      const double error = std::abs(sums[i] - expected[i]) / (0x1p-20 * sizes[i] + 1e-30);
      worst = std::isnan(error) || times[i] != schedule.parts ? INFINITY : std::max(worst, error);
    }
    return worst;
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module, place;
  std::string said;
};

// Of each shape of tile and each pair the first few schedules.
TEST_F(TileConv, schedules_of_all_kinds) {
  const Conv all[] = {
      {What::forward, 2, 9, 11, 72, 136, 3, 3, 1, 1, 1},
      {What::forward, 3, 13, 10, 64, 40, 5, 3, 2, 1, 2},
      {What::forward, 1, 12, 9, 64, 72, 3, 3, 1, 2, 2},
      {What::forward, 5, 4, 4, 128, 64, 2, 2, 1, 1, 0},
      {What::forward, 3, 32, 24, 3, 72, 8, 8, 8, 1, 0},
      {What::data_gradient, 2, 9, 11, 72, 136, 3, 3, 1, 1, 1},
      {What::data_gradient, 3, 7, 8, 64, 64, 3, 5, 1, 1, 2},
      {What::filter_gradient, 2, 9, 11, 64, 136, 3, 3, 1, 1, 1},
      {What::filter_gradient, 2, 7, 9, 24, 72, 3, 3, 1, 1, 1},
      {What::filter_gradient, 3, 32, 24, 3, 72, 8, 8, 8, 1, 0},
      {What::filter_gradient, 3, 13, 10, 128, 40, 3, 3, 2, 1, 1},
  };
  for (const Conv& v : all) {
    const Contraction c = contraction(v);
    int checked = 0, together = 0, in_turns = 0;
    for (const TileSchedule& s : tile_schedules(c)) {
      if (s.parts > 2 || (s.in_turns ? in_turns : together)++ >= 6) continue;
      SCOPED_TRACE(text_of(v) + ": " + schedule_text(s));
      EXPECT_TRUE(s.operands.a.tensor.is_window() || s.operands.b.tensor.is_window());
      auto built = build(c, s);
      ASSERT_TRUE(mlir::succeeded(tile::verify_protocol(kernel_of(*built), {}))) << said;
      EXPECT_LE(run(kernel_of(*built), v, c, s, {.seed = 3, .blocks = s.one_each ? s.blocks() : s.cluster() * 2}), 1)
          << said;
      ++checked;
    }
    EXPECT_GE(checked, 6) << text_of(v);
  }
}

// What has no map: channels that are no multiple of 16 bytes.
TEST_F(TileConv, others_have_none) {
  auto schedules = [&](const Conv& v) {
    const auto made = tessera::testing::conv_program(v, unread);
    module = ir::import_program(context, made.program);
    ir::lower_to_fuse(*module, {}, ir::Planes::in_memory, ir::OperandSums::apart);
    fuse::KernelOp found;
    module->walk([&](fuse::KernelOp kernel) { found = kernel; });
    return tile_schedules(read_mapped(found)).size();
  };
  EXPECT_GT(schedules({What::forward, 2, 9, 9, 64, 64, 3, 3}), 0U);
  EXPECT_EQ(schedules({What::forward, 2, 9, 9, 60, 64, 3, 3}), 0U);
}

// One op or number changed: a verifier says so, or the sums do.
TEST_F(TileConv, faults_are_caught) {
  // Number `at` of the first map with a window, counted from behind its strides.
  auto change = [](tile::KernelOp kernel, size_t at, int64_t by) {
    auto all = llvm::to_vector(kernel.getTensors()->getValue());
    for (mlir::Attribute& one : all) {
      auto numbers = llvm::to_vector(llvm::cast<mlir::DenseI64ArrayAttr>(one).asArrayRef());
      if (numbers.size() != 2 + 2 * 4 + 3 * 2) continue;  // four dims, two of them those of the picture
      numbers[2 + 2 * 4 + at] += by;
      one = mlir::DenseI64ArrayAttr::get(kernel.getContext(), numbers);
    }
    kernel.setTensorsAttr(mlir::ArrayAttr::get(kernel.getContext(), all));
  };
  auto find_load = [](tile::KernelOp kernel) {
    tile::LoadOp found;
    kernel.walk([&](tile::LoadOp load) {
      if (!found && !load.getWindow().empty()) found = load;
    });
    return found;
  };
  using Plant = std::function<void(tile::KernelOp)>;
  const std::pair<const char*, Plant> faults[] = {
      {"the first pixel is one too far", [&](tile::KernelOp k) { change(k, 0, 1); }},
      {"lines end one pixel late", [&](tile::KernelOp k) { change(k, 2, 1); }},
      {"a step between lines is longer", [&](tile::KernelOp k) { change(k, 5, 1); }},
      {"taps of a line and of a column are exchanged",
       [&](tile::KernelOp k) {
         tile::LoadOp load = find_load(k);
         const mlir::Value x = load.getWindow()[0], y = load.getWindow()[1];
         load.getWindowMutable()[0].assign(y);
         load.getWindowMutable()[1].assign(x);
       }},
      {"an offset is missing", [&](tile::KernelOp k) { find_load(k).getWindowMutable().erase(0); }},
      {"the picture is always the first",
       [&](tile::KernelOp k) {
         tile::LoadOp load = find_load(k);
         mlir::OpBuilder b(load);
         load.getAtMutable()[3].assign(mlir::arith::ConstantIntOp::create(b, load.getLoc(), 0, 32));
       }},
  };
  const Conv v{What::forward, 3, 9, 11, 64, 72, 3, 3, 1, 1, 1};
  const Contraction c = contraction(v);
  const TileSchedule s = tile_schedules(c).front();
  {
    auto built = build(c, s);
    ASSERT_LE(run(kernel_of(*built), v, c, s, {.seed = 1, .blocks = s.cluster()}), 1) << said;
  }
  for (const auto& [what, plant] : faults) {
    SCOPED_TRACE(what);
    auto built = build(c, s);
    plant(kernel_of(*built));
    EXPECT_TRUE(mlir::failed(mlir::verify(*built)) ||
                !(run(kernel_of(*built), v, c, s, {.seed = 1, .blocks = s.cluster()}) <= 1));
  }
}

}  // namespace
}  // namespace tessera::cuda
