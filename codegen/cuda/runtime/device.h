#pragma once
// The device of this process, its memory, and clocks on it.

#include <memory>
#include <string>
#include <utility>

#include <tessera/codegen/cuda/runtime/driver.h>

namespace tessera::cuda {

struct Device {
  std::string name, architecture;  // "NVIDIA H100 80GB HBM3", "sm_90a"
  int multiprocessors = 0;
  int64_t memory_bytes = 0;
};

// Makes the first device's primary context current on this thread, which it stays: who makes another one current there puts
// this one back. DeviceError where there is no device.
const Device& use_device();

void wait_for_device();  // until all work is done; a kernel's fault surfaces here
bool all_is_done();      // the same without waiting: of the work that was given to the default stream

// Memory on the device, freed with its owner.
class Buffer {
 public:
  explicit Buffer(size_t bytes);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&& other) noexcept : address_(other.address_), bytes_(other.bytes_) { other.address_ = 0; }

  Pointer address() const { return address_; }
  size_t bytes() const { return bytes_; }
  void copy_in(const void* from);
  void copy_out(void* to) const;
  void fill(unsigned char byte);

 private:
  Pointer address_ = 0;
  size_t bytes_ = 0;
};

// Memory from the device's pool, taken and given back in the order of the default stream: what a run needs between its
// launches waits for nothing.
class StreamBuffer {
 public:
  explicit StreamBuffer(size_t bytes);
  StreamBuffer(std::shared_ptr<const StreamBuffer> whole, size_t offset, size_t bytes);  // a part of that
  ~StreamBuffer();
  StreamBuffer(const StreamBuffer&) = delete;
  StreamBuffer& operator=(const StreamBuffer&) = delete;
  StreamBuffer(StreamBuffer&& other) noexcept
      : address_(std::exchange(other.address_, 0)), bytes_(other.bytes_), whole_(std::move(other.whole_)) {}

  Pointer address() const { return address_; }
  size_t bytes() const { return bytes_; }
  void copy_in(const void* from, size_t bytes);
  void copy_out(void* to, size_t bytes) const;

 private:
  Pointer address_ = 0;
  size_t bytes_ = 0;
  std::shared_ptr<const StreamBuffer> whole_;  // null: it is its own
};

// Waits for no work of the default stream: the caller knows that the value is there.
void copy_out_apart(void* to, Pointer from, size_t bytes);

// Time between two points of the default stream.
class Stopwatch {
 public:
  Stopwatch();
  ~Stopwatch();
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

  void start();
  void stop();
  double milliseconds();  // from start to stop, or to here, once the device has come so far

 private:
  EventHandle *from_ = nullptr, *to_ = nullptr;
  bool is_stopped_ = false;
};

}  // namespace tessera::cuda
