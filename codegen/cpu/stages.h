#pragma once
// Cuts the body of a row kernel into loop nests. A value's *level* is the number of row reductions it waits for; each
// nest belongs to one level and walks the inner dims that its sinks need. What a later level needs again is either
// recomputed (cheap) or kept in the row scratch (a *spill*).
//
//   softmax:  level 0  for d1: m = max(x)
//             level 1  for d1: e = exp(x − m) → scratch; s = Σ e
//             level 2  for d1: y = e / s

#include <vector>

#include "llvm/ADT/DenseMap.h"
#include "mlir/IR/Value.h"

#include <tessera/codegen/cpu/form.h>

namespace tessera::codegen {

struct ValueFacts {
  DimSet dims = 0;  // of the form
  int level = 0;
};

// A value kept in the row scratch, or the result of a reduction that keeps inner dims.
struct Spill {
  mlir::Value value;
  DimSet dims = 0;
  int bytes = 4;  // of one element
};

// A column reduction: accumulates into this task's partial buffer.
struct Column {
  mlir::Operation* reduce = nullptr;
  DimSet kept = 0;  // inner dims of the result
};

struct Nest {
  int level = 0;
  DimSet domain = 0, reduced = 0;         // inner dims walked; those that row reductions run over
  std::vector<int> loops;                 // dims in order, outermost first; kept dims before reduced ones
  int kept = 0;                           // how many of `loops` are not reduced
  std::vector<mlir::Operation*> reduces;  // row reductions
  std::vector<int> yields;                // results written here
  std::vector<int> spills;                // stored here as their value is computed
  std::vector<int> columns;               // accumulated here
};

struct Stages {
  llvm::DenseMap<mlir::Value, ValueFacts> facts;
  std::vector<Nest> nests;  // in order of execution
  std::vector<Spill> spills;
  std::vector<Column> columns;

  const ValueFacts& of(mlir::Value value) const { return facts.find(value)->second; }
  int spill_of(mlir::Value value) const;
  DimSet inner(const Form& form, mlir::Value value) const { return of(value).dims & form.inner_set(); }
};

// Index of an op among the fuse.index or fuse.reduce ops of the body.
int ordinal(mlir::Operation* op);
// True for a reduction that reduces nothing: its dims have extent 1.
bool passes_through(const Form& form, mlir::Operation* reduce);

Stages make_stages(const Form& form);

// May the buffers of input `in` and result `out` be the same? True when every element is read for the last time in the
// loop iteration that writes it.
bool may_share(const Form& form, const Stages& stages, int in, int out);

}  // namespace tessera::codegen
