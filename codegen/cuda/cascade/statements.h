#pragma once
// Values of a cascade's body as C++ statements of one place: a row, an element of the plane, an element of a result.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "llvm/ADT/DenseMap.h"
#include "mlir/IR/BuiltinAttributes.h"

#include <tessera/codegen/cuda/cascade/cascade.h>
#include <tessera/codegen/cuda/rows/kernel_text.h>
#include <tessera/codegen/cuda/rows/lines.h>
#include <tessera/codegen/cuda/rows/names.h>

namespace tessera::cuda {

// What all places of a text share.
struct CascadeWords {
  KernelWords words;              // with identifiers for names
  std::vector<std::string> dims;  // of the cascade: what the index of each is called
  std::string offset_type = "int";
  std::map<mlir::Operation*, int> first_word;  // of the error words of a checked index
};

// An offset or index in terms of the names of dims.
std::string offset_text(mlir::AffineMap map, const std::vector<std::string>& dims);

class Statements {
 public:
  // `here`: what a value is called at this place, if it has a name already.
  using Here = std::function<std::optional<std::string>(mlir::Value)>;
  Statements(const CascadeWords& words, const Cascade& cascade, Names names, Here here)
      : words_(words), c_(cascade), names_(std::move(names)), here_(std::move(here)) {}

  // Its name; what it takes to compute it goes to `lines`.
  std::string name_of(mlir::Value value);
  void call(mlir::Value value, const std::string& name) { name_[value] = name; }
  // These choose what no mask hides.
  void decide(const llvm::SmallVector<std::pair<mlir::Value, bool>, 4>& conditions);
  // The name of what a repair makes of `old` and `now`.
  std::string step(fuse::RepairOp repair, const std::string& old, const std::string& now);

  Lines lines;

 private:
  std::string statement(mlir::Operation* op);
  std::optional<std::string> exponential_text(mlir::Operation* op);
  mlir::Value chosen(mlir::Value value) const;
  static mlir::FloatAttr factor_of(mlir::Value value);
  bool has_f32_products() const;
  static bool is_plain_score(mlir::Value value);
  std::string picked_text(fuse::LoadAtOp op);
  std::string random_text(fuse::RandomOp op);
  std::string comment(mlir::Operation* op);

  const CascadeWords& words_;
  const Cascade& c_;
  Names names_;
  Here here_;
  llvm::DenseMap<mlir::Value, std::string> name_;
  llvm::DenseMap<mlir::Value, bool> decided_;
  std::string last_line_;
};

}  // namespace tessera::cuda
