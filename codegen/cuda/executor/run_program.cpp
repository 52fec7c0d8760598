#include <tessera/codegen/cuda/executor/run_program.h>

#include <atomic>
#include <cstring>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>

#include <tessera/codegen/cpu/key.h>
#include <tessera/codegen/cpu/object_cache.h>
#include <tessera/codegen/executor/check_index.h>
#include <tessera/core/error.h>

namespace tessera::cuda {

using codegen::Place;
using codegen::PlanLaunch;
using codegen::PlanValue;

std::vector<Cubin> compile_sources(const std::vector<KernelSource>& sources, const std::string& architecture) {
  std::vector<Cubin> made(sources.size());
  std::atomic<size_t> next = 0;
  std::exception_ptr failure;
  std::mutex mutex;
  auto work = [&] {
    for (size_t k = next++; k < sources.size(); k = next++) {
      try {
        const std::string key = codegen::blake3_hex("cubin\n" + codegen::library_build_id() + architecture + "\n" +
                                                    compiler_version() + "\n" + sources[k].key);
        if (auto stored = codegen::read_cached(key, "cubin")) {
          made[k].image = *stored;
          continue;
        }
        made[k] = compile_kernel(sources[k].name + ".cu", sources[k].text, architecture, OnRefusal::fail, TextOf::rows);
        codegen::write_cached(key, "cubin", made[k].image);
      } catch (...) {  // thrown again below, by the thread that asked
        std::lock_guard lock(mutex);
        failure = std::current_exception();
      }
    }
  };
  std::vector<std::thread> helpers;
  for (size_t k = 1; k < std::min<size_t>(sources.size(), std::max(2u, std::thread::hardware_concurrency())); ++k)
    helpers.emplace_back(work);
  work();
  for (std::thread& helper : helpers) helper.join();
  if (failure) std::rethrow_exception(failure);
  return made;
}

ProgramRunner::ProgramRunner(LoweredProgram lowered) : lowered_(std::move(lowered)) {
  const Device& device = use_device();
  std::vector<Cubin> cubins = compile_sources(lowered_.kernels, device.architecture);
  for (size_t k = 0; k < cubins.size(); ++k) kernels_.emplace_back(cubins[k], lowered_.kernels[k].name);
  const codegen::Plan& plan = lowered_.plan;
  constants_.emplace(plan.constants.size());
  constants_->copy_in(plan.constants.data(), plan.constants.size());
  for (const PlanLaunch& launch : plan.launches)
    for (int k = 0; k < launch.error_words; ++k)
      error_start_.push_back(k % 2 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min());
  errors_.emplace(error_start_.size() * sizeof(int64_t));
}

std::vector<BufferPtr> ProgramRunner::run(const Program& recorded, const std::vector<BufferPtr>& arguments) {
  begin(arguments);
  launch_all();
  return end(recorded, arguments);
}

void ProgramRunner::begin(const std::vector<BufferPtr>& arguments) {
  use_device();  // on this thread, which need not be the one that compiled
  const codegen::Plan& plan = lowered_.plan;
  check_internal(arguments.size() == plan.arguments.size(), "a program runs with another number of arguments");
  if (!arena_) arena_.emplace(static_cast<size_t>(plan.arena_bytes));
  owned_.clear();
  address_.clear();
  for (const PlanValue& value : plan.values) {
    if (value.place == Place::arena || value.place == Place::constant) {
      const StreamBuffer& home = value.place == Place::arena ? *arena_ : *constants_;
      address_.push_back(home.address() + static_cast<Pointer>(value.offset));
      continue;
    }
    owned_.emplace_back(static_cast<size_t>(value.bytes));
    address_.push_back(owned_.back().address());
    if (value.place == Place::argument)
      owned_.back().copy_in(arguments[static_cast<size_t>(value.number)]->data(), static_cast<size_t>(value.bytes));
  }
}

void ProgramRunner::launch_all() {
  errors_->copy_in(error_start_.data(), error_start_.size() * sizeof(int64_t));
  Pointer errors = errors_->address();
  for (const PlanLaunch& one : lowered_.plan.launches) {
    launch(one, errors);
    errors += static_cast<Pointer>(one.error_words) * sizeof(int64_t);
  }
}

void ProgramRunner::launch(const PlanLaunch& launch, Pointer errors) {
  std::vector<Pointer> values;
  for (int value : launch.values) values.push_back(value < 0 ? 0 : address_[static_cast<size_t>(value)]);
  if (launch.what == PlanLaunch::What::copy) {
    const auto bytes = static_cast<size_t>(lowered_.plan.values[static_cast<size_t>(launch.values[1])].bytes);
    if (values[0] != values[1])
      check(driver().copy_within_stream(values[1], values[0], bytes, nullptr), "copy a value");
    return;
  }
  if (launch.tasks == 0) return;
  if (launch.error_words > 0) values.push_back(errors);
  std::vector<const void*> arguments;
  for (const Pointer& value : values) arguments.push_back(&value);
  kernels_[static_cast<size_t>(launch.kernel)].launch(static_cast<int>(launch.tasks), arguments);
}

std::vector<BufferPtr> ProgramRunner::end(const Program& recorded, const std::vector<BufferPtr>& arguments) {
  const codegen::Plan& plan = lowered_.plan;
  std::vector<BufferPtr> results;
  for (int id : plan.results) {
    const PlanValue& value = plan.values[static_cast<size_t>(id)];
    if (value.place == Place::argument) {
      results.push_back(arguments[static_cast<size_t>(value.number)]);
      continue;
    }
    results.push_back(std::make_shared<tessera::Buffer>(static_cast<size_t>(value.bytes)));
    if (value.bytes > 0)
      check(driver().copy_out_stream(results.back()->data(), address_[static_cast<size_t>(id)],
                                     static_cast<size_t>(value.bytes), nullptr),
            "copy a result");
  }
  wait_for_device();
  owned_.clear();
  check_indices(recorded);
  return results;
}

void ProgramRunner::check_indices(const Program& recorded) const {
  if (error_start_.empty()) return;
  std::vector<int64_t> words(error_start_.size());
  errors_->copy_out(words.data(), words.size() * sizeof(int64_t));
  wait_for_device();
  const int64_t* of_launch = words.data();
  for (const PlanLaunch& launch : lowered_.plan.launches) {
    codegen::check_indices(launch, of_launch, recorded);
    of_launch += launch.error_words;
  }
}

}  // namespace tessera::cuda
