// Texts of contractions for wgmma and the copy engine, run on the processor with stand-ins for both (cuda_rows/host): maps
// and descriptors are followed, boxes land and products run as late as they may. Beside the reference; and NVRTC takes them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include <tessera/codegen/cuda/executor/run_program.h>
#include <tessera/codegen/cuda/runtime/compiler.h>
#include <tessera/core/error.h>
#include <tessera/core/ops.h>
#include <tessera/nn/functional.h>
#include <tessera/nn/training.h>

#include "tests/codegen/cuda_contract/programs.h"
#include "tests/codegen/cuda_rows/host_run.h"
#include "tests/support/compare_executors.h"
#include "tests/support/host_data.h"

namespace tessera::testing {
namespace {

namespace fs = std::filesystem;

using Record = std::vector<Tensor> (*)(const MakeInput&);

struct TileProgram {
  const char* name;
  Record record;
  const char* precision = "f32";
};

const TileProgram programs[] = {
    {"linear",
     [](const MakeInput& in) {
       return std::vector{einsum("mk,nk->mn", in("x", bf16, {200, 136}), in("weight", bf16, {264, 136}))};
     }},
    {"linear_gelu",  // several results and values of columns, in registers
     [](const MakeInput& in) {
       Tensor h =
           einsum("mk,nk->mn", in("x", bf16, {130, 72}), in("weight", bf16, {200, 72})) + in("bias", bf16, {200});
       return std::vector{h, nn::gelu(h)};
     }},
    {"bias_and_two_results",  // a bias of 32 bits
     [](const MakeInput& in) {
       Tensor h = cast(cast(einsum("mk,nk->mn", in("x", f16, {70, 136}), in("weight", f16, {136, 136})), f32) +
                           in("bias", f32, {136}),
                       f16);
       return std::vector{h, h * 0.5};
     }},
    {"residual_dropout",
     [](const MakeInput& in) {
       Tensor y = einsum("mk,kn->mn", in("x", bf16, {136, 64}), in("weight", bf16, {64, 72}));
       nn::Training on;
       return std::vector{in("r", bf16, {136, 72}) + nn::dropout(y, 0.25)};
     }},
    {"weight_gradient",  // both along rows, f32 results
     [](const MakeInput& in) {
       Tensor g = einsum("kn,km->nm", in("dy", bf16, {600, 136}), in("x", bf16, {600, 72}));
       return std::vector{in("w", f32, {136, 72}) - 0.1 * cast(g, f32)};
     }},
    {"scores",  // two batch dims, views with strides
     [](const MakeInput& in) {
       Tensor q = in("q", bf16, {2, 72, 3, 64}), k = in("k", bf16, {2, 72, 3, 64});
       return std::vector{einsum("bthd,bshd->bhts", q, k) * 0.125};
     }},
    {"weighted_values",
     [](const MakeInput& in) {
       Tensor p = in("p", bf16, {2, 3, 72, 72}), v = in("v", bf16, {2, 72, 3, 64});
       return std::vector{einsum("bhts,bshd->bthd", p, v)};
     }},
    {"conv",  // channels that are no whole steps
     [](const MakeInput& in) {
       Tensor y = contract(in("x", bf16, {2, 9, 11, 72}), in("weight", bf16, {136, 3, 3, 72}), "nhwc,krsc->npqk",
                           {{'h', 'p', 'r', 1, 1, 1}, {'w', 'q', 's', 1, 1, 1}});
       return std::vector{y + in("bias", bf16, {136})};
     }},
    {"conv_strided",
     [](const MakeInput& in) {
       return std::vector{contract(in("x", f16, {3, 14, 13, 64}), in("weight", f16, {72, 5, 3, 64}), "nhwc,krsc->npqk",
                                   {{'h', 'p', 'r', 2, 1, 2}, {'w', 'q', 's', 3, 2, 2}})};
     }},
    {"conv_of_views",  // and statements over several dims
     [](const MakeInput& in) {
       Tensor x = permute(in("x", bf16, {2, 9, 8, 64}), {0, 3, 1, 2});
       Tensor w = permute(in("weight", bf16, {64, 3, 3, 64}), {0, 3, 1, 2});
       Tensor y = contract(x, w, "nchw,kcrs->nkpq", {{'h', 'p', 'r', 1, 1, 1}, {'w', 'q', 's', 1, 1, 1}});
       return std::vector{nn::gelu(permute(y, {0, 2, 3, 1}))};
     }},
    {"conv_of_one_picture",
     [](const MakeInput& in) {
       return std::vector{contract(in("x", bf16, {1, 19, 64}), in("weight", bf16, {72, 3, 64}), "nwc,ksc->nqk",
                                   {{'w', 'q', 's', 1, 1, 1}})};
     }},
    {"conv_data_gradient",
     [](const MakeInput& in) {
       return std::vector{contract(in("dy", bf16, {2, 9, 11, 72}), in("weight", bf16, {72, 3, 3, 136}),
                                   "npqk,krsc->nhwc", {{'h', 'p', 'r', 1, 1, 1}, {'w', 'q', 's', 1, 1, 1}},
                                   {{'h', 9}, {'w', 11}})};
     }},
    {"conv_filter_gradient",
     [](const MakeInput& in) {
       Tensor g = contract(in("x", bf16, {2, 9, 11, 64}), in("dy", bf16, {2, 9, 11, 72}), "nhwc,npqk->krsc",
                           {{'h', 'p', 'r', 1, 1, 1}, {'w', 'q', 's', 1, 1, 1}}, {{'r', 3}, {'s', 3}});
       return std::vector{in("w", bf16, {72, 3, 3, 64}) - 0.1 * g};
     }},
    {"patches",
     [](const MakeInput& in) {
       return std::vector{contract(in("x", bf16, {3, 32, 40, 3}), in("weight", bf16, {72, 8, 8, 3}), "nhwc,krsc->npqk",
                                   {{'h', 'p', 'r', 8, 1, 0}, {'w', 'q', 's', 8, 1, 0}})};
     }},
    {"few_rows",  // tiles of 32 columns, whose results do not leave by the copy engine
     [](const MakeInput& in) {
       Tensor h =
           einsum("mk,nk->mn", in("x", bf16, {40, 328}), in("weight", bf16, {136, 328})) + in("bias", bf16, {136});
       return std::vector{h, nn::gelu(h)};
     }},
    {"dealt",  // several results that go from registers to memory
     [](const MakeInput& in) {
       Tensor h =
           einsum("mk,nk->mn", in("x", bf16, {130, 72}), in("weight", bf16, {224, 72})) + in("bias", bf16, {224});
       return std::vector{h, nn::gelu(h)};
     }},
    {"dealt_views",  // a bias of 32 bits, results that lie in a longer line
     [](const MakeInput& in) {
       Tensor y = einsum("mk,nk->mn", in("x", f16, {70, 136}), in("weight", f16, {96, 136}));
       Tensor h = cast(cast(y, f32) + in("bias", f32, {96}), f16);
       return std::vector{h, 0.5 * h * (1 + tanh(0.8 * h)), concat({y, in("z", f16, {70, 40})}, 1)};
     }},
    {"halves",  // few rows and a long K, of which each block of a pair has a half, the last step nothing but zeros
     [](const MakeInput& in) {
       Tensor h =
           einsum("mk,nk->mn", in("x", bf16, {40, 1096}), in("weight", bf16, {72, 1096})) + in("bias", bf16, {72});
       return std::vector{h, nn::gelu(h)};
     }},
    {"tf32_linear",
     [](const MakeInput& in) {
       return std::vector{einsum("mk,nk->mn", in("x", f32, {200, 140}), in("weight", f32, {264, 140}))};
     },
     "tf32"},
    {"tf32_linear_gelu",  // b dealt
     [](const MakeInput& in) {
       Tensor h = einsum("mk,nk->mn", in("x", f32, {130, 72}), in("weight", f32, {224, 72})) + in("bias", f32, {224});
       return std::vector{h, nn::gelu(h)};
     },
     "tf32"},
    {"tf32_data_gradient",  // a copy of b lies along K; its lines, old and new, end within 16 bytes
     [](const MakeInput& in) {
       Tensor dy = slice(in("dy", f32, {136, 76}), 1, {0, 74}), w = slice(in("weight", f32, {74, 204}), 1, {0, 202});
       return std::vector{in("r", f32, {136, 202}) + einsum("mk,kn->mn", dy, w)};
     },
     "tf32"},
    {"tf32_weight_gradient",  // copies of both
     [](const MakeInput& in) {
       Tensor g = einsum("kn,km->nm", in("dy", f32, {600, 136}), in("x", f32, {600, 72}));
       return std::vector{in("r", f32, {136, 72}) - 0.1 * g};
     },
     "tf32"},
    {"tf32_scores",
     [](const MakeInput& in) {
       Tensor q = in("q", f32, {2, 72, 3, 64}), k = in("k", f32, {2, 72, 3, 64});
       return std::vector{einsum("bthd,bshd->bhts", q, k) * 0.125};
     },
     "tf32"},
    {"tf32_weighted_values",  // a copy of planes
     [](const MakeInput& in) {
       Tensor p = in("p", f32, {2, 3, 72, 72}), v = in("v", f32, {2, 72, 3, 64});
       return std::vector{einsum("bhts,bshd->bthd", p, v)};
     },
     "tf32"},
    {"tf32_few_rows",
     [](const MakeInput& in) {
       return std::vector{einsum("mk,nk->mn", in("x", f32, {40, 328}), in("weight", f32, {136, 328})) +
                          in("bias", f32, {136})};
     },
     "tf32"},
    {"tf32_halves",
     [](const MakeInput& in) {
       return std::vector{einsum("mk,nk->mn", in("x", f32, {40, 548}), in("weight", f32, {72, 548}))};
     },
     "tf32"},
    {"f32_linear_gelu",  // three products of tf32
     [](const MakeInput& in) {
       Tensor h = einsum("mk,nk->mn", in("x", f32, {130, 74}), in("weight", f32, {224, 74})) + in("bias", f32, {224});
       return std::vector{h, nn::gelu(h)};
     }},
    {"f32_weight_gradient",
     [](const MakeInput& in) {
       Tensor g = einsum("kn,km->nm", in("dy", f32, {602, 136}), in("x", f32, {602, 72}));
       return std::vector{in("r", f32, {136, 72}) - 0.1 * g};
     }},
    {"f32_scores",  // lines that begin within 16 bytes
     [](const MakeInput& in) {
       Tensor q = in("q", f32, {2, 72, 3, 68}), k = slice(in("k", f32, {2, 72, 3, 72}), 3, {3, 69});
       return std::vector{einsum("bthd,bshd->bhts", slice(q, 3, {0, 66}), k) * 0.125};
     }},
    {"few_rows_dealt",
     [](const MakeInput& in) {
       Tensor h = einsum("mk,nk->mn", in("x", f16, {40, 328}), in("weight", f16, {160, 328})) + in("bias", f16, {160});
       return std::vector{h, nn::gelu(h)};
     }},
    {"halves_dealt",  // one result; each block of a pair keeps 32 columns
     [](const MakeInput& in) {
       return std::vector{einsum("mk,nk->mn", in("x", bf16, {40, 1096}), in("weight", bf16, {2144, 1096})) +
                          in("bias", bf16, {2144})};
     }},
    {"gelu_derivative",  // an input beside the sums, with ragged ends; b along rows
     [](const MakeInput& in) { return std::vector{gelu_data_gradient(200, 264, 64, bf16, in)}; }},
    {"gelu_derivative_f16", [](const MakeInput& in) { return std::vector{gelu_data_gradient(130, 200, 72, f16, in)}; }},
    {"beside",  // two inputs and a bias beside two results, in two planes; one lies in longer lines
     [](const MakeInput& in) {
       Tensor y = einsum("zmk,znk->zmn", in("x", bf16, {2, 70, 72}), in("weight", bf16, {2, 136, 72}));
       Tensor r = slice(in("z", bf16, {2, 70, 152}), 2, {8, 144}) + y;
       return std::vector{r + in("bias", bf16, {136}), r * in("s", bf16, {2, 70, 136})};
     }},
    {"rows_of_patches",  // a picture with its channels first, windows side by side, and the gradient of their filter
     [](const MakeInput& in) {
       const std::vector<WindowRelation> windows = {{'h', 'p', 'r', 8, 1, 0}, {'w', 'q', 's', 8, 1, 0}};
       Tensor x = in("x", bf16, {5, 3, 32, 40});
       Tensor y = contract(x, in("weight", bf16, {72, 3, 8, 8}), "nchw,kcrs->nkpq", windows);
       Tensor dy = permute(in("dy", bf16, {5, 4, 5, 72}), {0, 3, 1, 2});
       Tensor g = contract(x, dy, "nchw,nkpq->kcrs", windows, {{'r', 8}, {'s', 8}});
       return std::vector{permute(y, {0, 2, 3, 1}) + in("bias", bf16, {72}), in("w", bf16, {72, 3, 8, 8}) - 0.1 * g};
     }},
    {"sums_with_tanh",  // of a value beside the sums, and of one that all of a column have; each is read as a sigmoid
     [](const MakeInput& in) {
       Tensor y = cast(einsum("mk,nk->mn", in("x", bf16, {136, 72}), in("weight", bf16, {200, 72})), f32);
       Tensor t = tanh(cast(in("s", bf16, {136, 200}), f32)), u = tanh(cast(in("bias", bf16, {200}), f32));
       Tensor a = cast(in("r", bf16, {136, 200}), f32);
       return std::vector{cast(y * a + (y * y + (1 + t)), bf16), cast((1 - u * u) + (y + y * a), bf16)};
     }},
};

// As tensor cores take f32. Half ways go to even by the copy engine, away from zero before mma.sync.
enum class HalfWays { to_even, away };
void round_to_tf32(Buffer& values, HalfWays half_ways = HalfWays::to_even) {
  auto* all = values.as<uint32_t>();
  for (size_t i = 0; i < values.bytes() / sizeof *all; ++i) {
    const uint32_t more = half_ways == HalfWays::away ? 0x1000 : 0xfff + (all[i] >> 13 & 1);
    if ((all[i] & 0x7f800000) != 0x7f800000) all[i] = (all[i] + more) & 0xffffe000;
  }
}

// Too large to be run here: pairs have more than one tile.
const TileProgram b_stays = {"b_stays", [](const MakeInput& in) {
                               Tensor h =
                                   einsum("mk,nk->mn", in("x", bf16, {2048, 768}), in("weight", bf16, {3072, 768})) +
                                   in("bias", bf16, {3072});
                               return std::vector{h, nn::gelu(h)};
                             }};

RowProgram recorded(const TileProgram& program) {
  Draw draw(23);
  RowProgram made = recorded_program(
      program.name,
      [&](const std::string& name, DType dtype, const Shape& shape) {
        // Where gelu is nothing, and where it is its input.
        Tensor drawn = random_tensor(draw, dtype, shape, name == "h" ? Domain{-8, 8} : Domain{-1, 1});
        // What no product reads has such values, so that all arguments may be rounded for the reference.
        if (dtype == f32 && (name == "r" || name == "bias")) round_to_tf32(*drawn.node()->value);
        if (dtype == f32 && name == "x") {  // a NaN as devices make it, and an infinity
          drawn.node()->value->as<uint32_t>()[5] = 0x7fffffff;
          // Of three products, infinity times what is left of a value may be NaN.
          if (program.precision == std::string_view("tf32"))
            drawn.node()->value->as<float>()[shape.dims().back() * 7 + 3] = INFINITY;
        }
        return drawn;
      },
      [&](const MakeInput& in) { return program.record(in); });
  made.program.precision = program.precision;
  return made;
}
bool is_tf32(const RowProgram& made) { return made.program.precision == Precision("tf32"); }
bool is_of_f32(const RowProgram& made) { return std::string_view(made.name).starts_with("f32"); }

bool is_tiles(const cuda::LoweredProgram& lowered) {
  return std::ranges::any_of(lowered.kernels,
                             [](const auto& k) { return k.text.find("tile.cuh") != std::string::npos; });
}

// A product of 16 bits that is widened is not rounded in between, as the reference does: then the kernels of any card are
// what is compared with.
bool widens(const RowProgram& made) {
  return !is_tf32(made) && !is_of_f32(made) &&
         std::ranges::any_of(made.results, [](const Tensor& result) { return result.dtype() == f32; });
}

std::vector<BufferPtr> by_reference(const RowProgram& made, HalfWays half_ways = HalfWays::to_even) {
  std::vector<BufferPtr> arguments = made.arguments;
  if (is_tf32(made))
    for (BufferPtr& argument : arguments) {
      auto rounded = std::make_shared<Buffer>(argument->bytes());
      std::memcpy(rounded->data(), argument->read(), argument->bytes());
      round_to_tf32(*rounded, half_ways);
      argument = rounded;
    }
  return reference_executor().compile(made.program)->run(made.program, arguments);
}

std::string differences(const RowProgram& made, const cuda::LoweredProgram& lowered, const HeaderEdit& edit = {}) {
  return kernel_differences(made.results, run_on_host(lowered, made.program, made.arguments, edit),
                            widens(made)
                                ? run_on_host(cuda::lower_program(made.program, {}), made.program, made.arguments)
                                : by_reference(made));
}

// A program with one of its schedules.
struct Scheduled {
  int program, schedule;
};

class CudaTileContract : public ::testing::TestWithParam<Scheduled> {};

TEST_P(CudaTileContract, agrees_with_the_reference) {
  const RowProgram made = recorded(programs[GetParam().program]);
  const cuda::LoweredProgram lowered = cuda::lower_program(made.program, {"sm_90a", GetParam().schedule});
  ASSERT_TRUE(is_tiles(lowered));
  EXPECT_EQ(differences(made, lowered), "") << lowered.kernels[0].text;
}

// The same by mma.sync.
TEST(CudaTileContracts, tf32_of_any_card_agrees_with_the_reference) {
  for (const TileProgram& program : programs) {
    const RowProgram made = recorded(program);
    if (!is_tf32(made)) continue;
    SCOPED_TRACE(program.name);
    const cuda::LoweredProgram lowered = cuda::lower_program(made.program, {});
    EXPECT_NE(lowered.kernels[0].text.find("MmaSums<Tf32, "), std::string::npos);
    auto found = [&](const HeaderEdit& edit) {
      return kernel_differences(made.results, run_on_host(lowered, made.program, made.arguments, edit),
                                by_reference(made, HalfWays::away));
    };
    EXPECT_EQ(found({}), "");
    const HeaderEdit planted{"mma_sums.cuh", "x[r] = round_to_tf32(of.x[i][r])", "x[r] = of.x[i][r]"};
    EXPECT_NE(found(planted), "") << "truncated";
  }
}

// Tiles of a block follow each other: values of the columns of the next one wait until the slowest warp has read those of
// this one.
TEST(CudaTileContracts, columns_of_the_next_tile_wait) {
  const TileProgram of_many_tiles[] = {
      {"f32_linear",
       [](const MakeInput& in) {
         return std::vector{einsum("mk,nk->mn", in("y", f32, {8600, 8}), in("weight", f32, {256, 8})) +
                            in("bias", f32, {256})};
       }},
      {"linear_gelu", [](const MakeInput& in) {
         Tensor h =
             einsum("mk,nk->mn", in("x", bf16, {8600, 8}), in("weight", bf16, {256, 8})) + in("bias", bf16, {256});
         return std::vector{h, nn::gelu(h)};
       }}};
  for (const TileProgram& program : of_many_tiles) {
    const RowProgram made = recorded(program);
    int dealt = 0;
    for (int schedule = 0; schedule < 4; ++schedule) {
      const cuda::LoweredProgram lowered = cuda::lower_program(made.program, {"sm_90a", schedule});
      if (!is_tiles(lowered)) break;
      dealt += std::ranges::any_of(lowered.kernels, [](const cuda::KernelSource& kernel) {
        return kernel.text.find("b dealt") != std::string::npos &&
               kernel.text.find("; 132 blocks") != std::string::npos;
      });
      EXPECT_EQ(differences(made, lowered), "") << program.name << " " << schedule;
    }
    EXPECT_GT(dealt, 0) << program.name << ": no block has two tiles";
  }
}

// The second tile of a pair takes K the other way, and finds of b what the first has read last.
TEST(CudaTileContracts, steps_of_b_stay) {
  const RowProgram made =
      recorded({"linear", [](const MakeInput& in) {
                  Tensor h = einsum("mk,nk->mn", in("x", bf16, {4300, 504}), in("weight", bf16, {384, 504})) +
                             in("bias", bf16, {384});
                  return std::vector{h, 0.5 * h};
                }});
  cuda::LoweredProgram lowered;
  for (int k = 0; lowered.kernels.empty() || lowered.kernels[0].text.find("; 7 steps of b stay") == std::string::npos;
       ++k) {
    lowered = cuda::lower_program(made.program, {"sm_90a", k});
    ASSERT_TRUE(is_tiles(lowered)) << "in no schedule";
  }
  std::string& text = lowered.kernels[0].text;
  EXPECT_EQ(differences(made, lowered), "") << text;
  const std::string turned = "consumer == 1 ? 448 - walked : walked";
  text.replace(text.find(turned), turned.size(), "walked");
  EXPECT_NE(differences(made, lowered), "");
}

// What stands beside the next one comes to where results of this one leave from: when they have left. One block or a
// pair has all tiles here.
TEST(CudaTileContracts, inputs_beside_the_next_tile_wait) {
  const RowProgram made = recorded(
      {"gelu_derivative", [](const MakeInput& in) { return std::vector{gelu_data_gradient(520, 392, 8, bf16, in)}; }});
  int checked = 0;
  for (int schedule = 0; schedule < 60; ++schedule) {
    cuda::LoweredProgram lowered = cuda::lower_program(made.program, {"sm_90a", schedule});
    if (!is_tiles(lowered)) break;
    const std::string& text = lowered.kernels.back().text;
    const bool has_more_rounds_than_buffers = text.find("tile 128 x 192") != std::string::npos;
    if (text.find("one input beside the sums") == std::string::npos || (schedule > 0 && !has_more_rounds_than_buffers))
      continue;
    lowered.plan.launches.back().tasks = text.find("pairs along") != std::string::npos ? 2 : 1;
    EXPECT_EQ(differences(made, lowered), "") << schedule;
    checked += has_more_rounds_than_buffers;
    if (schedule > 0 && checked > 1) continue;
    EXPECT_NE(differences(made, lowered, {"beside.cuh", "store_wait_read<0>();", ""}), "") << schedule;
    if (!has_more_rounds_than_buffers) continue;
    EXPECT_NE(differences(made, lowered, {"beside.cuh", "store_wait_read<behind - 1>();", ""}), "") << schedule;
  }
  EXPECT_GE(checked, 3);
}

// And three products, which keep a NaN as devices make it.
TEST(CudaTileContracts, f32_of_any_card_agrees_with_the_reference) {
  for (const TileProgram& program : programs) {
    const RowProgram made = recorded(program);
    if (!is_of_f32(made)) continue;
    EXPECT_EQ(differences(made, cuda::lower_program(made.program, {})), "") << program.name;
  }
}

std::vector<Scheduled> scheduled() {
  std::vector<Scheduled> all;
  for (int k = 0; k < static_cast<int>(std::size(programs)); ++k)
    for (int schedule : {0, 2 + k % 7}) all.push_back({k, schedule});
  return all;
}
std::string name_of(const ::testing::TestParamInfo<Scheduled>& one) {
  return std::string(programs[one.param.program].name) + "_" + std::to_string(one.param.schedule);
}
INSTANTIATE_TEST_SUITE_P(programs, CudaTileContract, ::testing::ValuesIn(scheduled()), name_of);

// The same on a card: launch by launch, then by a graph, with the same bits each time.
class CudaTileContractOnCard : public ::testing::TestWithParam<Scheduled> {};

TEST_P(CudaTileContractOnCard, agrees_with_the_reference) {
  std::string architecture;
  try {
    architecture = cuda::use_device().architecture;
  } catch (const DeviceError&) {
    GTEST_SKIP() << "no GPU on this host";
  }
  const RowProgram made = recorded(programs[GetParam().program]);
  cuda::CompiledProgram compiled = cuda::compile_program(made.program, {architecture, GetParam().schedule});
  if (!is_tiles(compiled.lowered)) GTEST_SKIP() << "no such schedule";
  constexpr int beyond = 1000;  // no such schedule: the kernels of any card
  std::vector<BufferPtr> arguments = made.arguments;
  const std::vector<BufferPtr> expected =
      widens(made) ? cuda::ProgramRunner(cuda::compile_program(made.program, {architecture, beyond}))
                         .run(made.program, arguments)
                   : by_reference(made);
  cuda::ProgramRunner runner(std::move(compiled));
  std::vector<std::string> bits;
  for (int run = 0; run < 3; ++run) {
    arguments = made.arguments;
    const std::vector<BufferPtr> got = runner.run(made.program, arguments);
    EXPECT_EQ(kernel_differences(made.results, got, expected), "");
    std::string& all = bits.emplace_back();
    for (const BufferPtr& result : got) all.append(static_cast<const char*>(result->read()), result->bytes());
  }
  EXPECT_TRUE(bits[0] == bits[1] && bits[1] == bits[2]);
}

INSTANTIATE_TEST_SUITE_P(programs, CudaTileContractOnCard, ::testing::ValuesIn([] {
                           std::vector<Scheduled> all;
                           for (int k = 0; k < static_cast<int>(std::size(programs)); ++k)
                             for (int schedule = 0; schedule < 16; ++schedule) all.push_back({k, schedule});
                           return all;
                         }()),
                         name_of);

// Every program in each of its first schedules.
TEST(CudaTileContracts, nvrtc_takes_them_as_scheduled) {
  try {
    cuda::compiler_version();
  } catch (const DeviceError&) {
    GTEST_SKIP() << "no NVRTC on this host";
  }
  std::vector<std::string> refused;
  std::string said;
  std::vector<TileProgram> all(std::begin(programs), std::end(programs));
  all.push_back(b_stays);
  for (const TileProgram& program : all) {
    const RowProgram made = recorded(program);
    for (int schedule = 0; schedule < (program.record == b_stays.record ? 1 : 8); ++schedule) {
      const cuda::LoweredProgram lowered = cuda::lower_program(made.program, {"sm_90a", schedule});
      if (!is_tiles(lowered)) continue;
      for (const cuda::KernelSource& kernel : lowered.kernels) {
        const cuda::Cubin cubin = cuda::compile_kernel(kernel.name + ".cu", kernel.text, "sm_90a",
                                                       cuda::OnRefusal::report, cuda::TextOf::rows);
        if (cubin.facts.refused.empty()) continue;
        refused.push_back(std::string(program.name) + " " + std::to_string(schedule));
        for (const std::string& line : cubin.facts.refused) said += line + "\n";
      }
    }
  }
  EXPECT_THAT(refused, ::testing::IsEmpty()) << said;
}

// Labels that are names of functions that texts call, or words of C++.
TEST(CudaTileContracts, labels_hide_nothing) {
  const RowProgram made =
      recorded({"labels", [](const MakeInput& in) {
                  Tensor y = einsum("mk,nk->mn", in("rows", bf16, {64, 72}), in("fetch_maps", bf16, {128, 72}));
                  return std::vector{y + in("new", bf16, {128}),
                                     softmax(in("across_lanes", bf16, {64, 32}) * in("min", bf16, {64, 32}), 1)};
                }});
  for (const char* architecture : {"sm_80", "sm_90a"})
    EXPECT_EQ(differences(made, cuda::lower_program(made.program, {architecture})), "") << architecture;
}

// Other cards, and what the copy engine cannot bring, have the kernels of any card.
TEST(CudaTileContracts, are_for_their_target) {
  const RowProgram made = recorded(programs[0]);
  EXPECT_FALSE(is_tiles(cuda::lower_program(made.program, {})));
  EXPECT_FALSE(is_tiles(cuda::lower_program(made.program, {"sm_89", 0})));
  const RowProgram odd =
      recorded({"odd", [](const MakeInput& in) {
                  return std::vector{einsum("mk,nk->mn", in("x", bf16, {64, 63}), in("y", bf16, {64, 63}))};
                }});
  EXPECT_FALSE(is_tiles(cuda::lower_program(odd.program, {"sm_90a", 0})));
}

// Of the policy a GPU makes what its reports say.
TEST(CudaTileContracts, reports_name_tf32) {
  for (const char* architecture : {"sm_80", "sm_90a"})
    for (const TileProgram& program : programs) {
      RowProgram made = recorded(program);
      if (!is_tf32(made)) continue;
      auto multiplied = [&] {
        std::set<std::string> found;
        for (const codegen::PlanLaunch& launch : cuda::lower_program(made.program, {architecture}).plan.launches)
          found.insert(launch.types.multiplies);
        return found;
      };
      EXPECT_TRUE(multiplied().contains("tf32")) << program.name;
      EXPECT_FALSE(multiplied().contains("f32")) << program.name;
      made.program.precision = "f32";
      EXPECT_FALSE(multiplied().contains("tf32")) << program.name;
    }
}

// Results that fit stay where the next kernel finds them. (Columns are no whole 32s, or b would be dealt.)
TEST(CudaTileContracts, what_L2_cannot_hold_leaves_it_first) {
  for (const auto& [rows, is_first] : {std::pair{4096, false}, {16384, true}}) {
    const RowProgram made = recorded_program(
        "linear_gelu",
        [](const std::string&, DType dtype, const Shape& shape) {
          return tensor_from(std::make_shared<Buffer>(static_cast<size_t>(shape.numel()) * size_of(dtype)), dtype,
                             shape);
        },
        [rows = rows](const MakeInput& in) {
          Tensor h =
              einsum("mk,nk->mn", in("x", bf16, {rows, 64}), in("weight", bf16, {2056, 64})) + in("bias", bf16, {2056});
          return std::vector{h, nn::gelu(h)};
        });
    const std::string text = cuda::lower_program(made.program, {"sm_90a", 0}).kernels[0].text;
    EXPECT_EQ(text.find("store_evict_first(mul_value, tile") != std::string::npos, is_first) << text;
    EXPECT_EQ(text.find("store(mul_value, tile") == std::string::npos, is_first) << text;
    try {
      EXPECT_THAT(
          cuda::compile_kernel("k.cu", text, "sm_90a", cuda::OnRefusal::report, cuda::TextOf::rows).facts.refused,
          ::testing::IsEmpty());
    } catch (const DeviceError&) {
      GTEST_SKIP() << "no NVRTC on this host";
    }
  }
}

TEST(CudaTileContracts, have_a_golden_text) {
  for (const char* name :
       {"linear", "linear_gelu", "dealt", "few_rows", "halves", "halves_dealt", "conv", "conv_filter_gradient",
        "rows_of_patches", "tf32_linear_gelu", "tf32_data_gradient", "f32_linear_gelu", "gelu_derivative", "b_stays"}) {
    const auto* found =
        std::ranges::find_if(programs, [&](const TileProgram& p) { return std::string(p.name) == name; });
    const TileProgram& program = found == std::end(programs) ? b_stays : *found;
    std::string text;
    for (const cuda::KernelSource& kernel : cuda::lower_program(recorded(program).program, {"sm_90a", 0}).kernels)
      text += kernel.text;
    const fs::path actual = fs::path(TESSERA_CUDA_ACTUAL) / (std::string(name) + ".cu");
    fs::create_directories(actual.parent_path());
    std::ofstream(actual) << text;
    std::ostringstream golden;
    golden << std::ifstream(fs::path(TESSERA_CUDA_TILE_CONTRACT) / (std::string(name) + ".cu")).rdbuf();
    EXPECT_EQ(text, golden.str()) << "what it is now: " << actual;
  }
}

// A fault in the text or in the device header must be seen, or running texts here proves nothing.
struct Planted {
  int program;
  const char* of_schedule;       // the first of which a text says this
  const char *file, *from, *to;  // file "": that text
};

class CudaTilePlanted : public ::testing::TestWithParam<Planted> {};

TEST_P(CudaTilePlanted, is_found) {
  const Planted& planted = GetParam();
  const RowProgram made = recorded(programs[planted.program]);
  cuda::LoweredProgram lowered;
  auto says = [&](const cuda::KernelSource& k) { return k.text.find(planted.of_schedule) != std::string::npos; };
  for (int k = 0; std::ranges::none_of(lowered.kernels, says); ++k) {
    lowered = cuda::lower_program(made.program, {"sm_90a", k});
    ASSERT_TRUE(is_tiles(lowered)) << "no schedule says " << planted.of_schedule;
  }
  const bool in_text = std::string_view(planted.file).empty();
  if (in_text) {
    std::string& text = std::ranges::find_if(lowered.kernels, says)->text;
    const size_t at = text.find(planted.from);
    ASSERT_NE(at, std::string::npos) << "the text no longer says " << planted.from << "\n" << text;
    text.replace(at, std::strlen(planted.from), planted.to);
  }
  std::string found;
  try {
    found = differences(made, lowered, in_text ? HeaderEdit{} : HeaderEdit{planted.file, planted.from, planted.to});
  } catch (const std::logic_error& stuck) {
    found = stuck.what();
  }
  EXPECT_NE(found, "");
}

INSTANTIATE_TEST_SUITE_P(
    texts, CudaTilePlanted,
    ::testing::Values(
        Planted{0, "192, 64> b", "", "k < 136", "k < 128"}, Planted{0, "192, 64> b", "", "{136, 200}", "{136, 192}"},
        Planted{0, "192, 64> b", "", "n_first + column", "n_first"}, Planted{0, "192, 64> b", "", "rank * 96)", "0)"},
        Planted{0, "Turns", "shared.cuh", "part.address() + offset, 16, 1024", "part.address() + offset, 16, 512"},
        Planted{0, "Turns", "shared.cuh", "(chunk ^ (row % 8))", "chunk"},
        Planted{0, "Turns", "channel.cuh", "channel.empty[i].wait(phase ^ 1)", "channel.empty[i].wait(phase)"},
        Planted{0, "256, 64> b", "finish.cuh", "store_wait_read<buffers - 1>()", "store_wait_read<9>()"},
        Planted{4, "K in 3 parts", "", "k_first = t / 4 * 256", "k_first = 0"},
        Planted{4, "K in 3 parts", "", "min(k_first + 256, 600)", "k_first + 256"},
        Planted{4, "64, 128> b", "shared.cuh", "Part::pitch * 128, 1024)", "1024, 1024)"},
        Planted{1, "ColumnValues", "", "bias + n_first", "bias"},
        Planted{1, "ColumnValues", "columns.cuh", "column % 32 / 8", "(column / 8 + 1) % 4"},
        Planted{1, "ColumnValues", "finish.cuh", "c % 32 / 8 + i / 2", "c % 32 / 8"},
        Planted{1, "ColumnValues", "finish.cuh", "first = -2.f", "first = 2.f"},
        Planted{16, "b dealt", "finish.cuh", "reciprocal(1.f + exp2(-", "reciprocal(1.f + exp2("},
        Planted{1, "128, 64> b[7];\n  Tile<float", "finish.cuh", "place % columns * 64 + column, load", "column, load"},
        Planted{7, "a through a window", "", "{-1, -1}, {-1, -1}", "{-1, -1}, {0, -1}"},
        Planted{7, "a through a window", "", "{72, 11, 9, 2}", "{72, 10, 9, 2}"},
        Planted{7, "a through a window", "", "% 11", "% 9"}, Planted{8, "a through a window", "", "{3, 2}}", "{2, 2}}"},
        Planted{14, "steps of 128", "", "{328, 136}", "{320, 136}"},
        Planted{14, "one tile each", "", "n_first = t * 32", "n_first = 0"},
        Planted{17, "one tile for each pair", "", "t = blockIdx.x / 2", "t = blockIdx.x"},
        Planted{14, "steps of 128", "shared.cuh", "k / Part::line * Part::pitch * 128", "0"},
        Planted{17, "add halves", "", "k_first = rank * 640", "k_first = 0"},
        Planted{17, "add halves", "", " + rank * 16", ""}, Planted{17, "add halves", "halves.cuh", "full.wait(0);", ""},
        Planted{17, "add halves", "halves.cuh", "full, 1 - rank", "full, rank"},
        Planted{17, "add halves", "halves.cuh", "rank == 0 ? sums.v[registers + i + k] : sums.v[i + k]",
                "rank == 1 ? sums.v[registers + i + k] : sums.v[i + k]"},
        Planted{17, "add halves", "halves.cuh", "theirs[k] + sums.v[registers + i + k]", "theirs[k] + sums.v[i + k]"},
        Planted{11, "a through a window", "", "8 - k / 128", "k / 128"},
        Planted{15, "b dealt", "", "{1, 72, 576, 144, 2304}", "{1, 72, 144, 576, 2304}"},
        Planted{15, "b dealt", "", "bias + n_first", "bias"},
        Planted{15, "b dealt", "columns.cuh", "[column % 32 / 8][column % 8 / 2]", "[column % 8 / 2][column % 32 / 8]"},
        Planted{15, "b dealt", "finish.cuh", "lane() % 4 * width, of_lane", "0, of_lane"},
        Planted{15, "b dealt", "finish.cuh", "first / 2 + k / 2 * 4 + 2 * i", "first / 2 + k / 2 * 4"},
        Planted{18, "tf32", "", "{140, 200}", "{136, 200}"},
        Planted{18, "tf32", "", "{1, 140}, {}, {}, MapElement::tf32", "{1, 140}, {}, {}, MapElement::half"},
        Planted{18, "tf32", "fragment.cuh", "32 / int(sizeof(typename A::Element))", "16"},
        Planted{19, "b dealt", "", "{1, 72, 288, 144, 1152}", "{1, 72, 144, 288, 1152}"},
        Planted{19, "b dealt", "", ".at<4>(column)", ".at<4>(0)"},
        Planted{20, "turn<", "operand_copies.cuh", "(length + 3) / 4 * 4", "length / 4 * 4"},
        Planted{20, "turn<", "operand_copies.cuh", "first + j < end", "first + j + 1 < end"},
        Planted{20, "turn<", "operand_copies.cuh", "__syncthreads();", ""},
        Planted{23, "turn<", "", "plane / 3", "plane / 9"},
        Planted{26, "copy_lines<74, 130", "operand_copies.cuh", "bits >> 13", "bits >> 14"},
        Planted{26, "copy_lines<74, 130", "", "block - ", "block + 0 * "},
        Planted{27, "turn<", "operand_copies.cuh", "store(to.rests + at", "store(to.rests + line"},
        Planted{28, "copy_lines<", "operand_copies.cuh", "first + j < end", "first + j + 1 < end"},
        Planted{28, "copy_lines<", "", "plane / 3", "plane / 9"},
        Planted{30, "add halves", "", "0, n_first / 32", "0, 0"}, Planted{30, "add halves", "", " + rank * 32", ""},
        Planted{12, "columns<64>(rows<32>(shared.b[s], rank * 32), 64)", "shared.cuh", "::line * P * 128",
                "::line * R * 128"},
        Planted{31, "128 x 192", "", "load(tile, h, slot, n_first + column", "load(tile, h, slot, n_first"},
        Planted{31, "128 x 192", "", "m_first + row);", "m_first);"},
        Planted{31, "128 x 192", "beside.cuh", "phases ^= 1u << buffer;", ""},
        Planted{31, "128 x 192", "beside.cuh", "round % (N / 64) * 64);", "0);"},
        Planted{31, "one input beside", "finish.cuh", "place_of_lane(tiles[k], c + j)", "place_of_lane(tiles[k], c)"},
        Planted{31, "one input beside", "", "1.5957692f", "0.7978846f"},
        Planted{31, "one input beside", "", "::fmaf(-half_1, half_1, half_1)", "half_1"},
        Planted{33, "two inputs beside", "beside.cuh", "staging[buffer * tiles + k]", "staging[buffer * tiles]"},
        Planted{33, "two inputs beside", "", "brought[1]", "brought[0]"}));

}  // namespace
}  // namespace tessera::testing
