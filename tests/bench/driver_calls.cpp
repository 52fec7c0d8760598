#include "tests/bench/driver_calls.h"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <type_traits>
#include <utility>
#include <vector>

#include <tessera/codegen/cuda/runtime/driver.h>

namespace tessera::bench {
namespace {

double microseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

struct Called {
  const char* name;
  int64_t* times;
  double* microseconds;
};
std::vector<Called> called;

template <auto member, class F> struct Timed;
template <auto member, class... Arguments> struct Timed<member, int (*)(Arguments...)> {
  static inline int (*function)(Arguments...) = nullptr;
  static inline int64_t times = 0;
  static inline double microseconds = 0;
  static int call(Arguments... arguments) {
    const auto start = std::chrono::steady_clock::now();
    const int result = function(arguments...);
    microseconds += microseconds_since(start);
    ++times;
    return result;
  }
};
template <auto member> void time_calls(cuda::Driver& table, const char* name) {
  using T = Timed<member, std::remove_reference_t<decltype(table.*member)>>;
  T::function = std::exchange(table.*member, &T::call);
  called.push_back({name, &T::times, &T::microseconds});
}

}  // namespace

void time_driver_calls(const cuda::Driver& of) {
  static cuda::Driver table = of;
  time_calls<&cuda::Driver::context_use>(table, "use the context");
  time_calls<&cuda::Driver::allocate_in_stream>(table, "allocate");
  time_calls<&cuda::Driver::free_in_stream>(table, "free");
  time_calls<&cuda::Driver::copy_in_stream>(table, "copy in");
  time_calls<&cuda::Driver::copy_out_stream>(table, "copy out");
  time_calls<&cuda::Driver::copy_within_stream>(table, "copy within");
  time_calls<&cuda::Driver::stream_wait>(table, "wait for a stream");
  time_calls<&cuda::Driver::stream_query>(table, "ask for a stream");
  time_calls<&cuda::Driver::event_create>(table, "make an event");
  time_calls<&cuda::Driver::event_record>(table, "record an event");
  time_calls<&cuda::Driver::event_wait>(table, "wait for an event");
  time_calls<&cuda::Driver::graph_set_kernel>(table, "change a kernel");
  time_calls<&cuda::Driver::graph_set_copy>(table, "change a copy");
  time_calls<&cuda::Driver::graph_launch>(table, "launch a graph");
  time_calls<&cuda::Driver::launch>(table, "launch a kernel");
  cuda::use_driver(table);
}

void forget_driver_calls() {
  for (const Called& one : called) *one.times = 0, *one.microseconds = 0;
}
void print_driver_calls(int steps) {
  for (const Called& one : called)
    if (*one.times > 0)
      std::printf("  %-18s %6.2f a step  %6.2f us each  %6.2f us a step\n", one.name,
                  static_cast<double>(*one.times) / steps, *one.microseconds / static_cast<double>(*one.times),
                  *one.microseconds / steps);
}

}  // namespace tessera::bench
