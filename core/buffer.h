#pragma once
// Host memory of one tensor value: dense, row-major, 64-byte aligned. Shared by handles; a compiled step may write
// a new value into it when nobody else holds it (donation).

#include <cstddef>
#include <memory>

namespace tessera {

class Buffer {
 public:
  explicit Buffer(size_t bytes);  // uninitialised; throws OutOfMemory
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void* data() { return data_; }
  const void* data() const { return data_; }
  template <class T> T* as() { return static_cast<T*>(data_); }
  template <class T> const T* as() const { return static_cast<const T*>(data_); }
  size_t bytes() const { return bytes_; }

 private:
  void* data_;
  size_t bytes_;
};
using BufferPtr = std::shared_ptr<Buffer>;

}  // namespace tessera
