#include <tessera/core/buffer.h>

#include <cstdlib>

#include <tessera/core/error.h>

namespace tessera {

Buffer::Buffer(size_t bytes) : data_(nullptr), bytes_(bytes) {
  constexpr size_t alignment = 64;  // one cache line, one AVX-512 register
  size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  data_ = std::aligned_alloc(alignment, rounded ? rounded : alignment);
  if (!data_)
    throw OutOfMemory(
        {.code = "T-M001", .fault = "no host memory for a tensor of " + std::to_string(bytes) + " bytes"});
}
Buffer::~Buffer() { std::free(data_); }

}  // namespace tessera
