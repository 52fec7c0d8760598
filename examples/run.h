#pragma once
// What every example trainer shares: its flags, the run directory, the progress line, metrics, the loss curve, checkpoints.
//
//   RUN/metrics.jsonl   one line per step     RUN/loss.png       the curve, drawn at the end
//   RUN/step-N/         checkpoints           RUN/program/       the compiled step, for `tessera explain RUN`

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <tessera/core/tensor.h>
#include <tessera/nn/io/checkpoint.h>
#include <tessera/nn/io/metrics.h>
#include <tessera/nn/optim/schedule.h>

namespace tessera::examples {

struct RunFlags {
  std::string device = "cpu";
  std::string precision = "f32";  // of the training step; what is trained is f32, and is judged in f32
  int64_t steps = 0;
  uint64_t seed = 0;
  bool resume = false;
  std::string out;
  int threads = 0;         // 0: all cores
  int64_t save_every = 0;  // 0: only at the end
};

class Run {
 public:
  // Prepares the directory and resumes if asked to. `parts` is what a checkpoint holds. ValueError for a run that was begun with
  // another seed or batch: it would go on with other data.
  Run(RunFlags flags, int64_t batch, io::Run parts, std::string unit);

  ~Run();

  // The position to begin at: 0, or where --resume found the run.
  int64_t first_step() const { return resumed_.step; }
  const RunFlags& flags() const { return flags_; }
  std::filesystem::path path(const std::string& file) const { return std::filesystem::path(flags_.out) / file; }

  // Trains from where the run stands to its last step: `call(batch, learning rate)` runs the compiled `step` and returns
  // the loss. Writes program/, metrics, checkpoints and the curve. Throws Stopped after Ctrl-C, when all is saved.
  template <class Loader, class Compiled, class Call>
  void train(Loader& loader, const optim::Schedule& schedule, double units_per_step, const Compiled& step, Call call);

 private:
  // After each step. The loss is read one step late, so that the host never waits for the newest value.
  void log(int64_t step, const Tensor& loss, double lr, double units_per_step, const data::LoaderState& data);
  void finish(int64_t steps, const data::LoaderState& data);
  void say(const std::string& line, bool last);
  void write_pending();
  void show(int64_t step, double loss, double lr);

  struct Pending {
    int64_t step = -1;
    Tensor loss;
    double lr = 0, units = 0;
  };
  RunFlags flags_;
  io::Run parts_;
  io::Resumed resumed_;
  std::string unit_;
  std::unique_ptr<io::Metrics> metrics_;
  Pending pending_;
  std::chrono::steady_clock::time_point start_, shown_;
  double units_ = 0, smooth_ = 0;
  bool terminal_, line_is_open_ = false;
};

void write_text(const std::filesystem::path&, const std::string& text);  // FileError when it cannot

// What a run directory keeps of its compiled step, in the folder `program`: for people, and as data.
constexpr std::pair<const char*, const char*> program_files[] = {{"tsr", "tsr.txt"},
                                                                 {"fuse", "fuse.txt"},
                                                                 {"plan", "plan.txt"},
                                                                 {"kernels", "kernels.txt"},
                                                                 {"explain", "explain.txt"},
                                                                 {"plan.json", "plan.json"},
                                                                 {"remarks.jsonl", "remarks.jsonl"}};

// Ctrl-C: the step that runs is finished and the run saved, then this leaves train().
struct Stopped {};
bool stop_wanted();

template <class Loader, class Compiled, class Call>
void Run::train(Loader& loader, const optim::Schedule& schedule, double units_per_step, const Compiled& step,
                Call call) {
  loader.restore(resumed_.data);
  int64_t t = first_step();
  if (t < flags_.steps) say("compiling the step", /*last=*/!terminal_);
  for (; t < flags_.steps && !stop_wanted(); ++t) {
    auto batch = loader.next();
    Tensor loss = call(batch, schedule(t));
    if (t == first_step())
      for (auto [stage, file] : program_files)
        if (std::string text = step.text(stage); !text.empty()) write_text(path("program") / file, text);
    log(t, loss, schedule(t), units_per_step, loader.state());
  }
  finish(t, loader.state());
  if (t < flags_.steps) throw Stopped();
}

// Applies device, threads and seed, runs `body`, and turns an exception into one clear message and exit code 1; 130 after
// Ctrl-C.
int run_main(const RunFlags& flags, const std::function<void()>& body);

}  // namespace tessera::examples
