#pragma once
// Plan: how one program runs. The order of launches, where every value lies, what each launch gets. A plain struct: it
// prints itself for people and writes and reads itself as JSON, so that a warm start runs no MLIR.
//
// Ops are named by the number of their instruction in the Program, never by a line: equal programs share a plan.

#include <cstdint>
#include <string>
#include <vector>

#include <tessera/ir/remark.h>

namespace tessera::codegen {

enum class Place : int { argument, result, arena, constant };

struct PlanValue {
  Place place = Place::arena;
  int number = 0;  // which argument, result or constant
  int64_t bytes = 0;
  int64_t offset = 0;       // in the arena or among the constants
  std::string type;         // "tensor<4x8xf32>", for people
  int first = 0, last = 0;  // launches between which it lives
};

struct PlanKernel {
  std::string key, symbol, name;
  std::string kind;  // "pointwise", "row", "column", "contract"; "operand": copies some for contractions
};

// Where a run can fail: an index outside of its dim.
struct PlanCheck {
  int word = 0;  // in the launch's error words: largest, then smallest index outside
  int64_t extent = 0;
  int dim = 0;
  int op = -1;
};

struct PlanWrite {
  int value = 0;
  int op = -1;  // what it holds the result of
  int64_t elements = 0;
  bool is_part = false;           // the rest of the value is written by others, some perhaps later
  bool infinite_by_text = false;  // the kernel holds an infinite constant: an infinity may be meant
};

// Float formats, for reports: "bf16, f32".
struct PlanTypes {
  std::string reads, multiplies, sums,
      writes;  // multiplies: what its contractions take; sums: what they and reductions give
};

struct PlanLaunch {
  enum class What : int { kernel, copy, library };
  What what = What::kernel;
  int kernel = -1;          // of `kernels`
  std::string library;      // "argsort", …
  std::vector<int> values;  // arguments; −1: none
  int reads = 0;            // the first so many of them are inputs
  std::vector<PlanWrite> writes;
  std::vector<int64_t> parameters;
  bool joins = false;  // runs at the same time as the one before it: neither touches what the other writes
  int64_t tasks = 0;
  int64_t scratch = 0;  // bytes per thread
  std::vector<PlanCheck> checks;
  int error_words = 0;
  // For reports.
  std::vector<int> ops;
  int64_t bytes = 0, flops = 0;
  PlanTypes types;
  std::string moves;  // what a kernel does that computes nothing: facts.h
};

struct Plan {
  std::string name;  // of the program that it was first made for; equal ones share it
  std::vector<PlanValue> values;
  std::vector<int> arguments, results;  // values
  // donor[k] = i: result k may lie in argument i's buffer, if nobody else holds it; −1: none.
  std::vector<int> donor;
  std::vector<PlanKernel> kernels;
  std::vector<PlanLaunch> launches;
  std::vector<ir::Remark> remarks;
  std::string constants;  // bytes of all constants
  int64_t arena_bytes = 0, peak_bytes = 0, scratch_bytes = 0;

  std::string str() const;  // a table of launches and one of values; for what they mean see explain.h
  std::string to_json() const;
  static Plan from_json(const std::string& text);  // throws InternalError
};

}  // namespace tessera::codegen
