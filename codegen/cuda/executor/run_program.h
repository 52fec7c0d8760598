#pragma once
// Runs a lowered program on the device: the plan's launches in the order of one stream, values where the plan puts them.
//
// Arguments that are on the device already stay where they are, others are copied there once; results stay there until
// somebody reads them. The first run launches kernel by kernel; later ones start a graph of all launches, in which only
// addresses that have changed since are replaced. What is small goes through the mailbox. Nothing waits for the device, but for
// the run whose slot of it comes next. A run that repeats the last one looks at what is given anew, at what is handed out, and
// at no other argument or result.
//
// One class in three files: the course of a run is in run_program.cpp, where its values lie in place_values.cpp, its launches
// and the graph of them in launch_program.cpp.

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <tessera/codegen/cuda/executor/compile_program.h>
#include <tessera/codegen/cuda/executor/device_value.h>
#include <tessera/codegen/cuda/executor/mailbox.h>
#include <tessera/codegen/cuda/executor/ticket.h>
#include <tessera/codegen/cuda/runtime/device.h>
#include <tessera/codegen/cuda/runtime/graph.h>
#include <tessera/codegen/cuda/runtime/kernel.h>
#include <tessera/codegen/executor/launch_times.h>
#include <tessera/core/buffer.h>
#include <tessera/core/executor.h>

namespace tessera::cuda {

class ProgramRunner {
 public:
  explicit ProgramRunner(CompiledProgram program);  // loads the kernels; DeviceError without a device
  ~ProgramRunner();

  const LoweredProgram& lowered() const { return lowered_; }
  // As Executable::run, but for an index out of range: that may be told by a later call, or by who reads a result.
  std::vector<BufferPtr> run(const Program& recorded, std::vector<BufferPtr>& arguments);
  // As Executable::repeat. nullopt where something moves in every run.
  std::optional<std::vector<NumberedBuffer>> repeat(const Program& recorded, std::span<const NumberedBuffer> given);

  // The same in steps, for those who measure: values in their places; all launches, as often as wanted; results.
  enum class By { launches, graph };
  void begin(const Program& recorded, const std::vector<BufferPtr>& arguments, By by = By::launches);
  void launch_all();
  std::vector<double> launch_timed();  // and the seconds of each launch, by the device's clock
  std::vector<BufferPtr> end(const Program& recorded, std::vector<BufferPtr>& arguments);

 private:
  struct Step {  // of the graph
    size_t launch, step;
  };
  struct Copy {
    size_t launch;
    bool is_step = false;  // of the graph
  };
  // A result, in few bytes: a step walks over hundreds of them, twice.
  struct Result {
    enum class From {
      argument,  // number `of` itself
      launches,  // they write it: into the memory of argument `donor` if nobody else holds that, else into fresh memory
      result     // number `of` once more
    } from;
    int value;  // of the plan
    int of = -1, donor = -1;
    int donor_value = -1;  // of the plan
    int in_mailbox = -1;   // a graph leaves it there
  };

  // What the last run has left, for one that repeats it.
  struct Last {
    const Program* recorded = nullptr;  // null: it cannot be repeated
    Runs::Numbers numbers = {};
    std::vector<size_t> handed_out;               // results that lie in no argument's memory
    std::vector<size_t> to_be_given;              // arguments that lie elsewhere by now
    bool is_in_place = false;                     // others do
    std::vector<std::shared_ptr<Ticket>> makers;  // of arguments, if no result is in place
  };

  void begin_run(By by);
  void give_up_run();
  bool can_repeat(const Program& recorded, std::span<const NumberedBuffer> given);
  void put(size_t value, Pointer address);
  void place_argument(const Program& recorded, const BufferPtr& argument, size_t number);
  void send();
  bool passes(const BufferPtr& argument, size_t number) const;
  void settle_argument(const Program& recorded, const BufferPtr& argument, size_t number);
  void place_results(const Program& recorded, const std::vector<BufferPtr>& arguments);
  void place_result(const Program& recorded, size_t number);
  StreamBuffer memory_for_small(size_t bytes);
  BufferPtr hand_out(std::unique_ptr<DeviceValue> value, uint64_t run);
  void launch_checked(const Program& recorded);
  bool has_step(size_t number) const;
  size_t bytes_copied(const codegen::PlanLaunch& copy) const;
  void launch(size_t number);
  void replay();
  void record_graph();
  void update_graph();
  std::vector<Pointer> pointers_of(size_t launch) const;

  const LoweredProgram lowered_;
  const bool is_checked_, is_timed_;  // TESSERA_CHECK=nan, TESSERA_LOG=time
  std::vector<Kernel> kernels_;
  std::optional<StreamBuffer> constants_;
  std::optional<Mailbox> mailbox_;
  std::vector<Result> results_;
  std::vector<bool> may_be_overwritten_;                // by argument: a result may lie in its memory
  std::vector<std::weak_ptr<tessera::Buffer>> passed_;  // by argument: what came from the host for the first time
  std::vector<size_t> in_mailbox_;                      // results that a graph leaves there
  // What runs that repeat each other hand out lies side by side, if it is small: the driver is asked once for many.
  std::shared_ptr<const StreamBuffer> small_;
  size_t small_taken_ = 0;           // bytes
  std::vector<size_t> error_begin_;  // of each launch, in words
  std::vector<Copy> copies_;         // so that a step walks over no launch
  std::shared_ptr<Runs> runs_ = std::make_shared<Runs>();
  codegen::LaunchTimes times_;
  bool has_run_ = false;

  // Of the run at hand.
  By by_ = By::launches;
  std::shared_ptr<const IndexChecks> checks_;           // of the recording that it is for
  std::vector<std::shared_ptr<const Origin>> origins_;  // by result, of that recording; null until one is made
  std::vector<Pointer> address_;                        // of every value of the plan
  Pointer arena_ = 0;                                   // where it lay when addresses in it were made
  struct Passing {
    size_t argument, at;  // where among those that pass
    const tessera::Buffer* buffer;
  };
  std::vector<Passing> now_passing_;
  size_t bytes_sent_ = 0;
  const DeviceValue* last_placed_ = nullptr;  // an argument on the device
  std::vector<std::unique_ptr<DeviceValue>>
      made_;  // by the number of a result place; null where an argument's memory is
  std::shared_ptr<Ticket> ticket_;

  Last last_;

  std::unique_ptr<Graph> graph_;
  std::vector<Step> steps_;                 // of the graph, in its order
  std::vector<std::vector<size_t>> users_;  // by value: steps that name its address
  std::vector<size_t> moved_;               // values that have another address than in the graph
};

}  // namespace tessera::cuda
