#include "tests/codegen/cuda_host/host_driver.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <regex>
#include <set>
#include <vector>

#include <fmt/format.h>

#include <tessera/codegen/cuda/runtime/compiler.h>
#include <tessera/codegen/cuda/runtime/driver.h>
#include <tessera/codegen/cuda/runtime/kernel.h>
#include <tessera/core/error.h>

#include "tests/codegen/cuda_rows/host_run.h"

namespace tessera::cuda {

// What the driver's handles are here.
struct ModuleHandle {
  void* library;
};
struct FunctionHandle {
  testing::HostKernel kernel;
  int parameters, tensors;  // of each parameter so many addresses
  std::string name;
};
struct EventHandle {
  bool has_come = true;
  StreamHandle* stream = nullptr;
};
// A copy, or a launch; `before` is the launch that it may begin beside.
using Work = std::function<void(std::function<void()> before)>;
struct StreamHandle {
  struct Waiting {
    std::function<void()> work;
    bool is_launch = false;
  };
  std::deque<Waiting> waiting;
};
struct NodeHandle {
  Work work;
  std::vector<size_t> after;
  size_t number;
  std::optional<size_t> beside = {};  // the step that it may begin beside
};
struct GraphHandle {
  std::deque<NodeHandle> nodes;
};
struct GraphRunHandle {
  GraphHandle* graph;
};

}  // namespace tessera::cuda

namespace tessera::testing {

HostDriver& host_driver() {
  static HostDriver driver;
  return driver;
}

namespace {

using namespace cuda;

constexpr int success = 0, invalid = 1, not_found = 500;

// One lock for all of it: the executor may call from several threads.
std::recursive_mutex& mutex() {
  static auto* kept = new std::recursive_mutex;
  return *kept;
}
using Lock = std::lock_guard<std::recursive_mutex>;

std::set<StreamHandle*>& streams() {
  static auto* kept = new std::set<StreamHandle*>;
  return *kept;
}
StreamHandle& stream_of(StreamHandle* stream) {
  static auto* first = new StreamHandle;
  StreamHandle* found = stream ? stream : first;
  streams().insert(found);
  return *found;
}

void run_earliest(StreamHandle& stream) {
  auto work = std::move(stream.waiting.front().work);
  stream.waiting.pop_front();
  work();
}
void run_all(StreamHandle& stream) {
  while (!stream.waiting.empty()) run_earliest(stream);
}

int push(StreamHandle* stream, std::function<void()> work, bool is_launch = false) {
  StreamHandle& to = stream_of(stream);
  to.waiting.push_back({std::move(work), is_launch});
  if (!host_driver().is_late) run_all(to);
  return success;
}

// What may still be under way is kept until the end.
int keep(void* handle) {
  static auto* kept = new std::vector<void*>;
  kept->push_back(handle);
  return success;
}

// ---- memory ----

struct Memory {
  std::map<Pointer, size_t> blocks;           // in use, or to be freed by a stream
  std::multimap<size_t, Pointer> given_back;  // freed in the order of the first stream: the next may have them at once
  std::map<void*, size_t> pinned;
  size_t used = 0;
};
Memory& memory() {
  static auto* kept = new Memory;
  return *kept;
}

constexpr unsigned char poison = 0xff;  // NaN in every float

int take(Pointer* address, size_t bytes) {
  if (memory().used + bytes > host_driver().memory) return out_of_memory;
  void* block = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(block, poison, bytes);
  *address = reinterpret_cast<Pointer>(block);
  memory().blocks[*address] = bytes;
  memory().used += bytes;
  return success;
}

bool is_pinned(const void* data) {
  auto after = memory().pinned.upper_bound(const_cast<void*>(data));
  if (after == memory().pinned.begin()) return false;
  --after;
  return static_cast<const char*>(data) < static_cast<const char*>(after->first) + after->second;
}

char* at(Pointer address) { return reinterpret_cast<char*>(address); }

// ---- launches ----

// By the parameters of the kernel that brings them.
size_t bytes_brought(const std::vector<void*>& parameters) { return reinterpret_cast<size_t>(parameters[5]) * 16; }

// What is left of the last kernel of a run where kernels do nothing: the run is done. By the parameters of that kernel.
void end_run(const std::vector<void*>& parameters) {
  const auto slots = reinterpret_cast<uint64_t>(parameters[0]), stride = reinterpret_cast<uint64_t>(parameters[8]);
  auto *const runs = static_cast<uint64_t*>(parameters[1]), *const outcomes = static_cast<uint64_t*>(parameters[7]);
  const uint64_t run = (*runs)++;
  outcomes[run % slots * stride] = run + 1;
}

Work launch_of(FunctionHandle* function, unsigned blocks, void** parameters) {
  const auto tensors = static_cast<size_t>(function->tensors);
  const LaunchFacts& facts = *function->kernel.facts;
  std::vector<void*> addresses(static_cast<size_t>(function->parameters) * tensors);  // taken now, as the driver does
  auto maps = std::make_shared<std::vector<TensorMap>>(static_cast<size_t>(facts.mapped));
  for (int k = 0; k < function->parameters; ++k) {
    const auto* end = facts.tensors + facts.mapped;
    const auto* mapped = std::find_if(facts.tensors, end, [&](const MappedTensor& one) { return one.parameter == k; });
    if (mapped == end) {
      std::memcpy(&addresses[static_cast<size_t>(k) * tensors], parameters[k], tensors * sizeof(void*));
      continue;
    }
    TensorMap& map = maps->at(static_cast<size_t>(mapped - facts.tensors));
    std::memcpy(&map, parameters[k], sizeof map);
    addresses[static_cast<size_t>(k)] = &map;
  }
  // The first and the last kernel of a run (executor/mailbox.h).
  const bool begins_run = function->name == "first_of_run", ends_run = function->name == "last_of_run";
  return [=](std::function<void()> before) {
    if (!host_driver().runs_kernels) {
      if (ends_run) end_run(addresses);
      return;
    }
    if (begins_run) host_driver().bytes_in += bytes_brought(addresses);
    HostArguments values = {};
    for (size_t k = 0; k * tensors < addresses.size(); ++k)
      values.at(k) = tensors > 1 ? const_cast<void**>(&addresses[k * tensors]) : addresses[k];
    run_host_kernel(function->kernel, values, blocks, std::move(before));
    static_cast<void>(maps);
  };
}

Work copy_of(const CopyNode& node) {
  return [=](const std::function<void()>&) { std::memcpy(at(node.to.device), at(node.from.device), node.bytes); };
}

int add_node(NodeHandle** node, GraphHandle* graph, NodeHandle* const* after, size_t count, Work work) {
  NodeHandle made{std::move(work), {}, graph->nodes.size()};
  for (size_t k = 0; k < count; ++k) made.after.push_back(after[k]->number);
  graph->nodes.push_back(std::move(made));
  *node = &graph->nodes.back();
  return success;
}

int branches_of(const std::deque<NodeHandle>& nodes) {
  std::vector<bool> is_waited_for(nodes.size(), false);
  for (const NodeHandle& node : nodes)
    for (size_t before : node.after) is_waited_for[before] = is_waited_for[before] || &node != &nodes.back();
  return static_cast<int>(std::count(is_waited_for.begin(), is_waited_for.end(), false)) - 1;
}

// Of all steps that may run, the one that was added last.
void run_in_worst_order(const std::deque<NodeHandle>& nodes) {
  std::vector<bool> is_done(nodes.size(), false);
  auto may_run = [&](const NodeHandle& node) {
    return !is_done[node.number] && std::ranges::all_of(node.after, [&](size_t k) { return is_done[k]; });
  };
  // A step that begins beside another waits for nothing else: it begins when that one may, and that runs while it waits.
  std::function<bool(const NodeHandle&)> may_begin = [&](const NodeHandle& node) {
    return !is_done[node.number] && (may_run(node) || (node.beside && may_begin(nodes[*node.beside])));
  };
  std::function<void(const NodeHandle&)> run = [&](const NodeHandle& node) {
    std::function<void()> before;
    if (node.beside && !is_done[*node.beside]) before = [&, beside = *node.beside] { run(nodes[beside]); };
    node.work(std::move(before));
    is_done[node.number] = true;
  };
  while (true) {
    const auto last = std::find_if(nodes.rbegin(), nodes.rend(), may_begin);
    if (last == nodes.rend()) return;
    run(*last);
  }
}

// The libraries of kernels tell how many parameters each has, as cubins do.
Cubin compile_for_host(const std::string& file_name, const std::string& text) {
  static const std::regex signature(R"(__global__ void[^;{]*?(\w+)\(([^)]*)\)\s*\{)");
  std::string all = text;
  for (std::sregex_iterator found(text.begin(), text.end(), signature), end; found != end; ++found) {
    std::string parameters = (*found)[2];
    std::smatch count;
    const bool is_group = std::regex_search(parameters, count, std::regex(R"(Each<[^>]*, (\d+)>)"));
    const std::string tensors = is_group ? count[1].str() : "1";
    if (is_group) parameters = std::regex_replace(parameters, std::regex(R"(Each<[^>]*>)"), "");
    all += fmt::format("\nextern \"C\" const int {}_parameters[] = {{{}, {}}};\n", (*found)[1].str(),
                       parameters.empty() ? 0 : 1 + std::count(parameters.begin(), parameters.end(), ','), tensors);
  }
  {
    Lock lock(mutex());
    ++host_driver().compiled;
  }
  Cubin made;
  try {
    made.image = build_host_library(all);
  } catch (const std::runtime_error& refused) {
    throw CompileError({.code = "T-C002", .fault = fmt::format("{}: {}", file_name, refused.what())});
  }
  return made;
}

const Driver table = {
    .init = [](unsigned) { return success; },
    .error_name = [](int, const char** name) { return *name = "HOST", success; },
    .error_text = [](int, const char** text) { return *text = "the driver of tests refuses", success; },
    .device_count = [](int* count) { return *count = 1, success; },
    .device_name = [](char* name, int, int) { return std::strcpy(name, "processor"), success; },
    .device_attribute = [](int* value, int attribute,
                           int) { return *value = attribute == device_major ? 9 : 0, success; },
    .device_memory = [](size_t* bytes, int) { return *bytes = host_driver().memory, success; },
    .context_retain = [](Context** context, int) { return *context = nullptr, success; },
    .context_use = [](Context*) { return success; },
    .context_wait =
        [] {
          Lock lock(mutex());
          ++host_driver().waits;
          for (StreamHandle* stream : streams()) run_all(*stream);
          return success;
        },
    .memory_left =
        [](size_t* left, size_t* all) {
          Lock lock(mutex());
          *all = host_driver().memory, *left = *all - memory().used;
          return success;
        },
    .allocate =
        [](Pointer* address, size_t bytes) {
          Lock lock(mutex());
          return take(address, bytes);
        },
    .free =
        [](Pointer address) {
          Lock lock(mutex());
          memory().used -= memory().blocks[address];
          memory().blocks.erase(address);
          std::free(at(address));
          return success;
        },
    .allocate_in_stream =
        [](Pointer* address, size_t bytes, StreamHandle* stream) {
          Lock lock(mutex());
          if (auto found = memory().given_back.find(bytes); found != memory().given_back.end() && !stream) {
            *address = found->second;
            memory().given_back.erase(found);
            return success;
          }
          return take(address, bytes);
        },
    .free_in_stream =
        [](Pointer address, StreamHandle* stream) {
          Lock lock(mutex());
          const size_t bytes = memory().blocks.at(address);
          push(stream, [=] { std::memset(at(address), poison, bytes); });
          memory().given_back.emplace(bytes, address);
          return success;
        },
    .allocate_pinned =
        [](void** data, size_t bytes) {
          Lock lock(mutex());
          *data = std::malloc(bytes);
          memory().pinned[*data] = bytes;
          return success;
        },
    .free_pinned =
        [](void* data) {
          Lock lock(mutex());
          memory().pinned.erase(data);
          std::free(data);
          return success;
        },
    .device_pool = [](PoolHandle** pool, int) { return *pool = nullptr, success; },
    .pool_trim =
        [](PoolHandle*, size_t) {
          Lock lock(mutex());
          for (auto [bytes, address] : memory().given_back) {
            memory().used -= bytes;
            memory().blocks.erase(address);
            std::free(at(address));
          }
          memory().given_back.clear();
          return success;
        },
    .pool_set = [](PoolHandle*, int, void*) { return success; },
    .copy_in_stream =
        [](Pointer to, const void* from, size_t bytes, StreamHandle* stream) {
          Lock lock(mutex());
          host_driver().bytes_in += bytes;
          if (is_pinned(from)) return push(stream, [=] { std::memcpy(at(to), from, bytes); });
          std::string staged(static_cast<const char*>(from), bytes);
          return push(stream, [=] { std::memcpy(at(to), staged.data(), bytes); });
        },
    .copy_out_stream =
        [](void* to, Pointer from, size_t bytes, StreamHandle* stream) {
          Lock lock(mutex());
          host_driver().bytes_out += bytes;
          return push(stream, [=] { std::memcpy(to, at(from), bytes); });
        },
    .copy_within_stream =
        [](Pointer to, Pointer from, size_t bytes, StreamHandle* stream) {
          Lock lock(mutex());
          return push(stream, [=] { std::memcpy(at(to), at(from), bytes); });
        },
    .copy_in =
        [](Pointer to, const void* from, size_t bytes) {
          Lock lock(mutex());
          run_all(stream_of(nullptr));
          std::memcpy(at(to), from, bytes);
          return success;
        },
    .copy_out =
        [](void* to, Pointer from, size_t bytes) {
          Lock lock(mutex());
          run_all(stream_of(nullptr));
          std::memcpy(to, at(from), bytes);
          return success;
        },
    .fill_bytes =
        [](Pointer to, unsigned char byte, size_t bytes) {
          Lock lock(mutex());
          return push(nullptr, [=] { std::memset(at(to), byte, bytes); });
        },
    .module_load =
        [](ModuleHandle** module, const void* image) {
          // The driver takes a cubin without its length, as that stands in it; here it is an ELF file too.
          const auto* bytes = static_cast<const char*>(image);
          uint64_t sections = 0;
          uint16_t size = 0, count = 0;
          std::memcpy(&sections, bytes + 40, 8), std::memcpy(&size, bytes + 58, 2), std::memcpy(&count, bytes + 60, 2);
          *module = new ModuleHandle{open_host_library(std::string(bytes, sections + size_t{size} * count))};
          return success;
        },
    .module_unload = [](ModuleHandle* module) { return delete module, success; },
    .module_function =
        [](FunctionHandle** function, ModuleHandle* module, const char* name) {
          const HostKernel kernel = find_host_kernel(module->library, name);
          if (!kernel.entry) return not_found;
          const auto* parameters =
              static_cast<const int*>(find_host_symbol(module->library, std::string(name) + "_parameters"));
          *function = new FunctionHandle{kernel, parameters[0], parameters[1], name};
          return success;
        },
    .module_global =
        [](Pointer* address, size_t* bytes, ModuleHandle* module, const char* name) {
          void* found = find_host_symbol(module->library, name);
          if (!found) return not_found;
          *address = reinterpret_cast<Pointer>(found), *bytes = sizeof(LaunchFacts);
          return success;
        },
    .function_set = [](FunctionHandle*, int, int) { return success; },
    .launch =
        [](const LaunchConfig* config, FunctionHandle* function, void** parameters, void**) {
          Lock lock(mutex());
          ++host_driver().launches;
          const Work work = launch_of(function, config->grid[0], parameters);
          auto& waiting = stream_of(config->stream).waiting;
          std::function<void()> before;
          if (config->attribute_count == 1 && config->attributes->id == launch_early && !waiting.empty() &&
              waiting.back().is_launch) {
            ++host_driver().early;
            before = std::move(waiting.back().work);
            waiting.pop_back();
          }
          return push(config->stream, [=] { work(before); }, true);
        },
    .stream_create = [](StreamHandle** stream, unsigned) { return *stream = new StreamHandle, success; },
    .stream_wait =
        [](StreamHandle* stream) {
          Lock lock(mutex());
          run_all(stream_of(stream));
          return success;
        },
    .stream_query =
        [](StreamHandle* stream) {
          const std::unique_lock lock(mutex(), std::try_to_lock);
          if (!lock) return not_ready;  // the device runs for another thread: nobody waits for that
          StreamHandle& of = stream_of(stream);
          if (of.waiting.empty()) return success;
          ++host_driver().waits;
          run_earliest(of);  // since who asks waits for something that he sees in memory
          return not_ready;
        },
    .event_create = [](EventHandle** event, unsigned) { return *event = new EventHandle, success; },
    .event_destroy = [](EventHandle* event) { return keep(event); },
    .event_record =
        [](EventHandle* event, StreamHandle* stream) {
          Lock lock(mutex());
          event->has_come = false, event->stream = stream;
          return push(stream, [=] { event->has_come = true; });
        },
    .event_wait =
        [](EventHandle* event) {
          Lock lock(mutex());
          if (!event->has_come) ++host_driver().waits;
          StreamHandle& stream = stream_of(event->stream);
          while (!event->has_come) run_earliest(stream);  // no further than there: what comes later is not done yet
          return success;
        },
    .event_elapsed = [](float* milliseconds, EventHandle*, EventHandle*) { return *milliseconds = 0, success; },
    .graph_create = [](GraphHandle** graph, unsigned) { return *graph = new GraphHandle, success; },
    .graph_destroy = [](GraphHandle* graph) { return keep(graph); },
    .graph_add_kernel =
        [](NodeHandle** node, GraphHandle* graph, NodeHandle* const* after, size_t count, const KernelNode* kernel) {
          return add_node(node, graph, after, count, launch_of(kernel->function, kernel->grid[0], kernel->arguments));
        },
    .graph_add_copy = [](NodeHandle** node, GraphHandle* graph, NodeHandle* const* after, size_t count,
                         const CopyNode* copy,
                         Context*) { return add_node(node, graph, after, count, copy_of(*copy)); },
    .graph_add_edges =
        [](GraphHandle*, NodeHandle* const* from, NodeHandle* const* to, const GraphEdge* edge, size_t) {
          if (edge->from_port != early_edge.from_port || edge->type != early_edge.type) return invalid;
          ++host_driver().early;
          (*to)->after.push_back((*from)->number);
          (*to)->beside = (*from)->number;
          return success;
        },
    .graph_instantiate =
        [](GraphRunHandle** run, GraphHandle* graph, unsigned long long) {
          if (host_driver().refuses_graphs > 0) return --host_driver().refuses_graphs, out_of_memory;
          ++host_driver().graphs_made;
          host_driver().branches = branches_of(graph->nodes);
          return *run = new GraphRunHandle{graph}, success;
        },
    .graph_set_kernel =
        [](GraphRunHandle*, NodeHandle* node, const KernelNode* kernel) {
          ++host_driver().steps_changed;
          node->work = launch_of(kernel->function, kernel->grid[0], kernel->arguments);
          return success;
        },
    .graph_set_copy =
        [](GraphRunHandle*, NodeHandle* node, const CopyNode* copy, Context*) {
          ++host_driver().steps_changed;
          node->work = copy_of(*copy);
          return success;
        },
    .graph_launch =
        [](GraphRunHandle* run, StreamHandle* stream) {
          Lock lock(mutex());
          ++host_driver().graphs;
          if (!host_driver().runs_kernels) return push(stream, [work = run->graph->nodes.back().work] { work({}); });
          return push(stream, [nodes = run->graph->nodes] {  // later changes are for later
            run_in_worst_order(nodes);
            ++host_driver().graphs_done;
          });
        },
    .graph_run_destroy = [](GraphRunHandle* run) { return delete run, success; },
    .tensor_map =
        [](TensorMap* map, int type, uint32_t rank, void* address, const uint64_t* extents,
           const uint64_t* byte_strides, const uint32_t* box, const uint32_t*, int, int, int,
           int) { return map_on_host(map, type, address, rank, extents, byte_strides, box) ? success : invalid; },
    .window_map =
        [](TensorMap* map, int type, uint32_t rank, void* address, const uint64_t* extents,
           const uint64_t* byte_strides, const int* lower, const int* upper, uint32_t, uint32_t pixels,
           const uint32_t* steps, int, int, int, int) {
          Window window = {};
          for (uint32_t d = 0; d + 2 < rank; ++d)
            window.lower[d] = lower[d], window.upper[d] = upper[d], window.steps[d] = static_cast<int>(steps[d + 1]);
          const uint32_t box[5] = {64, pixels, 1, 1, 1};
          return map_on_host(map, type, address, rank, extents, byte_strides, box, window) ? success : invalid;
        },
};

}  // namespace

const Driver& host_driver_table() { return table; }

void use_host_driver() {
  use_driver(table);
  use_compiler(compile_for_host);
}

}  // namespace tessera::testing
