#pragma once
// Runs the body of a kernel or a cascade by its definition, one array per SSA value.

#include <functional>
#include <vector>

#include "llvm/ADT/DenseMap.h"

#include <tessera/core/buffer.h>
#include <tessera/core/shape.h>
#include <tessera/ir/fuse/Scatter.h>

#include "tests/ir/fuse_scalar.h"

namespace tessera::testing {

struct Tensor {
  BufferPtr data;
  DType dtype;
  Shape shape;
};

// Of a ranked tensor type.
DType dtype_of(mlir::Type type);
Shape shape_of(mlir::Type type);
Tensor empty_tensor(mlir::Type type);

// A scalar at each point of the dims that it depends on. Reals in `real`, integers sign-extended in `whole`.
struct Values {
  std::vector<bool> depends;
  std::vector<int64_t> strides;  // 0 for other dims
  bool is_real = false;
  std::vector<double> real;
  std::vector<int64_t> whole;
};

// Indices per dim.
using Point = std::vector<int64_t>;

// body(point, its number) for each point of the dims that `depends` names, row-major.
void each_point(const std::vector<int64_t>& dims, const std::vector<bool>& depends,
                const std::function<void(const Point&, int64_t)>& body);
size_t position(const Values& values, const Point& at);

class BodyRun {
 public:
  template <class KernelOp>
  BodyRun(KernelOp kernel, const std::vector<Tensor>& inputs)
      : block_(kernel.getBody().front()),
        dims_(kernel.getDims().vec()),
        in_maps_(kernel.getInMaps()),
        inputs_(inputs) {}

  // Whether a reduction or contraction counts a point; none: all do.
  std::function<bool(mlir::Operation*, const Point&)> counts;
  // What a reduction or contraction is for those that read it; none: what it found.
  std::function<Values(mlir::Operation*, Values)> found;

  void run();
  const Values& of(mlir::Value value) const { return values_.find(value)->second; }
  // `init_of[k]`: the init of result k, −1: none, −2 − j: result j; may be empty.
  std::vector<Tensor> results(mlir::ArrayAttr out_maps, mlir::TypeRange types, const std::vector<Tensor>& inits = {},
                              llvm::ArrayRef<int64_t> init_of = {}) const;

 private:
  std::vector<bool> mentioned(mlir::AffineMap map) const;
  Values over(std::vector<bool> depends, mlir::Type type) const;
  std::vector<bool> joined(mlir::ValueRange operands) const;
  void load_inputs();
  Values evaluate(mlir::Operation* op);
  Values run_reduce(fuse::ReduceOp op);
  Values run_contract(fuse::ContractOp op);
  Values run_scatter(fuse::ScatterAddOp op);

  mlir::Block& block_;
  std::vector<int64_t> dims_;
  mlir::ArrayAttr in_maps_;
  const std::vector<Tensor>& inputs_;
  llvm::DenseMap<mlir::Value, Values> values_;
  llvm::DenseMap<mlir::Value, const Tensor*> whole_;
};

// Two parts of a reduction, as one.
double combined(fuse::ReduceKind kind, double a, double b);
int64_t combined(fuse::ReduceKind kind, int64_t a, int64_t b);

}  // namespace tessera::testing
