#pragma once
// Memory of one tensor value: dense, row-major, 64-byte aligned. Shared by handles; a compiled step may write a new value
// into it when nobody else holds it (donation).
//
// A value may also lie on a device: its Residence. Then the host gets memory and a copy when it asks for the data, not
// before, and keeps it. Both copies are the same value, so whoever asks for data that it may write loses the residence.

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>

namespace tessera {

// A value in memory that is not the host's. The executor that put it there is the only one who knows more.
class Residence {
 public:
  virtual ~Residence() = default;
  // Waits until the value is there; throws what went wrong in computing it. From any thread.
  virtual void copy_out(void* to) const = 0;
};

class Buffer {
 public:
  explicit Buffer(size_t bytes);  // on the host, uninitialised; throws OutOfMemory
  Buffer(size_t bytes, std::unique_ptr<Residence> residence);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void* data();                                // to write too: nobody else may use the buffer meanwhile
  const void* data() const;                    // to read, from any thread
  const void* read() const { return data(); }  // the same for who holds a BufferPtr
  template <class T> T* as() { return static_cast<T*>(data()); }
  template <class T> const T* as() const { return static_cast<const T*>(data()); }
  size_t bytes() const { return bytes_; }

  const Residence* residence() const { return residence_.get(); }  // null: on the host alone
  void settle(std::unique_ptr<Residence> residence);               // the value lies there too from now on
  // For a donation: the memory over there gets another owner, and this buffer no longer has a value.
  std::unique_ptr<Residence> give_up();

 private:
  void fetch() const;

  mutable std::atomic<void*> data_ = nullptr;  // null: the host has no copy yet
  mutable std::mutex fetching_;
  size_t bytes_;
  std::unique_ptr<Residence> residence_;
};
using BufferPtr = std::shared_ptr<Buffer>;

}  // namespace tessera
