#include "tests/codegen/cuda_rows/host_run.h"

#include <dlfcn.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <sstream>
#include <stdexcept>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include <tessera/codegen/cuda/executor/group_tensors.h>
#include <tessera/codegen/cuda/runtime/device_header.h>
#include <tessera/codegen/executor/check_index.h>

#include "tests/support/host_data.h"

namespace tessera::testing {
namespace {

namespace fs = std::filesystem;

struct HostBlock {  // as in host/core.cuh
  unsigned thread, block;
  void (*wait)();
  void (*exchange)(const void* mine, void* of_lanes, int bytes);
  void (*yield)();
  unsigned grid;
  int rank;
  void (*end_launch_before)();
  void (*published)();
};

struct HostMap {  // as in host/tma.cuh
  unsigned char* base;
  long long strides[5];
  int rank, extents[5], box[4], lower[3], upper[3], steps[3], bytes;
};

constexpr size_t shared_of_block = 256 << 10;                           // as in host/shared_memory.cuh
constexpr size_t meeting_bytes = (2 * (16 + 8) + 1) * 2 * sizeof(int);  // as in host/barrier.cuh

// One block at a time, or one cluster, its threads in turns: each runs until it waits for others.
class Block {
 public:
  static Block& now() {
    static Block one;
    return one;
  }

  HostBlock facts = {0,
                     0,
                     [] { now().wait_for(Wait::block); },
                     [](const void* mine, void* of_lanes, int bytes) { now().exchange(mine, of_lanes, bytes); },
                     [] { now().wait_for(Wait::nothing); },
                     1,
                     0,
                     [] { now().end_launch_before(); },
                     [] {
                       if (now().when_published) now().when_published();
                     }};
  std::function<void()> when_published;

  // All of a launch; `before`: the one before it, unless that has ended.
  void launch(const HostKernel& kernel, const HostArguments& arguments, int64_t blocks, std::function<void()> before) {
    launch_before_ = std::move(before);
    for (int64_t block = 0; block < blocks; block += kernel.facts->cluster)
      run(kernel, arguments, static_cast<unsigned>(block), static_cast<unsigned>(blocks));
    end_launch_before();
  }

 private:
  // The cluster that begins with `block`, of a grid of so many.
  void run(const HostKernel& kernel, const HostArguments& arguments, unsigned block, unsigned grid) {
    kernel_ = &kernel, arguments_ = &arguments;
    const auto cluster = static_cast<size_t>(kernel.facts->cluster);
    for (size_t rank = 0; rank < cluster; ++rank)  // NaN until it is written
      std::memset(kernel.shared + rank * shared_of_block, 0xff, static_cast<size_t>(kernel.facts->shared_bytes));
    if (kernel.meetings) std::memset(kernel.meetings, 0, meeting_bytes);
    threads_ = static_cast<size_t>(kernel.facts->threads);
    facts.grid = grid;
    fibers_.resize(threads_ * cluster);
    for (Fiber& fiber : fibers_) start(fiber);
    constexpr int longest = 100000;  // nothing waits so long but for what never comes
    Draw coins(1);
    std::vector<int64_t> rests((fibers_.size() + 31) / 32);  // rounds, of each warp
    int rounds = 0;
    for (bool is_done = false; !is_done;) {
      if (++rounds > longest) throw std::logic_error("a kernel waits for ever");
      is_done = true;
      // Now and then a warp rests while others go on: who relies on its pace reads what is not there, or no longer.
      for (size_t warp = 0; warp < rests.size(); ++warp) {
        const bool goes_on = rests[warp] == 0;
        for (size_t k = warp * 32; k < std::min(warp * 32 + 32, fibers_.size()); ++k) {
          if (goes_on && !fibers_[k].is_done && fibers_[k].wait == Wait::nothing) take_turn(k, block);
          is_done &= fibers_[k].is_done;
        }
        if (!goes_on) --rests[warp];
        else if (coins.below(16) == 0) rests[warp] = coins.below(32);
      }
      release();
    }
  }

  // Of a thread of the cluster that begins with `block`, until it waits.
  void take_turn(size_t k, unsigned block) {
    at_ = k;
    facts.thread = static_cast<unsigned>(k % threads_);
    facts.rank = static_cast<int>(k / threads_);
    facts.block = block + static_cast<unsigned>(k / threads_);
    swapcontext(&scheduler_, &fibers_[k].context);
  }

  enum class Wait { nothing, warp, block };
  struct Fiber {
    ucontext_t context;
    std::vector<char> stack;
    Wait wait = Wait::nothing;
    bool is_done = false;
    int turn = 0;  // of the two slots: a fast thread may be one exchange ahead
    std::array<std::array<char, 32>, 2> slot = {};
  };
  static constexpr size_t stack_bytes = 64 << 10;

  // By itself, as getcontext may return twice for all that the compiler knows.
  [[gnu::noinline]] void start(Fiber& fiber) {
    fiber.stack.resize(stack_bytes);
    fiber.wait = Wait::nothing;
    fiber.is_done = false;
    fiber.turn = 0;
    set_context(fiber);
  }
  [[gnu::noinline]] void set_context(Fiber& fiber) {
    getcontext(&fiber.context);
    fiber.context.uc_stack = {fiber.stack.data(), 0, stack_bytes};
    fiber.context.uc_link = &scheduler_;
    makecontext(&fiber.context, [] { now().body(); }, 0);
  }

  // That launch runs on this fiber's stack, in the place of the one that waits. What this one has written to shared memory
  // already is put back, as both may be of one library.
  void end_launch_before() {
    if (!launch_before_) return;
    const std::function<void()> before = std::exchange(launch_before_, nullptr);
    const HostBlock facts_here = facts;
    const ucontext_t scheduler = scheduler_;
    const auto here = std::tuple(kernel_, arguments_, at_, threads_);
    std::vector<Fiber> fibers = std::move(fibers_);
    fibers_.clear();
    auto copy_of = [](unsigned char* from, size_t bytes) { return std::vector(from, from + (from ? bytes : 0)); };
    const std::vector<unsigned char> shared = copy_of(kernel_->shared, 2 * shared_of_block),
                                     meetings = copy_of(kernel_->meetings, meeting_bytes);
    before();
    facts = facts_here, scheduler_ = scheduler, fibers_ = std::move(fibers);
    std::tie(kernel_, arguments_, at_, threads_) = here;
    std::ranges::copy(shared, kernel_->shared), std::ranges::copy(meetings, kernel_->meetings);
  }

  void body() {
    const HostArguments& a = *arguments_;
    kernel_->entry(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15],
                   a[16], a[17], a[18], a[19]);
    fibers_[at_].is_done = true;
  }

  void wait_for(Wait what) {
    Fiber& fiber = fibers_[at_];
    fiber.wait = what;
    swapcontext(&fiber.context, &scheduler_);
  }

  void exchange(const void* mine, void* of_lanes, int bytes) {
    const size_t self = at_;
    Fiber& fiber = fibers_[self];
    const int turn = fiber.turn ^= 1;
    std::memcpy(fiber.slot[static_cast<size_t>(turn)].data(), mine, static_cast<size_t>(bytes));
    wait_for(Wait::warp);
    for (size_t lane = 0; lane < 32; ++lane)
      std::memcpy(static_cast<char*>(of_lanes) + lane * static_cast<size_t>(bytes),
                  fibers_[self / 32 * 32 + lane].slot[static_cast<size_t>(turn)].data(), static_cast<size_t>(bytes));
  }

  // Whoever waits goes on once all others that are there wait for the same. A warp exchanges as a whole or not at all.
  void release() {
    for (size_t warp = 0; warp < fibers_.size(); warp += 32) together(warp, warp + 32, Wait::warp);
    for (size_t block = 0; block < fibers_.size(); block += threads_) together(block, block + threads_, Wait::block);
  }
  void together(size_t begin, size_t end, Wait what) {
    bool any = false, has_left = false;
    for (size_t k = begin; k < end; ++k) {
      has_left |= fibers_[k].is_done;
      any |= !fibers_[k].is_done;
      if (!fibers_[k].is_done && fibers_[k].wait != what) return;
    }
    if (any && has_left && what == Wait::warp) throw std::logic_error("a lane exchanges with one that has left");
    for (size_t k = begin; k < end; ++k) fibers_[k].wait = Wait::nothing;
  }

  std::function<void()> launch_before_;
  const HostKernel* kernel_ = nullptr;
  const HostArguments* arguments_ = nullptr;
  std::vector<Fiber> fibers_;
  ucontext_t scheduler_;
  size_t at_ = 0, threads_ = 1;
};

fs::path fresh_folder() {
  static std::atomic<int> count = 0;
  const fs::path folder = fs::temp_directory_path() / fmt::format("tessera-host-run-{}-{}", getpid(), count++);
  fs::create_directories(folder);
  return folder;
}

}  // namespace

std::string build_host_library(const std::string& text, const HeaderEdit& edit) {
  const fs::path folder = fresh_folder();
  for (const cuda::DeviceHeaderFile& file : cuda::device_header()) {
    std::string header = file.text;
    if (file.name == edit.file) {
      const size_t at = header.find(edit.from);
      if (at == std::string::npos) throw std::runtime_error(edit.file + " no longer says " + edit.from);
      header.replace(at, edit.from.size(), edit.to);
    }
    std::ofstream(folder / file.name) << header;
  }
  for (const char* name : {"async.cuh", "barrier.cuh", "core.cuh", "convert.cuh", "early.cuh", "mma.cuh", "publish.cuh",
                           "shared_memory.cuh", "tma.cuh", "wgmma.cuh", "window.cuh"})
    fs::copy_file(fs::path(TESSERA_CUDA_ROWS) / "host" / name, folder / name, fs::copy_options::overwrite_existing);
  std::ofstream(folder / "all.cpp") << "#include \"shared_memory.cuh\"\n" << text;
  const std::string command =
      fmt::format("cd {} && {} -std=c++20 -O1 -w -ffp-contract=off -shared -fPIC -o all.so all.cpp 2>log",
                  folder.string(), TESSERA_CXX);
  const bool is_built = std::system(command.c_str()) == 0;
  std::stringstream read;
  read << std::ifstream(folder / (is_built ? "all.so" : "log"), std::ios::binary).rdbuf();
  fs::remove_all(folder);
  if (!is_built) throw std::runtime_error("the host compiler refused:\n" + read.str());
  return read.str();
}

void* open_host_library(const std::string& library) {
  const fs::path folder = fresh_folder();
  std::ofstream(folder / "all.so", std::ios::binary) << library;
  void* opened = dlopen((folder / "all.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!opened) throw std::runtime_error(dlerror());
  reinterpret_cast<void (*)(HostBlock*)>(dlsym(opened, "tessera_set_block"))(&Block::now().facts);
  fs::remove_all(folder);
  return opened;
}

void* find_host_symbol(void* library, const std::string& name) { return dlsym(library, name.c_str()); }

HostKernel find_host_kernel(void* library, const std::string& name) {
  HostKernel kernel;
  kernel.facts = static_cast<const cuda::LaunchFacts*>(find_host_symbol(library, name + "_launch"));
  if (!kernel.facts) return {};
  kernel.entry = reinterpret_cast<HostEntry>(find_host_symbol(library, name));
  kernel.shared = static_cast<unsigned char*>(find_host_symbol(library, "tessera_shared"));
  kernel.meetings = static_cast<unsigned char*>(find_host_symbol(library, "tessera_meetings"));
  return kernel;
}

void when_published(std::function<void()> what) { Block::now().when_published = std::move(what); }

void run_host_kernel(const HostKernel& kernel, const HostArguments& arguments, int64_t blocks,
                     std::function<void()> before) {
  Block::now().launch(kernel, arguments, blocks, std::move(before));
}

bool map_on_host(cuda::TensorMap* map, int type, void* address, uint32_t rank, const uint64_t* extents,
                 const uint64_t* byte_strides, const uint32_t* box, const cuda::Window& window) {
  HostMap made = {static_cast<unsigned char*>(address), {}, static_cast<int>(rank), {}, {1, 1, 1, 1}, {}, {}, {},
                  type == cuda::map_tf32 ? 4 : 2};
  bool fits = reinterpret_cast<uintptr_t>(address) % 16 == 0 && rank <= 5;
  for (uint32_t d = 1; d < rank; ++d) {
    made.box[d - 1] = static_cast<int>(box[d]);
    fits &= box[d] >= 1 && box[d] <= 256;
  }
  constexpr int corners[] = {0, 32768, 128, 16};
  for (uint32_t d = 0; window.steps[0] != 0 && d + 2 < rank; ++d) {
    made.lower[d] = window.lower[d], made.upper[d] = window.upper[d], made.steps[d] = window.steps[d];
    const int corner = corners[rank - 2];
    for (int at : {made.lower[d], made.upper[d]}) fits &= at >= -corner && at < corner;
    fits &= made.steps[d] >= 1 && made.steps[d] <= 8;
  }
  for (uint32_t d = 0; d < rank; ++d) {
    made.extents[d] = static_cast<int>(extents[d]);
    if (d > 0) made.strides[d] = static_cast<long long>(byte_strides[d - 1]);
    fits &= extents[d] > 0 && made.strides[d] % 16 == 0;
  }
  static_assert(sizeof made <= sizeof *map);
  std::memcpy(map, &made, sizeof made);
  return fits;
}

std::vector<BufferPtr> run_on_host(const cuda::LoweredProgram& lowered, const Program& recorded,
                                   const std::vector<BufferPtr>& arguments, const HeaderEdit& edit) {
  const codegen::Plan& plan = lowered.plan;
  std::string text;
  for (const cuda::KernelSource& source : lowered.kernels) text += source.text;
  std::vector<HostKernel> kernels;
  if (!text.empty()) {
    static std::map<std::string, void*> libraries;  // by text and edit
    void*& library = libraries[text + edit.file + edit.from + edit.to];
    if (!library) library = open_host_library(build_host_library(text, edit));
    for (const cuda::KernelSource& source : lowered.kernels) kernels.push_back(find_host_kernel(library, source.name));
  }
  std::vector<BufferPtr> owned;
  std::vector<char*> address;
  Buffer arena(static_cast<size_t>(plan.arena_bytes));
  std::memset(arena.data(), 0xff, arena.bytes());  // NaN where nothing was written
  for (const codegen::PlanValue& value : plan.values) {
    if (value.place == codegen::Place::arena) {
      address.push_back(arena.as<char>() + value.offset);
    } else if (value.place == codegen::Place::constant) {
      address.push_back(const_cast<char*>(plan.constants.data()) + value.offset);
    } else if (value.place == codegen::Place::argument) {
      address.push_back(arguments[static_cast<size_t>(value.number)]->as<char>());
    } else {
      owned.push_back(std::make_shared<Buffer>(static_cast<size_t>(value.bytes)));
      std::memset(owned.back()->data(), 0xff, owned.back()->bytes());
      address.push_back(owned.back()->as<char>());
    }
  }
  for (const codegen::PlanLaunch& launch : plan.launches) {
    std::vector<void*> all;
    for (int value : launch.values) all.push_back(value < 0 ? nullptr : address[static_cast<size_t>(value)]);
    for (int64_t number : cuda::numbers_of(launch)) all.push_back(reinterpret_cast<void*>(number));
    HostArguments list = {};
    size_t n = 0;
    const size_t tensors = cuda::tensors_of(launch);
    for (size_t k = 0; k < all.size(); k += tensors) list.at(n++) = tensors > 1 ? static_cast<void*>(&all[k]) : all[k];
    if (launch.what == codegen::PlanLaunch::What::copy) {
      const auto bytes = static_cast<size_t>(plan.values[static_cast<size_t>(launch.values[1])].bytes);
      if (list[0] != list[1]) std::memcpy(list[1], list[0], bytes);
      continue;
    }
    std::vector<int64_t> words;
    for (int k = 0; k < launch.error_words; ++k)
      words.push_back(k % 2 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min());
    if (!words.empty()) list.at(n++) = words.data();
    const HostKernel& kernel = kernels[static_cast<size_t>(launch.kernel)];
    std::array<cuda::TensorMap, 8> maps;
    for (int k = 0; k < kernel.facts->mapped; ++k) {
      const cuda::MappedTensor& tensor = kernel.facts->tensors[k];
      void*& argument = list.at(static_cast<size_t>(tensor.parameter));
      const auto bytes = static_cast<uint64_t>(tensor.element_bytes());
      uint64_t extents[5] = {}, strides[4] = {};
      for (int d = 0; d < tensor.rank; ++d) extents[d] = static_cast<uint64_t>(tensor.extents[d]);
      for (int d = 1; d < tensor.rank; ++d) strides[d - 1] = static_cast<uint64_t>(tensor.strides[d]) * bytes;
      if (!map_on_host(&maps.at(static_cast<size_t>(k)), tensor.map_type(),
                       static_cast<char*>(argument) + tensor.first * tensor.element_bytes(),
                       static_cast<uint32_t>(tensor.rank), extents, strides,
                       tensor.whole_box(kernel.facts->box_rows[k]).data(), tensor.window))
        throw std::logic_error("the driver would refuse a tensor map");
      argument = &maps.at(static_cast<size_t>(k));
    }
    run_host_kernel(kernel, list, launch.tasks);
    codegen::check_indices(launch, words.data(), recorded);
  }
  std::vector<BufferPtr> results;
  for (int id : plan.results) {
    const codegen::PlanValue& value = plan.values[static_cast<size_t>(id)];
    results.push_back(std::make_shared<Buffer>(static_cast<size_t>(value.bytes)));
    std::memcpy(results.back()->data(), address[static_cast<size_t>(id)], static_cast<size_t>(value.bytes));
  }
  return results;
}

}  // namespace tessera::testing
