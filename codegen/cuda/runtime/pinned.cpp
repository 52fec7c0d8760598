#include <tessera/codegen/cuda/runtime/pinned.h>

#include <bit>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include <tessera/codegen/cuda/runtime/driver.h>

namespace tessera::cuda {
namespace {

struct FreeList {
  std::mutex mutex;
  std::map<size_t, std::vector<void*>> blocks;  // by size
};
FreeList& free_list() {
  static auto* list = new FreeList;  // outlives every value
  return *list;
}

constexpr size_t least = 256;

}  // namespace

Pinned::Pinned(size_t bytes) : bytes_(std::bit_ceil(bytes < least ? least : bytes)) {
  {
    std::lock_guard lock(free_list().mutex);
    std::vector<void*>& blocks = free_list().blocks[bytes_];
    if (!blocks.empty()) {
      data_ = blocks.back();
      blocks.pop_back();
      return;
    }
  }
  check(driver().allocate_pinned(&data_, bytes_), "allocate pinned memory");
}

Pinned::~Pinned() {
  if (!data_) return;
  std::lock_guard lock(free_list().mutex);
  free_list().blocks[bytes_].push_back(data_);
}

Pinned::Pinned(Pinned&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}
Pinned& Pinned::operator=(Pinned&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace tessera::cuda
