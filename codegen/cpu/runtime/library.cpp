#include <tessera/codegen/cpu/runtime/library.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <type_traits>

#include <tessera/core/attrs.h>
#include <tessera/core/convert.h>
#include <tessera/core/dtype.h>
#include <tessera/core/error.h>
#include <tessera/core/fault.h>

namespace tessera::codegen {
namespace {

// One call: a tensor [outer, extent, inner], worked along its middle.
struct Call {
  void* const* values;
  const std::vector<int64_t>& parameters;
  ThreadPool& pool;

  int64_t at(LibraryParameter which) const { return parameters[which]; }
  DType dtype() const { return static_cast<DType>(at(library_dtype)); }
  int64_t outer() const { return at(library_outer); }
  int64_t extent() const { return at(library_extent); }
  int64_t inner() const { return at(library_inner); }

  // Calls body(first element of the lane) for each lane, several lanes a task.
  template <class Body> void each_lane(Body body) const {
    int64_t lanes = outer() * inner(), per_task = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, extent()));
    pool.run((lanes + per_task - 1) / per_task, [&](int64_t task, int) {
      int64_t end = std::min(lanes, (task + 1) * per_task);
      for (int64_t lane = task * per_task; lane < end; ++lane) {
        body(lane / inner() * extent() * inner() + lane % inner(), lane);
      }
    });
  }
};

// Floats are compared and added up as f64, integers as i64: what the reference does.
template <class F> auto with_number(DType dtype, F f) { return is_float(dtype) ? f(double{}) : f(int64_t{}); }

template <class T> T load_number(const void* base, DType dtype, int64_t index) {
  if (dtype == f32) return static_cast<T>(static_cast<const float*>(base)[index]);
  if constexpr (std::is_same_v<T, double>) return load_double(base, dtype, index);
  else return load_int(base, dtype, index);
}
template <class T> void store_number(void* base, DType dtype, int64_t index, T value) {
  if constexpr (std::is_same_v<T, double>) store_double(base, dtype, index, value);
  else store_int(base, dtype, index, value);
}

bool is_nan(double x) { return x != x; }
bool is_nan(int64_t) { return false; }

template <class T> T larger(T x, T y) { return is_nan(x) ? x : is_nan(y) ? y : std::max(x, y); }

int64_t wrapped_add(int64_t x, int64_t y) {
  return static_cast<int64_t>(static_cast<uint64_t>(x) + static_cast<uint64_t>(y));
}
int64_t wrapped_mul(int64_t x, int64_t y) {
  return static_cast<int64_t>(static_cast<uint64_t>(x) * static_cast<uint64_t>(y));
}
double wrapped_add(double x, double y) { return x + y; }
double wrapped_mul(double x, double y) { return x * y; }

void argsort(const Call& call) {
  bool descending = call.at(library_option) != 0;
  auto* result = static_cast<int64_t*>(call.values[1]);
  with_number(call.dtype(), [&]<class T>(T) {
    call.each_lane([&](int64_t start, int64_t) {
      auto n = static_cast<size_t>(call.extent());
      std::vector<T> x(n);
      std::vector<int64_t> order(n);
      std::iota(order.begin(), order.end(), int64_t{0});
      for (size_t i = 0; i < n; ++i) {
        x[i] = load_number<T>(call.values[0], call.dtype(), start + static_cast<int64_t>(i) * call.inner());
      }
      std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) {
        T a = x[static_cast<size_t>(i)], b = x[static_cast<size_t>(j)];
        if (is_nan(a) || is_nan(b)) return !is_nan(a);
        return descending ? a > b : a < b;
      });
      for (size_t i = 0; i < n; ++i) result[start + static_cast<int64_t>(i) * call.inner()] = order[i];
    });
  });
}

void arg_extreme(const Call& call, bool largest) {
  auto* result = static_cast<int64_t*>(call.values[1]);
  with_number(call.dtype(), [&]<class T>(T) {
    call.each_lane([&](int64_t start, int64_t lane) {
      T best = load_number<T>(call.values[0], call.dtype(), start);
      int64_t where = 0;
      for (int64_t i = 1; i < call.extent() && !is_nan(best); ++i) {
        T x = load_number<T>(call.values[0], call.dtype(), start + i * call.inner());
        if (is_nan(x) || (largest ? x > best : x < best)) best = x, where = i;
      }
      result[lane] = where;
    });
  });
}

void scan(const Call& call) {
  bool reverse = call.at(library_reverse) != 0;
  auto kind = static_cast<ScanKind>(call.at(library_option));
  with_number(call.dtype(), [&]<class T>(T) {
    call.each_lane([&](int64_t start, int64_t) {
      T total = 0;
      for (int64_t i = 0; i < call.extent(); ++i) {
        int64_t at = start + (reverse ? call.extent() - 1 - i : i) * call.inner();
        T x = load_number<T>(call.values[0], call.dtype(), at);
        if (i == 0) total = x;
        else if (kind == ScanKind::sum) total = wrapped_add(total, x);
        else if (kind == ScanKind::prod) total = wrapped_mul(total, x);
        else total = larger(total, x);
        store_number<T>(call.values[1], call.dtype(), at, total);
      }
    });
  });
}

std::vector<int64_t> read_indices(const Call& call, int64_t* errors) {
  std::vector<int64_t> index(static_cast<size_t>(call.at(library_index_count)));
  auto dtype = static_cast<DType>(call.at(library_index_dtype));
  for (size_t k = 0; k < index.size(); ++k) {
    index[k] = load_int(call.values[1], dtype, static_cast<int64_t>(k));
    if (index[k] >= 0 && index[k] < call.extent()) continue;
    errors[0] = std::max(errors[0], index[k]);
    errors[1] = std::min(errors[1], index[k]);
    index[k] = -1;
  }
  return index;
}

// A task owns a band of inner elements of one outer slice and applies every update to it, in order: no two tasks meet.
// Narrow floats add up in f32 and are rounded once, at the end.
template <class T, class Load, class Store>
void scatter_band(const Call& call, const std::vector<int64_t>& index, int64_t outer, int64_t first, int64_t last,
                  Load load, Store store) {
  auto mode = static_cast<ScatterMode>(call.at(library_option));
  int64_t inner = call.inner(), count = static_cast<int64_t>(index.size()), width = last - first;
  if (planted(Fault::scatter_last_lost)) --count;
  std::vector<T> band(static_cast<size_t>(call.extent() * width));
  std::vector<bool> touched(static_cast<size_t>(call.extent()), false);
  for (int64_t i = 0; i < count; ++i) {
    int64_t to = index[static_cast<size_t>(i)];
    if (to < 0) continue;
    T* line = band.data() + to * width;
    if (!touched[static_cast<size_t>(to)]) {
      for (int64_t n = 0; n < width; ++n)
        line[n] = load(call.values[0], (outer * call.extent() + to) * inner + first + n);
      touched[static_cast<size_t>(to)] = true;
    }
    for (int64_t n = 0; n < width; ++n) {
      T update = load(call.values[2], (outer * count + i) * inner + first + n);
      if (mode == ScatterMode::set) line[n] = update;
      else if (mode == ScatterMode::add) line[n] = static_cast<T>(wrapped_add(line[n], update));
      else line[n] = larger(line[n], update);
    }
  }
  for (int64_t to = 0; to < call.extent(); ++to) {
    if (!touched[static_cast<size_t>(to)]) continue;
    for (int64_t n = 0; n < width; ++n) {
      store(call.values[3], (outer * call.extent() + to) * inner + first + n,
            band[static_cast<size_t>(to * width + n)]);
    }
  }
}

void scatter(const Call& call, int64_t* errors) {
  DType dtype = call.dtype();
  int64_t elements = call.outer() * call.extent() * call.inner();
  if (call.values[0] != call.values[3]) {
    std::memcpy(call.values[3], call.values[0], static_cast<size_t>(elements) * size_of(dtype));
  }
  std::vector<int64_t> index = read_indices(call, errors);
  constexpr int64_t width = 64;
  int64_t bands = (call.inner() + width - 1) / width;
  call.pool.run(call.outer() * bands, [&](int64_t task, int) {
    int64_t outer = task / bands, first = task % bands * width, last = std::min(call.inner(), first + width);
    if (is_float(dtype)) {
      scatter_band<double>(
          call, index, outer, first, last,
          [&](const void* base, int64_t i) { return load_number<double>(base, dtype, i); },
          [&](void* base, int64_t i, double x) { store_double(base, dtype, i, x); });
    } else {
      scatter_band<int64_t>(
          call, index, outer, first, last, [&](const void* base, int64_t i) { return load_int(base, dtype, i); },
          [&](void* base, int64_t i, int64_t x) { store_int(base, dtype, i, x); });
    }
  });
}

// x with the update over it, from starts that move so that it fits. In place it costs what the update costs.
void update_slice(const Call& call) {
  const size_t rank = (call.parameters.size() - library_parameter_count) / 2, size = size_of(call.dtype());
  const int64_t *extents = call.parameters.data() + library_parameter_count, *part = extents + rank;
  char* to = static_cast<char*>(call.values[2 + rank]);
  const char* update = static_cast<const char*>(call.values[1]);
  int64_t elements = 1, rows = 1, start = 0, stride = 1;
  std::vector<int64_t> strides(rank);
  for (size_t d = rank; d-- > 0; stride *= extents[d]) strides[d] = stride;
  elements = stride;
  if (call.values[0] != to) std::memcpy(to, call.values[0], static_cast<size_t>(elements) * size);
  for (size_t d = 0; d < rank; ++d) {
    int64_t first = load_int(call.values[2 + d], static_cast<DType>(call.at(library_index_dtype)), 0);
    start += std::clamp<int64_t>(first, 0, extents[d] - part[d]) * strides[d];
    if (d + 1 < rank) rows *= part[d];
  }
  const int64_t length = rank == 0 ? 1 : part[rank - 1];
  const size_t bytes = static_cast<size_t>(length) * size;
  call.pool.run(rows, [&](int64_t row, int) {
    int64_t rest = row, at = start;
    for (size_t d = rank; d-- > 0;) {
      if (d + 1 == rank) continue;
      at += rest % part[d] * strides[d];
      rest /= part[d];
    }
    std::memcpy(to + static_cast<size_t>(at) * size, update + static_cast<size_t>(row) * bytes, bytes);
  });
}

}  // namespace

void run_library(std::string_view name, void* const* values, const std::vector<int64_t>& parameters, int64_t* errors,
                 ThreadPool& pool) {
  Call call{values, parameters, pool};
  if (name == "argsort") return argsort(call);
  if (name == "argmax") return arg_extreme(call, true);
  if (name == "argmin") return arg_extreme(call, false);
  if (name == "scan") return scan(call);
  if (name == "scatter") return scatter(call, errors);
  if (name == "dynamic_update_slice") return update_slice(call);
  throw InternalError("no library routine " + std::string(name));
}

}  // namespace tessera::codegen
