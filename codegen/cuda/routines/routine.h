#pragma once
// Whole-tensor routines (fuse.library) as launches of CUDA C++ kernels. A tensor is seen as [outer, extent, inner] around
// the dim that the routine works along; a row is one of the outer * inner lines of `extent` elements. What the kernels
// call stands in device/arg_extreme.cuh, scan.cuh, sort.cuh and scatter.cuh.

#include <cstdint>
#include <string>
#include <vector>

#include <tessera/codegen/cuda/rows/lines.h>
#include <tessera/codegen/cuda/rows/names.h>
#include <tessera/core/attrs.h>
#include <tessera/core/dtype.h>

namespace tessera::cuda {

struct RoutineFacts {
  std::string name;                   // "argsort", …
  std::vector<std::string> operands;  // what a reader calls them
  std::string result;
  DType dtype = f32, index_dtype = i64;
  int64_t outer = 1, extent = 1, inner = 1;
  bool descending = false, reverse = false;
  ScanKind scan = ScanKind::sum;
  ScatterMode scatter = ScatterMode::set;
  bool into_zeros = false;  // of scatter: what it combines into is 0 everywhere
  int64_t index_count = 0;
  std::vector<int64_t> extents, part;  // dynamic_update_slice: of x and of the update

  int64_t rows() const { return outer * inner; }
};

// From what `library_parameters` says of a fuse.library.
RoutineFacts routine_facts(const std::string& name, const std::vector<int64_t>& parameters,
                           const std::vector<std::string>& operands, const std::string& result);

// What a parameter of a kernel stands for.
struct RoutineValue {
  enum class What { operand, result, temporary, counters };
  What what;
  int number = 0;
};

struct RoutineKernel {
  std::string step;  // "count digits"; "" where the routine is one kernel
  std::vector<std::string> parameters;
  std::vector<RoutineValue> values;
  Lines body;
  int threads = 256;
  int blocks_at_once = 0;  // that share a multiprocessor; 0: as many as fit
  int64_t blocks = 0;
  size_t read = 0;             // the first so many parameters are only read
  bool notes_indices = false;  // its last parameter is `errors`

  void reads(const std::string& type, const std::string& name, RoutineValue value);
  void writes(const std::string& type, const std::string& name, RoutineValue value);
  // One thread for each of `count` values of `t`.
  void thread_each(int64_t count);
};

class Routine {
 public:
  explicit Routine(RoutineFacts of) : facts(std::move(of)) {}

  const RoutineFacts facts;
  std::vector<RoutineKernel> kernels;  // in order
  std::vector<int64_t> temporaries;    // bytes
  int64_t counters = 0;                // words that are 0 before each launch, and that it leaves so
  bool starts_as_copy = false;         // the result is its first operand but for what the kernels write
  std::string schedule;                // for people

  RoutineKernel& kernel(const std::string& step);
  RoutineValue temporary(int64_t elements, int64_t element_bytes);
  RoutineValue count_with(int64_t words);  // of one kernel

  static RoutineValue operand(int k) { return {RoutineValue::What::operand, k}; }
  static RoutineValue result() { return {RoutineValue::What::result}; }
};

// Throws Unsupported for what has no kernel yet.
Routine lower_routine(RoutineFacts facts);

// The whole text; its function is called NAME.
std::string routine_text(const RoutineKernel& kernel, const std::vector<std::string>& head);

// ---- what the routines share ----

std::string storage_text(DType dtype);   // "bf16": as elements lie in memory
std::string computed_text(DType dtype);  // "float": as they are computed
int64_t computed_bytes(DType dtype);
int widest_run(DType dtype, int64_t inner);  // neighbours that one thread moves: 16 bytes at most, and aligned
inline int64_t ceil_div(int64_t x, int64_t y) { return (x + y - 1) / y; }

// "const i64 start = …": the first element of `row`.
std::string row_start(const RoutineFacts& facts);

void add_arg_extreme(Routine& routine);
void add_scan(Routine& routine);
void add_argsort(Routine& routine);
void add_scatter(Routine& routine);
void add_update_slice(Routine& routine);

}  // namespace tessera::cuda
