#include <tessera/codegen/cuda/runtime/device.h>

#include <fmt/format.h>

namespace tessera::cuda {
namespace {

struct Opened {
  Device device;
  Context* context = nullptr;
};

Opened open_device() {
  const Driver& d = driver();
  Opened opened;
  check(d.context_retain(&opened.context, 0), "open device 0");
  check(d.context_use(opened.context), "use device 0");
  Device& device = opened.device;
  char name[256] = {};
  int major = 0, minor = 0;
  size_t bytes = 0;
  check(d.device_name(name, sizeof name, 0), "name of device 0");
  check(d.device_attribute(&device.multiprocessors, device_multiprocessors, 0), "attribute");
  check(d.device_attribute(&major, device_major, 0), "attribute");
  check(d.device_attribute(&minor, device_minor, 0), "attribute");
  check(d.device_memory(&bytes, 0), "memory of device 0");
  // The pool keeps what it once took: the next run asks for the same again.
  PoolHandle* pool = nullptr;
  uint64_t all = ~uint64_t{0};
  check(d.device_pool(&pool, 0), "memory pool of device 0");
  check(d.pool_set(pool, pool_release_threshold, &all), "keep the memory pool");
  device.name = name;
  // The suffix lets a kernel use what this architecture has and its successors need not have: wgmma, setmaxnreg.
  device.architecture = fmt::format("sm_{}{}{}", major, minor, major >= 9 ? "a" : "");
  device.memory_bytes = static_cast<int64_t>(bytes);
  return opened;
}

}  // namespace

const Device& use_device() {
  static const Opened opened = open_device();
  thread_local bool is_current = false;
  if (!is_current) check(driver().context_use(opened.context), "use device 0");
  is_current = true;
  return opened.device;
}

void wait_for_device() { check(driver().context_wait(), "wait"); }

bool all_is_done() {
  const int result = driver().stream_query(nullptr);
  if (result != not_ready) check(result, "run");
  return result != not_ready;
}

Buffer::Buffer(size_t bytes) : bytes_(bytes) { check(driver().allocate(&address_, bytes), "allocate"); }
Buffer::~Buffer() {
  if (address_) driver().free(address_);
}
void Buffer::copy_in(const void* from) { check(driver().copy_in(address_, from, bytes_), "copy to the device"); }
void Buffer::copy_out(void* to) const { check(driver().copy_out(to, address_, bytes_), "copy from the device"); }
void Buffer::fill(unsigned char byte) { check(driver().fill_bytes(address_, byte, bytes_), "fill"); }

StreamBuffer::StreamBuffer(size_t bytes) : bytes_(bytes) {
  if (bytes > 0) check(driver().allocate_in_stream(&address_, bytes, nullptr), "allocate in the stream");
}
StreamBuffer::StreamBuffer(std::shared_ptr<const StreamBuffer> whole, size_t offset, size_t bytes)
    : address_(whole->address_ + offset), bytes_(bytes), whole_(std::move(whole)) {}
StreamBuffer::~StreamBuffer() {
  if (address_ && !whole_) driver().free_in_stream(address_, nullptr);
}
void StreamBuffer::copy_in(const void* from, size_t bytes) {
  if (bytes > 0) check(driver().copy_in_stream(address_, from, bytes, nullptr), "copy to the device");
}
void StreamBuffer::copy_out(void* to, size_t bytes) const {
  if (bytes > 0) check(driver().copy_out_stream(to, address_, bytes, nullptr), "copy from the device");
}

void copy_out_apart(void* to, Pointer from, size_t bytes) {
  thread_local StreamHandle* const stream = [] {
    StreamHandle* made = nullptr;
    check(driver().stream_create(&made, stream_apart), "stream");
    return made;
  }();
  check(driver().copy_out_stream(to, from, bytes, stream), "copy from the device");
  check(driver().stream_wait(stream), "copy from the device");
}

Stopwatch::Stopwatch() {
  check(driver().event_create(&from_, 0), "event");
  check(driver().event_create(&to_, 0), "event");
}
Stopwatch::~Stopwatch() {
  if (from_) driver().event_destroy(from_);
  if (to_) driver().event_destroy(to_);
}
void Stopwatch::start() {
  check(driver().event_record(from_, nullptr), "record");
  is_stopped_ = false;
}
void Stopwatch::stop() {
  check(driver().event_record(to_, nullptr), "record");
  is_stopped_ = true;
}
double Stopwatch::milliseconds() {
  if (!is_stopped_) stop();
  check(driver().event_wait(to_), "wait for an event");
  float elapsed = 0;
  check(driver().event_elapsed(&elapsed, from_, to_), "elapsed time");
  return elapsed;
}

}  // namespace tessera::cuda
