#pragma once
// A tensor's value in device memory: how States and results stay there between runs.

#include <memory>
#include <vector>

#include <tessera/codegen/cuda/executor/ticket.h>
#include <tessera/codegen/cuda/runtime/device.h>
#include <tessera/core/buffer.h>
#include <tessera/core/program.h>

namespace tessera::cuda {

// What a value is, for the message when memory is used up.
struct Origin {
  explicit Origin(const Instruction& made);
  std::string str() const;  // "f32[768, 50304] gelu at model.cpp:41 in gpt.layers.0.mlp"

  Op op;
  DType dtype;
  Shape shape;
  Loc at;
  ScopePtr scope;
  std::string label;
};

class DeviceValue : public Residence {
 public:
  DeviceValue(StreamBuffer memory, std::shared_ptr<const Origin> origin);
  ~DeviceValue() override;

  void copy_out(void* to) const override;

  Pointer address() const { return memory_.address(); }
  size_t bytes() const { return memory_.bytes(); }
  // The run that makes the value; null for one that came from the host, or whose run went well.
  std::shared_ptr<Ticket> made_by() const { return runs_ ? runs_->find(run_) : nullptr; }
  bool same_run_as(const DeviceValue& other) const { return runs_ == other.runs_ && run_ == other.run_; }
  void set_made_by(const std::shared_ptr<Runs>& runs, uint64_t run) {
    if (runs_ != runs) runs_ = runs;
    run_ = run;
  }

  struct Live {
    size_t bytes;
    std::string origin;
  };
  static std::vector<Live> all();  // on the device now, of the whole process

 private:
  // First what every run looks at, in one line of the cache.
  StreamBuffer memory_;
  std::shared_ptr<Runs> runs_;
  uint64_t run_ = 0;
  const std::shared_ptr<const Origin> origin_;
  DeviceValue *before_ = nullptr, *after_ = nullptr;  // of all values, in the order in which they were made
};

}  // namespace tessera::cuda
