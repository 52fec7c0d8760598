#pragma once
// A linear function of a kernel's dims: every index and every offset in a kernel is one.

#include <cstdint>

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "mlir/IR/AffineMap.h"

namespace tessera::ir {

class Linear {
 public:
  Linear() = default;
  Linear(int64_t constant) : constant_(constant) {}
  static Linear dim(unsigned d) {
    Linear x;
    x.by_.resize(d + 1, 0);
    x.by_[d] = 1;
    return x;
  }

  friend Linear operator+(Linear a, const Linear& b) {
    if (a.by_.size() < b.by_.size()) a.by_.resize(b.by_.size(), 0);
    for (size_t d = 0; d < b.by_.size(); ++d) a.by_[d] += b.by_[d];
    a.constant_ += b.constant_;
    return a;
  }
  friend Linear operator*(Linear a, int64_t factor) {
    for (int64_t& c : a.by_) c *= factor;
    a.constant_ *= factor;
    return a;
  }
  friend Linear operator-(const Linear& a, const Linear& b) { return a + b * -1; }

  // As a map from `dims` dims to one offset: d0 * 8 + d1 + 3.
  mlir::AffineMap map(unsigned dims, mlir::MLIRContext* context) const {
    mlir::AffineExpr sum = mlir::getAffineConstantExpr(0, context);
    for (unsigned d = 0; d < by_.size(); ++d)
      if (by_[d] != 0) sum = sum + mlir::getAffineDimExpr(d, context) * by_[d];
    return mlir::AffineMap::get(dims, 0, sum + constant_);
  }
  // Appends what tells this function from others.
  void append_key(llvm::SmallVectorImpl<int64_t>& key) const {
    size_t n = by_.size();
    while (n > 0 && by_[n - 1] == 0) --n;
    key.push_back(static_cast<int64_t>(n));
    key.append(by_.begin(), by_.begin() + static_cast<ptrdiff_t>(n));
    key.push_back(constant_);
  }

 private:
  llvm::SmallVector<int64_t, 6> by_;
  int64_t constant_ = 0;
};

}  // namespace tessera::ir
