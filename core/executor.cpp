#include <tessera/core/executor.h>

#include <atomic>
#include <cstdlib>
#include <list>
#include <mutex>
#include <unordered_map>

#include <tessera/core/device.h>
#include <tessera/core/error.h>
#include <tessera/core/reference.h>

namespace tessera {

std::optional<std::vector<NumberedBuffer>> Executable::repeat(const Program&, std::span<const NumberedBuffer>) {
  return std::nullopt;
}
std::string Executable::text(const Program&, std::string_view) const { return ""; }
std::optional<InMemory> Executable::in_memory(const Program&, int) const { return std::nullopt; }

// Least recently used programs leave first, so that a process that meets ever new shapes does not grow for ever.
struct Executor::Cache {
  struct Entry {
    uint64_t hash;
    Program program;
    std::shared_ptr<Executable> executable;
  };
  static constexpr size_t capacity = 512;
  std::mutex mutex;
  std::list<Entry> entries;  // most recent first
  std::unordered_multimap<uint64_t, std::list<Entry>::iterator> by_hash;
  int64_t misses = 0;

  std::shared_ptr<Executable> find(uint64_t hash, const Program& program) {
    auto [first, last] = by_hash.equal_range(hash);
    for (auto it = first; it != last; ++it)
      if (it->second->program.same_computation(program)) {
        entries.splice(entries.begin(), entries, it->second);
        return it->second->executable;
      }
    return nullptr;
  }

  void insert(uint64_t hash, const Program& program, std::shared_ptr<Executable> executable) {
    entries.push_front({hash, program, std::move(executable)});
    by_hash.emplace(hash, entries.begin());
    if (entries.size() <= capacity) return;
    auto [first, last] = by_hash.equal_range(entries.back().hash);
    for (auto it = first; it != last; ++it)
      if (it->second == std::prev(entries.end())) {
        by_hash.erase(it);
        break;
      }
    entries.pop_back();
  }
};

Executor::Executor() : cache_(std::make_shared<Cache>()) {}

std::shared_ptr<Executable> Executor::get(const Program& program) {
  uint64_t hash = program.hash();
  {
    std::lock_guard lock(cache_->mutex);
    if (auto found = cache_->find(hash, program)) return found;
    ++cache_->misses;
  }
  std::shared_ptr<Executable> executable = compile(program);
  std::lock_guard lock(cache_->mutex);
  cache_->insert(hash, program, executable);
  return executable;
}

int64_t Executor::compile_count() const {
  std::lock_guard lock(cache_->mutex);
  return cache_->misses;
}

namespace {

struct Registry {
  std::vector<std::unique_ptr<Executor>> executors;
  Executor* preferred = nullptr;
};
Registry& registry() {
  static Registry r = [] {
    Registry first;
    first.executors.push_back(make_reference_executor());
    first.preferred = first.executors.front().get();
    return first;
  }();
  return r;
}

thread_local Executor* executor_of_thread = nullptr;
std::atomic<Executor*> executor_of_process = nullptr;  // of set_device()

Executor& chosen_executor() {
  const char* wanted = std::getenv("TESSERA_EXECUTOR");
  if (!wanted || !*wanted || std::string_view(wanted) == "0") return *registry().preferred;
  if (Executor* found = find_executor(wanted)) return *found;
  std::string known;
  for (const auto& e : registry().executors) known += (known.empty() ? "" : ", ") + std::string(e->name());
  throw DeviceError({.code = "T-X001",
                     .fault = "TESSERA_EXECUTOR=" + std::string(wanted) + " is not in this program",
                     .hint = "it has: " + known + "; link Tessera::tessera for 'jit'"});
}

}  // namespace

Executor& reference_executor() { return *find_executor("reference"); }

Executor* find_executor(std::string_view name) {
  for (const auto& e : registry().executors)
    if (e->name() == name) return e.get();
  return nullptr;
}

void register_executor(std::unique_ptr<Executor> executor, bool preferred) {
  if (preferred) registry().preferred = executor.get();
  registry().executors.push_back(std::move(executor));
}

Executor& default_executor() {
  if (executor_of_thread) return *executor_of_thread;
  if (Executor* set = executor_of_process) return *set;
  static Executor& chosen = chosen_executor();
  return chosen;
}

void set_device(std::string_view device, Loc at) {
  if (device != "cpu" && device != "cuda")
    throw DeviceError({.code = "T-X002",
                       .fault = "no device is called '" + std::string(device) + "'",
                       .at = at,
                       .hint = "cpu or cuda"});
  Executor* executor = device == "cpu" ? registry().preferred : find_executor(device);
  if (!executor)
    throw DeviceError({.code = "T-X002",
                       .fault = "this program has no compiler for '" + std::string(device) + "'",
                       .at = at,
                       .hint = "link Tessera::tessera"});
  try {
    executor->open();
  } catch (const DeviceError& error) {
    ErrorText text = error.text();
    text.at = at;
    throw DeviceError(std::move(text));
  }
  executor_of_process = executor;
}

UseExecutor::UseExecutor(Executor& executor) : outer_(executor_of_thread) { executor_of_thread = &executor; }
UseExecutor::~UseExecutor() { executor_of_thread = outer_; }

}  // namespace tessera
