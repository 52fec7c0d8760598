#pragma once
// Executor: turns Programs into something that runs. Core brings the reference executor of plain loops, the oracle of
// every fast path; linking Tessera::tessera adds "jit". TESSERA_EXECUTOR chooses by name; nothing falls back in silence.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tessera/core/buffer.h>
#include <tessera/core/program.h>

namespace tessera {

// Why a value lies in memory.
struct InMemory {
  std::string why;
  std::string hint;  // what to change
  int reader = -1;   // the instruction that stands in the way, if it is one
};

// An argument or a result of a program.
struct NumberedBuffer {
  size_t number;
  BufferPtr buffer;
};

// One compiled computation. Equal programs share it, wherever they were recorded: so every call says which recording it
// is for, and errors and texts speak of that one's lines and module paths. Several threads may run one: expressions that are
// equal are one program, whoever writes them.
class Executable {
 public:
  virtual ~Executable() = default;
  // Buffers in argument order in, result buffers in result order out. An argument whose use_count is 1 may be donated:
  // its memory becomes a result. Throws ValueError for an index out of range, naming the op's line; then no argument
  // has been written to, so the caller loses nothing. An executor that does not wait for a run may throw later instead,
  // from a later run or from whoever reads a result; then that run's results have no value.
  virtual std::vector<BufferPtr> run(const Program& recorded, std::vector<BufferPtr>& arguments) = 0;
  // Runs once more with what the last run() or repeat() of `recorded` has left: an argument that is not `given` is the buffer
  // that it was, with the result that took its memory, if one did. So the caller, who vouches that nobody else has used
  // these buffers since or holds one, need not look at them, and this need not either. Given are those that the caller may
  // have changed; returned are the results that lie in no argument's buffer. nullopt: nothing was done, run() does it. An
  // error is told as by run(), and then run() is next.
  virtual std::optional<std::vector<NumberedBuffer>> repeat(const Program& recorded,
                                                            std::span<const NumberedBuffer> given);
  // What people read: "tsr", "fuse", "llvm", "plan", "kernels", "explain"; as data: "plan.json", "remarks.jsonl". Empty
  // when the executor has no such text.
  virtual std::string text(const Program& recorded, std::string_view stage) const;
  // For expect_fused(): nothing if the value of this instruction is used up where it is computed, or if this executor
  // makes no kernels.
  virtual std::optional<InMemory> in_memory(const Program& recorded, int instruction) const;
};

class Executor {
 public:
  virtual ~Executor() = default;
  virtual std::string_view name() const = 0;
  virtual std::shared_ptr<Executable> compile(const Program&) = 0;
  // compile() behind an in-memory cache keyed by Program::hash() and verified by same_computation().
  std::shared_ptr<Executable> get(const Program&);
  int64_t compile_count() const;  // misses so far, for tests
  // Does nothing where programs can run here; DeviceError says in one line what is missing.
  virtual void open() {}

  Executor();

 private:
  struct Cache;
  std::shared_ptr<Cache> cache_;
};

Executor& reference_executor();
Executor* find_executor(std::string_view name);  // null when it is not linked in
void register_executor(std::unique_ptr<Executor>, bool preferred);
// The one this process uses: TESSERA_EXECUTOR if set (DeviceError when unknown), else the preferred one registered.
Executor& default_executor();
// Uses `executor` on this thread for the lifetime of the guard: for tests that compare executors.
class UseExecutor {
 public:
  explicit UseExecutor(Executor& executor);
  ~UseExecutor();

 private:
  Executor* outer_;
};

}  // namespace tessera
