// The kin of attention as CUDA C++: layouts, masks and statistics of many kinds, forward and backward, with no more error
// than the processor's cascades. What goes wrong in a text is seen, and what has no kernel yet says so. Built twice: for the
// card, and for the processor (tests/codegen/cuda_rows/host).

#include <cmath>
#include <functional>
#include <limits>
#include <ostream>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tessera/autograd/grad.h>
#include <tessera/core/ops.h>
#include <tessera/core/random.h>
#include <tessera/nn/functional.h>
#include <tessera/nn/losses.h>
#include <tessera/nn/training.h>

#include "tests/codegen/cuda_rows/host_run.h"
#include "tests/planes/attention.h"
#include "tests/planes/cuda_planes.h"
#include "tests/support/host_data.h"

namespace tessera::testing {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
using Tensors = std::vector<Tensor>;

struct Kin {
  std::string name;
  std::vector<Shape> shapes;  // of what gets gradients
  std::function<Tensor(const Tensors&)> result;
  int cascades;
  int with_roles;  // of them on sm_90a
  DType dtype = f32;
  bool has_grads = true;  // gradients are results too
  std::string policy = dtype == f32 ? "bf16_mixed" : "f32";
};

std::ostream& operator<<(std::ostream& out, const Kin& one) { return out << one.name; }

Tensor ramp(const Shape& shape, int64_t modulus, DType dtype = f32) {
  std::vector<double> values;
  for (int64_t i = 0; i < shape.numel(); ++i) values.push_back(static_cast<double>(i * 7 % modulus));
  return from_doubles(values, dtype, shape);
}

// Under a policy numbers that 16 bits hold, so that its rounding of arguments loses nothing.
Tensor drawn(Draw& draw, const Shape& shape, const Kin& kin, DType dtype) {
  return random_tensor(draw, kin.policy == "f32" ? kin.dtype : bf16, dtype, shape, {-1, 1});
}

Tensor scores(const Tensors& x, double factor = 0.25) { return einsum("bthd,bshd->bhts", x[0], x[1]) * factor; }
Tensor values(const Tensor& p, const Tensors& x) { return einsum("bhts,bshd->bthd", p, x[2]); }
std::vector<Shape> heads(int64_t rows, int64_t columns, int64_t width) {
  return {{2, rows, 2, width}, {2, columns, 2, width}, {2, columns, 2, width}};
}

const std::vector<Kin>& all_kin() {
  static const std::vector<Kin> all = {
      {"grouped_heads",
       {{2, 70, 2, 3, 16}, {2, 90, 2, 16}, {2, 90, 2, 16}},
       [](const Tensors& x) {
         Tensor s = einsum("btgrd,bsgd->bgrts", x[0], x[1]) * 0.25;
         const Shape plane{70, 90};
         s = where(iota(plane, 0) + 20 >= iota(plane, 1), s, -infinity);
         return einsum("bgrts,bsgd->btgrd", softmax(s, -1), x[2]);
       },
       3,
       3},
      {"keys_along_columns",
       {{2, 2, 70, 32}, {2, 2, 32, 96}, {2, 2, 32, 96}},
       [](const Tensors& x) {
         return einsum("bhts,bhds->bhtd", softmax(einsum("bhtd,bhds->bhts", x[0], x[1]) * 0.25, -1), x[2]);
       },
       3,
       0},
      {"odd_width", heads(70, 90, 7), [](const Tensors& x) { return values(softmax(scores(x), -1), x); }, 3, 0},
      {"width_of_20", heads(130, 90, 20), [](const Tensors& x) { return values(softmax(scores(x), -1), x); }, 3, 0},
      {"f16", heads(70, 90, 32), [](const Tensors& x) { return values(softmax(scores(x), -1), x); }, 1, 1, f16, false},
      {"dropout", heads(70, 90, 32),
       [](const Tensors& x) {
         nn::Training on;
         return values(nn::dropout(softmax(scores(x), -1), 0.25), x);
       },
       3, 3},
      {"stored_mask", heads(70, 90, 32),
       [](const Tensors& x) {
         // The seventh row of each ten is hidden from end to end.
         Tensor mask = ramp({70, 90}, 5) < 3.0, row = iota({70, 90}, 0);
         mask = mask & (row - row / 10 * 10 != 7);
         return values(softmax(where(mask, scores(x), -infinity), -1), x);
       },
       3, 3},
      {"window_from_the_end", heads(70, 130, 32),
       [](const Tensors& x) {
         const Shape plane{70, 130};
         Tensor back = iota(plane, 0) - (iota(plane, 1) + (70 - 130));
         return values(softmax(where(back >= 0 && back < 16, scores(x), -infinity), -1), x);
       },
       3, 3},
      {"bias", heads(70, 90, 32),
       [](const Tensors& x) { return values(softmax(scores(x) + ramp({2, 70, 90}, 11, x[0].dtype()) * 0.1, -1), x); },
       3, 3},
      {"lengths_with_a_finite_fill", heads(70, 150, 32),
       [](const Tensors& x) {
         Tensor length = from_doubles({150, 40}, i32, {2, 1, 1, 1});
         return values(softmax(where(iota({70, 150}, 1) < cast(length, i64), scores(x), -1e30), -1), x);
       },
       3, 3},
      {"exponentials_that_overflow", heads(70, 150, 32),
       [](const Tensors& x) { return values(softmax(scores(x, 80), -1), x); }, 3, 3},
      {"cross_entropy",
       {{300, 32}, {1000, 32}},
       [](const Tensors& x) {
         return nn::cross_entropy(einsum("td,vd->tv", x[0], x[1]), cast(ramp({300}, 1000), i32));
       },
       3,
       3},
      // Forward statistics alone, whose last read of a block is of what belongs to its columns.
      {"cross_entropy_with_a_bias",
       {{300, 32}, {1000, 32}},
       [](const Tensors& x) {
         Tensor bias = ramp({1000}, 5, x[0].dtype());
         return nn::cross_entropy(einsum("td,vd->tv", x[0], x[1]) + bias, cast(ramp({300}, 1000), i32));
       },
       3,
       3},
      {"rms_of_scores", heads(70, 150, 32),
       [](const Tensors& x) {
         Tensor s = scores(x);
         return values(s * rsqrt(mean(square(s), {-1}, true) + 1e-3), x);
       },
       4, 4},
      {"scaled_by_the_largest", heads(70, 150, 32),
       [](const Tensors& x) {
         Tensor s = square(scores(x));
         return values(s / max(s, {-1}, true), x);
       },
       1, 1, f32, false},
  };
  return all;
}

// Those of f32 without a policy.
std::vector<Kin> kin_in_f32() {
  std::vector<Kin> all;
  for (Kin one : all_kin()) {
    if (one.dtype != f32) continue;
    one.policy = "f32";
    one.with_roles = 0;
    if (one.name == "rms_of_scores") one.cascades = 3;  // nothing is rounded between its two sums
    all.push_back(std::move(one));
  }
  return all;
}

// The result and its gradients, of the same numbers in `dtype`.
Tensors results_of(const Kin& kin, DType dtype) {
  seed(11);  // of dropout
  Draw draw(11);
  Tensors x;
  for (const Shape& shape : kin.shapes) x.push_back(drawn(draw, shape, kin, dtype));
  Tensor out = kin.result(x);
  Tensors results = {out};
  if (kin.has_grads) {
    Tensor loss = sum(out * out * 0.5 + out * drawn(draw, out.shape(), kin, dtype));
    for (const Tensor& g : grad(loss, x)) results.push_back(g);
  }
  return results;
}

// The architecture "" is any card's.
class CudaKin : public OnCuda<std::tuple<Kin, std::string>> {};

TEST_P(CudaKin, agrees) {
  const auto& [kin, architecture] = GetParam();
  const Flat tested = flat(results_of(kin, kin.dtype), Precision(kin.policy));
  const DType exact = kin.dtype == f32 && kin.policy == "f32" ? f64 : kin.dtype;
  const cuda::LoweredProgram lowered = cuda::lower_program(tested.program, {architecture});
  const std::vector<BufferPtr> got = run_on_cuda(lowered, tested), other = run(*find_executor("jit"), tested),
                               want = run(reference_executor(), flat(results_of(kin, exact), {}));
  for (size_t i = 0; i < want.size(); ++i) {
    const double off = error(*got[i], kin.dtype, *want[i], exact),
                 of_other = error(*other[i], kin.dtype, *want[i], exact);
    std::printf("%s, result %zu: %.1e, on the processor %.1e\n", kin.name.c_str(), i, off, of_other);
    // A loss is one number, which is as close as its last place: the other one may be so by chance.
    const bool is_one = want[i]->bytes() == static_cast<size_t>(size_of(exact));
    const double more = exact != f64 ? 1e-4 : is_one ? std::ldexp(1, -23) : 0;
    EXPECT_LE(off, 2 * of_other + more) << "result " << i;
  }
  EXPECT_EQ(cascades(lowered), kin.cascades);
  EXPECT_EQ(cascades_with_roles(lowered), architecture.empty() ? 0 : kin.with_roles);
  for (const ir::Remark& remark : lowered.plan.remarks)
    if (cascades(lowered) != kin.cascades && remark.category == "plane")
      std::printf("%s: %s; %s\n", remark.name.c_str(), remark.text.c_str(), remark.reason.c_str());
}

std::string name_of(const ::testing::TestParamInfo<CudaKin::ParamType>& one) {
  const auto& [kin, architecture] = one.param;
  return kin.name + (architecture.empty() ? "" : "_on_" + architecture);
}

INSTANTIATE_TEST_SUITE_P(Of, CudaKin,
                         ::testing::Combine(::testing::ValuesIn(all_kin()), ::testing::ValuesIn(architectures())),
                         name_of);
INSTANTIATE_TEST_SUITE_P(OfF32, CudaKin, ::testing::Combine(::testing::ValuesIn(kin_in_f32()), ::testing::Values("")),
                         name_of);

#ifdef TESSERA_CUDA_ON_HOST
// What goes wrong in a text or in the header is seen.
struct Fault {
  std::string text_from, text_to;  // in each text that has it
  HeaderEdit header;
  bool is_masked = true;
};

// Texts of an architecture, whose results are right where no error is larger than `most`.
class PlantedFaults {
 public:
  PlantedFaults(std::string architecture, const char* policy, double most)
      : architecture_(std::move(architecture)),
        most_(most),
        masked_(right("causal", policy)),
        unmasked_(right("none", policy)) {}

  void find(const std::vector<Fault>& faults) const {
    EXPECT_LT(worst({}), most_);
    for (const Fault& fault : faults) EXPECT_FALSE(worst(fault) < most_) << fault.text_from << fault.header.from;
  }

 private:
  struct Right {
    Flat tested;
    std::vector<BufferPtr> truth;
  };
  static Right right(const char* variant, const char* policy) {
    const AttentionShape shape{1, 2, 150, 150, 64};
    const AttentionProgram program = attention_program(variant, shape, {"f32", bf16, f32, f32}, 7),
                           exact = attention_program(variant, shape, {"f64", bf16, f64, f64}, 7);
    return Right{flat(results_of(program), Precision(policy)), run(reference_executor(), flat(results_of(exact), {}))};
  }

  // The largest error of a result; infinite where a kernel does not end.
  double worst(const Fault& fault) const {
    const Right& with = fault.is_masked ? masked_ : unmasked_;
    cuda::LoweredProgram lowered = cuda::lower_program(with.tested.program, {architecture_});
    bool is_planted = fault.text_from.empty();
    for (cuda::KernelSource& kernel : lowered.kernels)
      for (size_t at = 0; !fault.text_from.empty() && (at = kernel.text.find(fault.text_from, at)) != std::string::npos;
           at += fault.text_to.size(), is_planted = true)
        kernel.text.replace(at, fault.text_from.size(), fault.text_to);
    EXPECT_TRUE(is_planted) << "no text says " << fault.text_from;
    std::vector<BufferPtr> arguments = with.tested.arguments, got;
    try {
      got = run_on_host(lowered, with.tested.program, arguments, fault.header);
    } catch (const std::logic_error&) {
      return infinity;
    }
    double most = 0;
    for (size_t i = 0; i < with.truth.size(); ++i) {
      const double off = error(*got[i], f32, *with.truth[i], f64);
      most = off <= most ? most : off;  // NaN too
    }
    return most;
  }

  const std::string architecture_;
  const double most_;
  const Right masked_, unmasked_;
};

class CudaPlanes : public ::testing::TestWithParam<std::string> {};

TEST_P(CudaPlanes, planted_faults_are_found) {
  const PlantedFaults planted(GetParam(), "bf16_mixed", 0.01);
  planted.find({
      {"m_last < n_first", "m_first <= n_first", {}},                  // a block on the diagonal left out
      {"n_last <= m_first", "n_first <= m_last", {}},                  // masks left out where they hide
      {"sum_1[i][h] *= ", "sum_1[i][h] *= 0.f * 1.f + 1.f; // ", {}},  // a repair left out
      {"scale_rows(", "// (", {}},                                     // the other one
      {"inside ? ", "true ? ", {}, false},                             // columns beyond the end
      {"across_quad<Max>(", "(", {}},                                  // each lane a maximum of its own
      {"", "", {"cascade.cuh", "x = How::of(x, of_lane_across(x, 1));", ""}},
      {"", "", {"cascade.cuh", "of[i][2 * k + r / 2]", "of[i][2 * k]"}},
      {"", "", {"cascade.cuh", "h * 8 + thread % 32 / 4", "thread % 32 / 4"}},
  });
  if (GetParam().empty())
    planted.find({
        {"bring(slot ^ 1, next)", "bring(slot, next)", {}},  // over what is being read
        {"",
         "",
         {"cascade.cuh", "row += lane / 16 * 8, k += lane / 8 % 2 * 8;",
          "row += lane / 8 % 2 * 8, k += lane / 16 * 8;"}},
    });
  else
    planted.find({
        {"wait_for_products<8>(score_1);", "", {}},          // scores before they are there
        {"[slot][column] = ", "[slot ^ 1][column] = ", {}},  // values of columns to where others are read
        {"slot, 0, n_first", "slot, 0, n_first + 8", {}},    // other columns than those
        {"", "", {"wgmma_plane.cuh", "operand_along_columns(rows, k)", "operand_along_columns(rows, 0)"}},
        {"", "", {"wgmma_plane.cuh", "operand_along_rows(right, k * 16)", "operand_along_rows(right, 0)"}},
        {"", "", {"wgmma_plane.cuh", "operand_along_columns(columns, k)", "operand_along_columns(columns, 0)"}},
        {"", "", {"channel.cuh", "writer.channel.empty[i].wait", "(void)"}},  // over what is being read
    });
}

INSTANTIATE_TEST_SUITE_P(Of, CudaPlanes, ::testing::Values("", "sm_90a"),
                         [](const auto& one) { return one.param.empty() ? std::string("any_card") : one.param; });

TEST(CudaPlanesOfF32, planted_faults_are_found) {
  PlantedFaults("", "f32", 2e-6)
      .find({
          {"", "", {"plane_tf32.cuh", "r % 2 * 2 + r / 2", "r"}},                      // the other K of a pair
          {"", "", {"plane_tf32.cuh", "mma_tf32(sums[n], x.small, y[n].big);", ";"}},  // a part left out
          {"", "", {"plane_tf32.cuh", "mma_tf32(sums[n], x.big, y[n].small);", ";"}},  // the other one
          {"", "", {"plane_tf32.cuh", "group % groups ^ turned", "group % groups"}},   // the place in another line
          {"", "", {"plane_tf32.cuh", "group / groups * groups * 8", "0"}},            // the rest of a long line
          {"",
           "",
           {"panel.cuh", "place % near / piece ^ swizzle(line)", "place % near / piece"}},  // places not changed
      });
}

// What has no kernel yet lies in memory, and a remark says why.
TEST(CudaPlanesWithoutAKernel, lie_in_memory) {
  for (const auto& [variant, precision, why] :
       {std::tuple{"none", AttentionPrecision{"f64", f64, f64, f64}, "products of a plane that are not summed in f32"},
        {"table", AttentionPrecision{"bf16", bf16, bf16, bf16}, "a table that a plane adds to"},
        {"pair", AttentionPrecision{"bf16", bf16, bf16, bf16}, "a sum over batches of a plane"}}) {
    const AttentionProgram program = attention_program(variant, {2, 2, 64, 64, 32}, precision, 7);
    const cuda::LoweredProgram lowered = cuda::lower_program(flat(results_of(program), {}).program, {});
    EXPECT_EQ(cascades(lowered), 0);
    std::vector<std::string> reasons;
    for (const ir::Remark& remark : lowered.plan.remarks)
      if (remark.category == "plane" && remark.missed) reasons.push_back(remark.reason);
    EXPECT_THAT(reasons, ::testing::Contains(std::string("the target has no kernel yet for ") + why)) << variant;
  }
}
#endif

}  // namespace
}  // namespace tessera::testing
