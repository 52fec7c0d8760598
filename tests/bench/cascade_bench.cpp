// Attention as cascades: milliseconds of the best call, and the share of the machine's FMA rate that the products alone
// would need: two of them forward, three for dQ, four for dK and dV. Exponentials, sums and masks are in the time and
// not in the count; of a causal plane half is counted, and of a window what it shows. TESSERA_THREADS as in contract_bench.

#include <benchmark/benchmark.h>

#include <algorithm>

#include "tests/bench/measure.h"
#include "tests/codegen/cascade_program.h"

namespace tessera {
namespace {

using test::AttentionShape;
using test::CascadeSpec;

int64_t bytes_of(const test::CascadeOperand& operand) { return operand.size * (operand.element == "f32" ? 4 : 2); }

void cascade(benchmark::State& state, const CascadeSpec& spec, double products) {
  test::CascadeProgram program(spec.text());
  std::vector<BufferPtr> arguments;
  for (const test::CascadeOperand& operand : spec.ins) {
    arguments.push_back(std::make_shared<Buffer>(static_cast<size_t>(bytes_of(operand))));
    auto* data = arguments.back()->as<uint16_t>();  // small numbers of either type
    for (int64_t i = 0; i < bytes_of(operand) / 2; ++i) data[i] = static_cast<uint16_t>(0x3d00 + i % 251);
  }
  program.prepare(arguments, bench::threads());
  program.run_prepared();
  double peak = bench::peak_now(), best = 1e9;
  for (auto _ : state) {
    const double start = bench::seconds();
    program.run_prepared();
    best = std::min(best, bench::seconds() - start);
  }
  peak = std::max(peak, bench::peak_now());
  state.counters["best_ms"] = best * 1e3;
  state.counters["of_peak"] = products * 1e-9 / best / peak;
  state.counters["peak"] = peak;
}

// As it comes from a program, where indices are i32. %i: the row's, %j: the column's, at these dims.
std::string indices(int row, int column) {
  auto index = [](const std::string& name, int d) {
    return name + "_ = fuse.index affine_map<(d0, d1, d2, d3, d4) -> (d" + std::to_string(d) + ")>\n" + name +
           " = arith.index_cast " + name + "_ : index to i32\n";
  };
  return index("%i", row) + index("%j", column);
}

const std::string choose = "%none = arith.constant 0xFF800000 : f32\n%x = arith.select %seen, %s, %none : f32\n";

std::string causal(int row, int column) {
  return indices(row, column) + "%seen = arith.cmpi sge, %i, %j : i32\n" + choose;
}

std::string window(int64_t size) {
  return indices(1, 2) + R"(%back = arith.subi %i, %j : i32
%now = arith.constant 0 : i32
%late = arith.cmpi sge, %back, %now : i32
%size = arith.constant )" +
         std::to_string(size) + R"( : i32
%near = arith.cmpi slt, %back, %size : i32
%seen = arith.andi %late, %near : i1
)" + choose;
}

[[maybe_unused]] const bool registered = [] {
  auto add = [](const std::string& name, const CascadeSpec& spec, const AttentionShape& s, double products) {
    const double flops = products * 2 * static_cast<double>(s.batch * s.rows * s.columns * s.depth);
    benchmark::RegisterBenchmark(("cascade/" + name).c_str(), cascade, spec, flops)->MinTime(0.3);
  };
  auto all = [&](const std::string& name, const AttentionShape& s) {
    add(name + "/forward", test::attention(s), s, 2);
    add(name + "/dq", test::attention_dq(s), s, 3);
    add(name + "/dkv", test::attention_dkv(s), s, 4);
  };
  for (int64_t depth : {32, 64, 128}) all("1024_d" + std::to_string(depth), {16, 1024, 1024, depth, depth});
  all("gpt_256_d32", {128, 256, 256, 32, 32});
  all("gpt_1024_d32", {32, 1024, 1024, 32, 32});
  auto all_causal = [&](const std::string& name, const AttentionShape& s) {
    add(name + "_causal/forward", test::attention(s, "f32", true, causal(1, 2)), s, 1);
    add(name + "_causal/dq", test::attention_dq(s, causal(1, 2)), s, 1.5);
    add(name + "_causal/dkv", test::attention_dkv(s, causal(2, 1)), s, 2);
  };
  all_causal("gpt_256_d32", {128, 256, 256, 32, 32});
  all_causal("gpt_1024_d32", {32, 1024, 1024, 32, 32});
  const AttentionShape far{8, 16384, 16384, 32, 32};
  add("window_128_of_16384/forward", test::attention(far, "f32", true, window(128)), far, 2 * 128.0 / 16384);
  const AttentionShape narrow{16, 1024, 1024, 64, 64};
  add("1024_d64_bf16/forward", test::attention(narrow, "bf16"), narrow, 2);
  const AttentionShape decode{128, 1, 4096, 64, 64};
  add("decode_4096_d64/forward", test::attention(decode), decode, 2);
  add("decode_4096_d64_bf16/forward", test::attention(decode, "bf16"), decode, 2);
  const AttentionShape single{4, 1, 65536, 64, 64};
  add("decode_65536_d64/forward", test::attention(single), single, 2);
  const AttentionShape alone{1, 1, 131072, 64, 64};
  add("decode_131072_d64_one_head/forward", test::attention(alone), alone, 2);
  return true;
}();

}  // namespace
}  // namespace tessera

BENCHMARK_MAIN();
