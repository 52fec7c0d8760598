#include <tessera/core/buffer.h>

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <vector>

#include <tessera/core/error.h>
#include <tessera/core/fault.h>

namespace tessera {
namespace {

constexpr size_t line = 64;  // one cache line, one AVX-512 register
constexpr size_t page = 4096, huge_page = size_t{2} << 20;

size_t rounded_up(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

bool is_large(size_t bytes) { return bytes >= 2 * huge_page; }

// Whole pages of their own, aligned to huge ones. Kernels that stream lose 5 to 13 % to the page table when memory comes
// in pages of 4 KiB. The last, incomplete huge page stays one of small ones, so that no memory is touched that was not
// asked for.
void* map_large(size_t bytes) {
  size_t size = rounded_up(bytes, page), reserved = size + huge_page;
  if (reserved < bytes) return nullptr;  // past the end of size_t
  void* start = mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return nullptr;
  auto begin = reinterpret_cast<uintptr_t>(start), aligned = rounded_up(begin, huge_page);
  if (aligned > begin) munmap(start, aligned - begin);
  char* data = static_cast<char*>(start) + (aligned - begin);
  munmap(data + size, begin + reserved - (aligned + size));
  madvise(data, bytes / huge_page * huge_page, MADV_HUGEPAGE);  // advice: where refused, all works as before
  return data;
}

void unmap_large(void* data, size_t bytes) { munmap(data, rounded_up(bytes, page)); }

// Large blocks that tensors gave back, for the next ones of their size: the system clears fresh ones, which takes 5 ms
// for the 16 MiB result of a product that takes 8.
class FreeBlocks {
 public:
  static FreeBlocks& instance() {
    static auto* blocks = new FreeBlocks;  // outlives every tensor
    return *blocks;
  }

  void* take(size_t bytes) {
    std::lock_guard lock(mutex_);
    auto newest = std::find_if(kept_.rbegin(), kept_.rend(), [&](const Block& block) { return block.bytes == bytes; });
    if (newest == kept_.rend()) return nullptr;
    void* data = newest->data;
    kept_bytes_ -= bytes;
    kept_.erase(std::next(newest).base());
    return data;
  }

  void give(void* data, size_t bytes) {
    std::lock_guard lock(mutex_);
    kept_.push_back({data, bytes});
    kept_bytes_ += bytes;
    drop(most_kept);
  }

  void drop_all() {
    std::lock_guard lock(mutex_);
    drop(0);
  }

 private:
  static constexpr size_t most_kept = size_t{128} << 20;
  struct Block {
    void* data;
    size_t bytes;
  };

  // The oldest, until no more than `most` bytes are kept.
  void drop(size_t most) {
    auto block = kept_.begin();
    for (; kept_bytes_ > most; ++block) {
      kept_bytes_ -= block->bytes;
      unmap_large(block->data, block->bytes);
    }
    kept_.erase(kept_.begin(), block);
  }

  std::mutex mutex_;
  std::vector<Block> kept_;  // oldest first
  size_t kept_bytes_ = 0;
};

void* take(size_t bytes) {
  if (!is_large(bytes)) return std::aligned_alloc(line, std::max(line, rounded_up(bytes, line)));
  if (void* data = FreeBlocks::instance().take(bytes)) return data;
  if (void* data = map_large(bytes)) return data;
  FreeBlocks::instance().drop_all();
  return map_large(bytes);
}

void give_back(void* data, size_t bytes) {
  if (is_large(bytes)) FreeBlocks::instance().give(data, bytes);
  else std::free(data);
}

void* take_or_throw(size_t bytes) {
  if (void* data = take(bytes)) return data;
  throw OutOfMemory({.code = "T-M001", .fault = "no host memory for a tensor of " + std::to_string(bytes) + " bytes"});
}

}  // namespace

Buffer::Buffer(size_t bytes) : data_(take_or_throw(bytes)), bytes_(bytes) {}
Buffer::Buffer(size_t bytes, std::unique_ptr<Residence> residence) : bytes_(bytes), residence_(std::move(residence)) {}
Buffer::~Buffer() {
  if (data_) give_back(data_, bytes_);
}

void* Buffer::data() {
  if (!data_.load(std::memory_order_acquire)) fetch();
  if (residence_ && !planted(Fault::device_copy_kept)) residence_.reset();
  return data_.load(std::memory_order_relaxed);
}
const void* Buffer::data() const {
  if (!data_.load(std::memory_order_acquire)) fetch();
  return data_.load(std::memory_order_relaxed);
}

void Buffer::fetch() const {
  std::lock_guard lock(fetching_);
  if (data_.load(std::memory_order_relaxed)) return;  // another reader was first
  check_internal(residence_ != nullptr, "a buffer is read that was given up");
  void* data = take_or_throw(bytes_);
  try {
    if (bytes_ > 0) residence_->copy_out(data);
  } catch (...) {  // a value that could not be computed stays one
    give_back(data, bytes_);
    throw;
  }
  data_.store(data, std::memory_order_release);
}

void Buffer::settle(std::unique_ptr<Residence> residence) {
  std::lock_guard lock(fetching_);
  residence_ = std::move(residence);
}

std::unique_ptr<Residence> Buffer::give_up() { return std::move(residence_); }

}  // namespace tessera
