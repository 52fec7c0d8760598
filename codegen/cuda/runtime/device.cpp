#include <tessera/codegen/cuda/runtime/device.h>

#include <fmt/format.h>

namespace tessera::cuda {
namespace {

Device open_device() {
  const Driver& d = driver();
  Context* context = nullptr;
  check(d.context_retain(&context, 0), "open device 0");
  check(d.context_use(context), "use device 0");
  Device device;
  char name[256] = {};
  int major = 0, minor = 0;
  size_t bytes = 0;
  check(d.device_name(name, sizeof name, 0), "name of device 0");
  check(d.device_attribute(&device.multiprocessors, device_multiprocessors, 0), "attribute");
  check(d.device_attribute(&major, device_major, 0), "attribute");
  check(d.device_attribute(&minor, device_minor, 0), "attribute");
  check(d.device_memory(&bytes, 0), "memory of device 0");
  device.name = name;
  // The suffix lets a kernel use what this architecture has and its successors need not have: wgmma, setmaxnreg.
  device.architecture = fmt::format("sm_{}{}{}", major, minor, major >= 9 ? "a" : "");
  device.memory_bytes = static_cast<int64_t>(bytes);
  return device;
}

}  // namespace

const Device& use_device() {
  static const Device device = open_device();
  return device;
}

void wait_for_device() { check(driver().context_wait(), "wait"); }

Buffer::Buffer(size_t bytes) : bytes_(bytes) { check(driver().allocate(&address_, bytes), "allocate"); }
Buffer::~Buffer() {
  if (address_) driver().free(address_);
}
void Buffer::copy_in(const void* from) { check(driver().copy_in(address_, from, bytes_), "copy to the device"); }
void Buffer::copy_out(void* to) const { check(driver().copy_out(to, address_, bytes_), "copy from the device"); }
void Buffer::fill(unsigned char byte) { check(driver().fill_bytes(address_, byte, bytes_), "fill"); }

Stopwatch::Stopwatch() {
  check(driver().event_create(&from_, 0), "event");
  check(driver().event_create(&to_, 0), "event");
}
Stopwatch::~Stopwatch() {
  if (from_) driver().event_destroy(from_);
  if (to_) driver().event_destroy(to_);
}
void Stopwatch::start() { check(driver().event_record(from_, nullptr), "record"); }
double Stopwatch::milliseconds() {
  check(driver().event_record(to_, nullptr), "record");
  check(driver().event_wait(to_), "wait for an event");
  float elapsed = 0;
  check(driver().event_elapsed(&elapsed, from_, to_), "elapsed time");
  return elapsed;
}

}  // namespace tessera::cuda
