#pragma once
// Host memory that the device reads and writes while the host goes on. Blocks come from a list of free ones, since the
// system takes its time to pin a page.

#include <cstddef>

namespace tessera::cuda {

class Pinned {
 public:
  Pinned() = default;
  explicit Pinned(size_t bytes);
  ~Pinned();  // the device must be done with it
  Pinned(Pinned&& other) noexcept;
  Pinned& operator=(Pinned&& other) noexcept;

  void* data() { return data_; }
  const void* data() const { return data_; }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;  // a power of two
};

}  // namespace tessera::cuda
