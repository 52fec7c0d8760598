// A whole training step on a GPU beside PyTorch's, compiled: time to compile, memory, milliseconds a step taken in turns, and
// where they go, attention and all the rest.
//
//   cuda_train_bench gpt2|vit|dit|resnet [--precision f32] [--batch 32] [--layers 12] [--peer train_peer.py | --no-peer]
//   cuda_train_bench … --residual bf16       keeps residual streams as bf16
//   cuda_train_bench … --calls               also what each function of the driver takes of the host in a step
//   cuda_train_bench gpt2 --without-card     compiles for sm_90a and says what the step consists of; NVRTC must be there
//
// Compiled kernels lie in a folder of the run's own, so the first time is cold.

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <map>
#include <memory>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tessera/codegen/cuda/executor/compile_program.h>
#include <tessera/codegen/cuda/executor/mailbox.h>
#include <tessera/codegen/cuda/executor/run_program.h>
#include <tessera/codegen/plan/explain.h>
#include <tessera/core/compile.h>
#include <tessera/core/error.h>
#include <tessera/core/executor.h>
#include <tessera/core/operand_copies.h>
#include <tessera/core/trace.h>

#include "tests/bench/driver_calls.h"
#include "tests/bench/peer_process.h"
#include "tests/support/training_steps.h"

namespace tessera::bench {
namespace {

using Clock = std::chrono::steady_clock;
using testing::TrainingStep;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Options {
  std::string name, peer = TESSERA_TRAIN_PEER;
  Precision precision = "bf16_mixed";
  testing::StepSize size;
  bool without_card = false, times_calls = false;
};

// Are the scores of an attention made, read or differentiated here? The projections around it are none of it.
bool is_attention(const codegen::PlanLaunch& launch, const Program& recorded) {
  return ("." + codegen::module_of(recorded, codegen::chief_op(recorded, launch)) + ".").find(".attention.") !=
         std::string::npos;
}

// ---- compiling ----

cuda::CompiledProgram compile_twice(const Program& program, const std::string& architecture) {
  cuda::CompiledProgram made;
  for (const char* name : {"cold", "warm"}) {
    const auto start = Clock::now();
    made = cuda::compile_program(program, {architecture});
    const double took = seconds_since(start);
    if (made.is_from_disk) {
      fmt::print("compile, {}: {:.2f} s, from the disk\n", name, took);
      continue;
    }
    double nvrtc = 0, longest = 0;
    for (const cuda::Cubin& cubin : made.cubins) {
      nvrtc += cubin.milliseconds / 1e3;
      longest = std::max(longest, cubin.milliseconds / 1e3);
    }
    const auto dropped =
        std::ranges::count_if(made.lowered.plan.remarks, [](const ir::Remark& r) { return r.name == "dropped"; });
    fmt::print(
        "compile, {}: {:.2f} s, anew: lowered {} times in {:.2f} s; {:.0f} s of NVRTC on {} threads, the longest "
        "{:.2f} "
        "s; {} schedules dropped\n",
        name, took, made.lowerings, made.seconds_of_lowering, nvrtc, std::thread::hardware_concurrency(), longest,
        dropped);
  }
  return made;
}

double gigabytes(const codegen::Plan& plan, const std::vector<int>& values) {
  double bytes = 0;
  for (int value : values) bytes += static_cast<double>(plan.values[static_cast<size_t>(value)].bytes);
  return bytes / 1e9;
}

// What the step consists of.
void print_plan(const cuda::LoweredProgram& lowered, const Program& recorded) {
  const codegen::Plan& plan = lowered.plan;
  double moved[2] = {}, computed[2] = {}, moved_by_operands = 0;
  int launches[2] = {}, copies = 0, operands = 0;
  std::map<std::string, int> moves;  // kernels that compute nothing
  for (const codegen::PlanLaunch& launch : plan.launches) {
    const bool attention = is_attention(launch, recorded);
    ++launches[attention];
    moved[attention] += static_cast<double>(launch.bytes) / 1e9;
    computed[attention] += static_cast<double>(launch.flops) / 1e12;
    if (!launch.moves.empty()) ++moves[launch.moves];
    copies += launch.what == codegen::PlanLaunch::What::copy;
    if (launch.kernel < 0 || plan.kernels[static_cast<size_t>(launch.kernel)].kind != "operand") continue;
    ++operands;
    moved_by_operands += static_cast<double>(launch.bytes) / 1e9;
  }
  fmt::print("{} instructions, {} kernels, {} launches; copies: {}; kernels that compute nothing: {} rounds",
             recorded.instructions.size(), lowered.kernels.size(), plan.launches.size(), copies, moves["rounds"]);
  for (const auto& [what, count] : moves)
    if (what != "rounds") fmt::print(", {} {}", count, what);
  fmt::print("\n");
  for (const ir::Remark& remark : plan.remarks)  // each dropped schedule costs its compilation
    if (remark.category == "kernel") fmt::print("  {}: {}\n", remark.name, remark.text);
  for (const bool attention : {true, false})
    fmt::print("  {:<9} {:>4} launches, {:6.1f} GB, {:5.2f} TFLOP\n", attention ? "attention" : "the rest",
               launches[attention], moved[attention], computed[attention]);
  if (operands > 0)
    fmt::print("  of the rest {} launches copy operands of products, {:.1f} GB\n", operands, moved_by_operands);
  fmt::print(
      "memory: arguments {:.2f} GB (States, copies of weights, the batch), arena {:.2f} GB, of it live {:.2f} GB\n",
      gigabytes(plan, plan.arguments), static_cast<double>(plan.arena_bytes) / 1e9,
      static_cast<double>(plan.peak_bytes) / 1e9);
}

void measure_without_card(const Options& options, const TrainingStep& training) {
  auto processor_seconds = [] { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; };
  double start = processor_seconds();
  Trace trace;
  std::vector<Tensor> batch;
  for (const TrainingStep::Argument& a : training.arguments) batch.push_back(trace.argument(a.dtype, a.shape, a.name));
  Trace::Recorded recorded = trace.finish({training(batch)}, options.name);
  recorded.program.precision = options.precision;
  if (recorded.program.precision.is_mixed()) OperandCopies(recorded, batch.size());
  fmt::print("recorded in {:.2f} s of one processor\n", processor_seconds() - start);
  start = processor_seconds();
  const cuda::LoweredProgram lowered = cuda::lower_program(recorded.program, {"sm_90a"});
  fmt::print("lowered in {:.2f} s of one processor, {} texts for {} kernels\n", processor_seconds() - start,
             lowered.texts, lowered.kernels.size());
  const cuda::CompiledProgram made = compile_twice(recorded.program, "sm_90a");
  print_plan(made.lowered, recorded.program);
  std::vector<double> moved;  // a table by bytes: no seconds without a card
  for (const codegen::PlanLaunch& launch : made.lowered.plan.launches)
    moved.push_back(static_cast<double>(launch.bytes) / 4e12);
  fmt::print("\nas if all took their bytes at 4 TB/s\n{}",
             codegen::time_table(made.lowered.plan, recorded.program, moved));
}

// ---- running ----

// Runs the step as the executor "cuda" does, and launch by launch with a clock when asked.
class Measured : public Executable {
 public:
  Measured(cuda::CompiledProgram program) : runner_(std::move(program)) {}

  std::vector<BufferPtr> run(const Program& recorded, std::vector<BufferPtr>& arguments) override {
    if (!is_timed) return runner_.run(recorded, arguments);
    runner_.begin(recorded, arguments);
    seconds = runner_.launch_timed();
    return runner_.end(recorded, arguments);
  }
  std::optional<std::vector<NumberedBuffer>> repeat(const Program& recorded,
                                                    std::span<const NumberedBuffer> given) override {
    if (is_timed) return std::nullopt;
    return runner_.repeat(recorded, given);
  }

  const codegen::Plan& plan() const { return runner_.lowered().plan; }
  bool is_timed = false;
  std::vector<double> seconds;

 private:
  cuda::ProgramRunner runner_;
};

class MeasuringExecutor : public Executor {
 public:
  explicit MeasuringExecutor(std::string name) : name_(std::move(name)) {}
  std::string_view name() const override { return "cuda, measured"; }
  std::shared_ptr<Executable> compile(const Program& program) override {
    const std::string architecture = cuda::use_device().architecture;
    if (program.name != name_) return std::make_shared<Measured>(cuda::compile_program(program, {architecture}));
    cuda::CompiledProgram made = compile_twice(program, architecture);
    print_plan(made.lowered, program);
    return step = std::make_shared<Measured>(std::move(made));
  }
  std::shared_ptr<Measured> step;

 private:
  std::string name_;
};

double gigabytes_in_use() {
  size_t left = 0, all = 0;
  cuda::check(cuda::driver().memory_left(&left, &all), "memory");
  return static_cast<double>(all - left) / 1e9;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// The same values, as a batch comes from the host.
std::vector<Tensor> from_host(const std::vector<Tensor>& batch) {
  std::vector<Tensor> fresh;
  for (const Tensor& one : batch) fresh.push_back(tensor_from(one.node()->value->read(), one.dtype(), one.shape()));
  return fresh;
}

// What calls take of the host. After each wait for the device one is not counted, and then each of `counted`.
struct HostCalls {
  const char* when;
  int waits, not_counted, counted;
};
constexpr int under_way = static_cast<int>(cuda::Mailbox::slots);  // so many calls wait for nothing
constexpr HostCalls host_calls[] = {
    {"after a wait for the device", 40, 0, 1},
    {"while the device is busy with steps before", 5, 1, under_way - 1},
};

template <class Step> void print_host_time(Step& step, const std::vector<Tensor>& batch, const HostCalls& calls) {
  std::vector<double> took;
  step(from_host(batch));
  forget_driver_calls();
  for (int k = 0; k < calls.waits; ++k) {
    std::vector<std::vector<Tensor>> next;
    for (int call = 0; call < calls.not_counted + calls.counted; ++call) next.push_back(from_host(batch));
    std::vector<Tensor> losses;
    cuda::wait_for_device();
    for (const std::vector<Tensor>& one : next) {
      const auto start = Clock::now();
      losses.push_back(step(one));
      took.push_back(seconds_since(start) * 1e6);
      if (static_cast<int>(losses.size()) <= calls.not_counted) took.pop_back();
    }
  }
  std::ranges::sort(took);
  fmt::print("host    {:7.1f} us a step, {} (median of {} calls; {:.1f} at the 90th percentile)\n",
             took[took.size() / 2], calls.when, took.size(), took[took.size() * 9 / 10]);
  print_driver_calls(calls.waits * (calls.not_counted + calls.counted));
}

struct Split {
  double attention = 0, other = 0;
  double sum() const { return attention + other; }
};

void measure(const Options& options, const TrainingStep& training) {
  cuda::use_device();
  const double before = gigabytes_in_use();
  MeasuringExecutor executor(options.name);
  UseExecutor use(executor);
  const std::vector<Tensor> batch = training.random_batch();
  auto step = compile([&](std::vector<Tensor> in) { return training(in); },
                      {.name = options.name, .precision = options.precision});
  auto start = Clock::now();
  const double first = step(batch).item<double>();
  fmt::print("first call {:.2f} s (with both times to compile), loss {:.4f}\n", seconds_since(start), first);
  for (int k = 0; k < 3; ++k) step(batch);
  cuda::wait_for_device();
  fmt::print("in use on the card at most {:.2f} GB\n", gigabytes_in_use() - before);

  std::unique_ptr<PeerProcess> peer;
  if (!options.peer.empty()) {
    peer = std::make_unique<PeerProcess>(options.peer);
    const std::string answer = peer->ask("model " + options.name);
    if (answer.empty()) throw DeviceError({.code = "T-X190", .fault = "PyTorch has no step of " + options.name});
    fmt::print("PyTorch compiled {}\n", answer);
  }

  constexpr int rounds = 5, steps = 8;
  std::vector<double> ours, theirs;
  cuda::Stopwatch watch;
  Tensor loss;
  for (int round = 0; round < rounds; ++round) {
    if (peer) theirs.push_back(std::stod(peer->ask(fmt::format("time {}", steps))));
    step(batch);  // the first after a pause
    watch.start();
    for (int k = 0; k < steps; ++k) loss = step(batch);
    watch.stop();
    ours.push_back(watch.milliseconds() / steps);
  }
  const double last = loss.item<double>();
  const auto count = static_cast<double>(training.count);
  fmt::print("ours    {:7.2f} ms a step, {:.0f} {}/s; loss {:.4f} at the end\n", median(ours),
             count / median(ours) * 1e3, training.unit, last);
  if (peer)
    fmt::print("PyTorch {:7.2f} ms a step, {:.0f} {}/s; its time over ours {:.3f}\n", median(theirs),
               count / median(theirs) * 1e3, training.unit, median(theirs) / median(ours));

  fmt::print("one graph of {} launches\n", executor.step->plan().launches.size());
  for (const HostCalls& calls : host_calls) print_host_time(step, batch, calls);

  // Two runs of the graph before, so that the host is ahead while it launches one by one.
  step(batch), step(batch);
  executor.step->is_timed = true;
  step(batch);
  executor.step->is_timed = false;
  Split our;
  const codegen::Plan& plan = executor.step->plan();
  for (size_t k = 0; k < plan.launches.size(); ++k)
    (is_attention(plan.launches[k], *step.program()) ? our.attention : our.other) += executor.step->seconds[k] * 1e3;
  fmt::print("\nlaunch by launch\n{}", codegen::time_table(plan, *step.program(), executor.step->seconds));
  fmt::print("\nkernels of a step, ms       attention    others   step without attention\n");
  auto print = [](const char* who, const Split& split, double whole) {
    fmt::print("  {:<24} {:>9.2f} {:>9.2f} {:>9.2f}\n", who, split.attention, split.other, whole - split.attention);
  };
  print("ours", our, median(ours));
  if (!peer) return;
  const std::string answer = peer->ask("profile");
  if (answer.empty()) throw DeviceError({.code = "T-X191", .fault = "PyTorch has no profile of " + options.name});
  const auto profile = nlohmann::json::parse(answer);
  const Split other{profile.at("attention"), profile.at("other")};
  print("PyTorch", other, median(theirs));
  fmt::print("  without attention, ours over PyTorch's: {:.3f} of the steps, {:.3f} of the kernels\n",
             (median(ours) - our.attention) / (median(theirs) - other.attention), our.other / other.other);
  fmt::print("\nPyTorch's longest\n");
  for (const auto& kernel : profile.at("longest"))
    fmt::print("  {:8.3f} ms  {}\n", kernel[0].get<double>(), kernel[1].get<std::string>().substr(0, 120));
}

// ---- the command line ----

Options parse(int argc, char** argv) {
  Options options;
  for (int k = 1; k < argc; ++k) {
    const std::string word = argv[k];
    auto value = [&]() -> std::string {
      if (k + 1 >= argc) throw ValueError({.code = "T-V191", .fault = word + " needs a value"});
      return argv[++k];
    };
    if (word == "--without-card") options.without_card = true;
    else if (word == "--calls") options.times_calls = true;
    else if (word == "--no-peer") options.peer = "";
    else if (word == "--peer") options.peer = value();
    else if (word == "--precision") options.precision = Precision(value());
    else if (word == "--residual") options.precision = precision::bf16_mixed({.residual = dtype_from_name(value())});
    else if (word == "--batch") options.size.batch = std::stoll(value());
    else if (word == "--layers") options.size.layers = std::stoll(value());
    else if (word.starts_with("-") || !options.name.empty())
      throw ValueError({.code = "T-V192", .fault = "'" + word + "' is no option of this program"});
    else options.name = word;
  }
  if (options.size.batch || options.size.layers) options.peer = "";  // PyTorch's steps have one size
  return options;
}

// An empty folder for compiled kernels, gone with the run.
class EmptyCache {
 public:
  EmptyCache() {
    std::string path = (std::filesystem::temp_directory_path() / "tessera-XXXXXX").string();
    if (!mkdtemp(path.data())) throw FileError({.code = "T-F190", .fault = "no folder " + path});
    folder_ = path;
    setenv("TESSERA_CACHE_DIR", path.c_str(), 1);
  }
  ~EmptyCache() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

 private:
  std::filesystem::path folder_;
};

void run(const Options& options) {
  EmptyCache cache;
  if (options.times_calls) time_driver_calls(cuda::open_driver());
  const TrainingStep training = testing::training_step(options.name, options.size);
  int64_t parameters = 0;
  for (const State* p : training.model->parameters()) parameters += p->shape().numel();
  fmt::print("{}: {} parameters, {} {} a step, {}\n", options.name, parameters, training.count, training.unit,
             options.precision.str());
  if (options.without_card) measure_without_card(options, training);
  else measure(options, training);
}

}  // namespace
}  // namespace tessera::bench

int main(int argc, char** argv) {
  try {
    tessera::bench::run(tessera::bench::parse(argc, argv));
  } catch (const tessera::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
