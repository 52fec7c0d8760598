#pragma once
// The agreement between a row kernel and its launch: which argument is what, and which parameter holds which number.
// Both follow from the form alone, so that a cached kernel needs no record of its own.

#include <cstdint>
#include <vector>

#include <tessera/codegen/cpu/form.h>
#include <tessera/codegen/cpu/stages.h>

namespace tessera::codegen {

// Arguments: inputs, results, one partial buffer per column reduction, then the error words.
// Parameters, all int64: [0] rows of one task, [1] rows, [2] elements of a segment, [3] extent of the vector dim, then
// groups of numbers at these places; an access is a base and one stride per dim.
struct Layout {
  explicit Layout(const Form& form, const Stages& stages);

  int outputs, columns, errors;                              // argument places of the first of each
  int arguments;                                             // how many
  int extent, in, out, index, column, spill, shape, stream;  // parameter places
  int parameters;
  int access;                 // parameters of one access: 1 + dims
  std::vector<int> shape_of;  // per input: parameter place of its extents (whole inputs)
};

// How the rows are cut, and what a launch must bring along. A function of shapes alone, never of threads.
struct Cut {
  int64_t rows = 0, per_task = 1, tasks = 0;
  int64_t scratch_bytes = 0;             // per thread
  std::vector<int64_t> column_elements;  // per column reduction: elements of one task's partial result
};
Cut make_cut(const Form& form, const Stages& stages);

// One word group per fuse.load_at that reports: for each index the largest and the smallest value that was outside.
struct ErrorSite {
  mlir::Operation* op = nullptr;
  int first_word = 0;  // pairs of words, one pair per index
};
std::vector<ErrorSite> error_sites(mlir::Block& body);

std::vector<int64_t> make_parameters(const Form& form, const Stages& stages, const Cut& cut);

}  // namespace tessera::codegen
