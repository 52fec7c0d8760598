#include <tessera/codegen/cuda/executor/mailbox.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include <tessera/codegen/cuda/executor/compile_program.h>
#include <tessera/codegen/cuda/executor/device_memory.h>
#include <tessera/core/error.h>
#include <tessera/core/fault.h>

namespace tessera::cuda {
namespace {

constexpr size_t unit = 16;  // bytes that a thread brings at once
constexpr size_t threads = 256, most_blocks = 64;

// What host and device both know is said here and told to the kernels.
std::string text_of(const char* kernel, const std::string& sizes) {
  return fmt::format(R"(#include "mailbox.cuh"

namespace tessera {{

constexpr int {};

{}
}}  // namespace tessera
)",
                     sizes, kernel);
}
std::string size_of_block() { return fmt::format("threads = {}", threads); }

const char* const first_kernel = R"(extern "C" __constant__ Launch first_of_run_launch = {threads, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(threads)
first_of_run(i64 slots, const u64* runs, const uint4* sent, i64 stride, uint4* brought, i64 count, i64* errors,
             i64 error_count) {
  const Ring ring = {slots, runs};
  bring<threads>(brought, ring.slot(sent, stride), count);
  if (blockIdx.x == 0) clear_errors<threads>(errors, error_count);
}
)";

const char* const last_kernel = R"(extern "C" __constant__ Launch last_of_run_launch = {threads, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(threads)
last_of_run(i64 slots, u64* runs, uint4* const* wanted, const uint4* results, i64 result_count, const i64* errors,
            i64 error_count, u64* outcomes, i64 stride) {
  const Ring ring = {slots, runs};
  u64* const outcome = ring.slot(outcomes, stride);
  hand_out<threads, piece>(wanted, results, result_count);
  leave_errors<threads>(reinterpret_cast<i64*>(outcome + 1), errors, error_count);
  end_run(outcome, runs);
}
)";

std::string first_text() { return text_of(first_kernel, size_of_block()); }

// The planted fault is a text that says too early that the run is done.
std::string last_text() {
  std::string text = text_of(last_kernel, fmt::format("{}, piece = {}", size_of_block(), Mailbox::piece));
  if (!planted(Fault::run_ended_early)) return text;
  const std::string end = "  end_run(outcome, runs);\n";
  text.erase(text.find(end), end.size());
  return text.insert(text.find("  hand_out"), end);
}

Kernel load(const char* name, std::string text) {
  KernelSource source{.key = text, .name = name, .text = std::move(text)};
  return {compile_source(source, std::string(name) + ".cu", use_device().architecture), name};
}

// One for all programs, for as long as the process lasts.
const Kernel& first_of_run() {
  static const auto* const kernel = new Kernel(load("first_of_run", first_text()));
  return *kernel;
}
const Kernel& last_of_run() {
  static const auto* const kernel = new Kernel(load("last_of_run", last_text()));
  return *kernel;
}

std::vector<const void*> pointers_to(const std::vector<uint64_t>& words) {
  std::vector<const void*> pointers;
  for (const uint64_t& word : words) pointers.push_back(&word);
  return pointers;
}

Pointer as_device_sees(const Pinned& memory) { return reinterpret_cast<Pointer>(memory.data()); }

constexpr size_t rounded_up(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

// ---- what a run leaves ----

Outcome::Outcome(std::shared_ptr<const Pinned> memory, size_t word, uint64_t run)
    : memory_(std::move(memory)), done_(static_cast<const uint64_t*>(memory_->data()) + word), run_(run) {}

bool Outcome::has_come() const {
  return std::atomic_ref(*const_cast<uint64_t*>(done_)).load(std::memory_order_acquire) == run_;
}

void Outcome::wait() const {
  constexpr int looks = 1000;  // some tens of microseconds, each time
  while (true) {
    for (int look = 0; look < looks; ++look) {
      if (has_come()) return;
      __builtin_ia32_pause();
    }
    if (all_is_done()) break;
    std::this_thread::yield();
  }
  check_internal(has_come(), "a run has ended and has not said so");
}

// ---- the memory of a program ----

Mailbox::Mailbox(size_t error_words, size_t results)
    : first_(first_of_run()),
      last_(last_of_run()),
      error_words_(error_words),
      result_count_(results),
      words_of_outcome_(rounded_up(1 + error_words, 64 / sizeof(uint64_t))),  // a line of the cache
      runs_(take_memory(sizeof(uint64_t))),
      errors_(take_memory(error_words * sizeof(int64_t))),
      results_(take_memory(results * piece)),
      outcomes_(std::make_shared<Pinned>(slots * words_of_outcome_ * sizeof(uint64_t))) {
  std::memset(outcomes_->data(), 0, slots * words_of_outcome_ * sizeof(uint64_t));
  static constexpr uint64_t none = 0;
  runs_.copy_in(&none, sizeof none);
}

char* Mailbox::send(size_t bytes) {
  if (bytes > slot_bytes_) {
    if (slot_bytes_ > 0) wait_for_device();  // runs that are under way read the old ring
    const size_t slot = rounded_up(bytes, piece);
    ring_ = Pinned(slots * slot);
    slot_bytes_ = slot;
  }
  make_room(bytes);
  sent_ = {as_device_sees(ring_), slot_bytes_, brought(), bytes};
  return static_cast<char*>(ring_.data()) + slot_of(run_) * slot_bytes_;
}

char* Mailbox::send(size_t bytes, Pinned& kept) {
  make_room(bytes);
  sent_ = {as_device_sees(kept), 0, brought(), bytes};
  return static_cast<char*>(kept.data());
}

void Mailbox::make_room(size_t bytes) {
  if (bytes == 0 || (brought_ && brought_->bytes() >= bytes)) return;
  brought_.reset();
  brought_.emplace(take_memory(rounded_up(bytes, unit)));
}

// ---- its kernels ----

int Mailbox::blocks_of_first() const {
  return static_cast<int>(
      std::clamp(rounded_up(sent_.bytes, threads * unit) / (threads * unit), size_t{1}, most_blocks));
}

std::vector<uint64_t> Mailbox::words_of_first() const {
  return {slots,    runs_.address(), sent_.from, sent_.stride / unit, sent_.to, rounded_up(sent_.bytes, unit) / unit,
          errors(), error_words_};
}

std::vector<uint64_t> Mailbox::words_of_last(size_t results) const {
  return {slots,
          runs_.address(),
          brought(),
          results_.address(),
          results,
          errors(),
          error_words_,
          as_device_sees(*outcomes_),
          words_of_outcome_};
}

void Mailbox::launch_first() const { first_.launch(blocks_of_first(), pointers_to(words_of_first())); }

Outcome Mailbox::launch_last() {
  last_.launch(1, pointers_to(words_of_last(0)));
  return launched();
}

size_t Mailbox::add_first(Graph& graph) {
  of_graph_ = sent_;
  return first_step_ = graph.add_launch(first_, blocks_of_first(), pointers_to(words_of_first()), {});
}

void Mailbox::add_last(Graph& graph, const std::vector<size_t>& after) {
  last_step_ = graph.add_launch(last_, 1, pointers_to(words_of_last(result_count_)), after);
}

void Mailbox::update(Graph& graph) {
  if (sent_ == of_graph_) return;
  graph.set_launch(first_step_, first_, blocks_of_first(), pointers_to(words_of_first()));
  if (sent_.to != of_graph_.to) graph.set_launch(last_step_, last_, 1, pointers_to(words_of_last(result_count_)));
  of_graph_ = sent_;
}

Outcome Mailbox::launched() {
  const uint64_t run = run_++;
  return {outcomes_, slot_of(run) * words_of_outcome_, run};
}

}  // namespace tessera::cuda
