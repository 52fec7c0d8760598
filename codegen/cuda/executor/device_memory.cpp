#include <tessera/codegen/cuda/executor/device_memory.h>

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include <tessera/codegen/cuda/executor/device_value.h>
#include <tessera/codegen/plan/explain.h>
#include <tessera/core/error.h>

namespace tessera::cuda {
namespace {

constexpr size_t shown = 5;

std::string size_text(size_t bytes) {
  const auto x = static_cast<double>(bytes);
  return x >= 1e9   ? fmt::format("{:.2f} GB", x / 1e9)
         : x >= 1e6 ? fmt::format("{:.1f} MB", x / 1e6)
                    : fmt::format("{} B", bytes);
}

// Temporaries of the moment at which most of them live.
void add_temporaries(const codegen::Plan& plan, const Program& recorded, std::vector<DeviceValue::Live>& live) {
  auto lives_at = [](const codegen::PlanValue& value, int launch) {
    return value.place == codegen::Place::arena && value.first <= launch && launch <= value.last;
  };
  int fullest = 0;
  int64_t most = 0;
  for (int launch = 0; launch < static_cast<int>(plan.launches.size()); ++launch) {
    int64_t bytes = 0;
    for (const codegen::PlanValue& value : plan.values) bytes += lives_at(value, launch) ? value.bytes : 0;
    if (bytes > most) most = bytes, fullest = launch;
  }
  for (size_t id = 0; id < plan.values.size(); ++id) {
    if (!lives_at(plan.values[id], fullest)) continue;
    std::string origin = plan.values[id].type;
    for (const codegen::PlanLaunch& launch : plan.launches)
      for (const codegen::PlanWrite& write : launch.writes)
        if (write.value == static_cast<int>(id) && write.op >= 0 &&
            write.op < static_cast<int>(recorded.instructions.size()))
          origin = Origin(recorded.instructions[static_cast<size_t>(write.op)]).str();
    live.push_back({static_cast<size_t>(plan.values[id].bytes), origin + ", a temporary of " + plan.name});
  }
}

[[noreturn]] void throw_out_of_memory(size_t wanted, std::vector<DeviceValue::Live> live) {
  size_t all = 0, left = 0, held = 0;
  check(driver().memory_left(&left, &all), "memory of device 0");
  for (const DeviceValue::Live& value : live) held += value.bytes;
  const size_t count = std::min(shown, live.size());
  std::ranges::partial_sort(live, live.begin() + static_cast<std::ptrdiff_t>(count), std::greater<>(),
                            &DeviceValue::Live::bytes);
  ErrorText text{.code = "T-M002",
                 .fault = fmt::format("the device has no {} left: {} of {} are free", size_text(wanted),
                                      size_text(left), size_text(all)),
                 .hint = "a smaller batch, or recompute() around a block, needs less"};
  for (size_t k = 0; k < count; ++k) text.operands.emplace_back(size_text(live[k].bytes), live[k].origin);
  if (live.size() > count)
    text.operands.emplace_back("in all", fmt::format("{} in {} tensors", size_text(held), live.size()));
  throw OutOfMemory(std::move(text));
}

// Memory that was freed but lies in the pool in pieces goes back to the device before the second try.
std::optional<StreamBuffer> try_memory(size_t bytes) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    try {
      return std::optional<StreamBuffer>(std::in_place, bytes);
    } catch (const OutOfMemory&) {
      wait_for_device();
      PoolHandle* pool = nullptr;
      check(driver().device_pool(&pool, 0), "memory pool of device 0");
      check(driver().pool_trim(pool, 0), "trim the memory pool");
    }
  }
  return std::nullopt;
}

}  // namespace

StreamBuffer take_memory(size_t bytes) {
  if (auto memory = try_memory(bytes)) return std::move(*memory);
  throw_out_of_memory(bytes, DeviceValue::all());
}

Pointer shared_arena(size_t bytes, const codegen::Plan& plan, const Program& recorded) {
  static auto* arena = new std::optional<StreamBuffer>;  // outlives every program
  if (*arena && (*arena)->bytes() >= bytes) return (*arena)->address();
  arena->reset();
  if (auto memory = try_memory(bytes)) return arena->emplace(std::move(*memory)).address();
  std::vector<DeviceValue::Live> live = DeviceValue::all();
  add_temporaries(plan, recorded, live);
  throw_out_of_memory(bytes, std::move(live));
}

}  // namespace tessera::cuda
