#include <tessera/ir/remarks.h>

#include <algorithm>

#include "mlir/IR/Operation.h"

#include <tessera/core/error.h>
#include <tessera/ir/import/origin.h>

namespace tessera::ir {

namespace emitted = mlir::remark::detail;

namespace {

constexpr llvm::StringRef about_key = "Ops", because_key = "Producer";

std::vector<int> origins_of(mlir::Location location) {
  std::vector<int> origins;
  add_origins(location, origins);
  return origins;
}

// The places are for the collector; a person gets a name or a number.
emitted::Remark::Arg placed(llvm::StringRef key, std::string text, mlir::Location location) {
  emitted::Remark::Arg argument(key, std::move(text));
  argument.attr = mlir::Attribute(location);
  return argument;
}

class Streamer : public emitted::MLIRRemarkStreamerBase {
 public:
  explicit Streamer(std::vector<Remark>& out) : out_(out) {}

  void streamOptimizationRemark(const emitted::Remark& remark) override {
    Remark made;
    made.category = remark.getCombinedCategoryName().str();
    made.name = remark.getRemarkName().str();
    made.missed = remark.getRemarkTypeString() == "Missed";
    // Of several instructions that became one op the last is the one that a person asks about.
    if (std::vector<int> own = origins_of(remark.getLocation()); !own.empty()) made.ops = {own.back()};
    if (made.category == sum_category) {
      std::erase_if(out_, [&](const Remark& old) { return old.category == "fusion" && old.ops == made.ops; });
      return;
    }
    for (const emitted::Remark::Arg& argument : remark.getArgs()) {
      if (argument.key == "Remark") made.text += argument.val;
      if (argument.key == "Reason") made.reason = argument.val;
      if (argument.key == "Suggestion") made.hint = argument.val;
      if (!argument.hasAttribute()) continue;
      std::vector<int> named = origins_of(mlir::Location(llvm::cast<mlir::LocationAttr>(argument.getAttribute())));
      if (argument.key == about_key) made.ops = std::move(named);
      else if (argument.key == because_key && !named.empty()) made.other = named.back();
    }
    out_.push_back(std::move(made));
  }

 private:
  std::vector<Remark>& out_;
};

}  // namespace

emitted::Remark::Arg about(llvm::ArrayRef<mlir::Operation*> ops) {
  llvm::SmallVector<mlir::Location, 16> places;
  for (mlir::Operation* op : ops) places.push_back(op->getLoc());
  return placed(about_key, std::to_string(ops.size()),
                mlir::FusedLoc::get(places, mlir::Attribute(), ops.front()->getContext()));
}

emitted::Remark::Arg because_of(mlir::Operation* op) {
  return placed(because_key, op->getName().getStringRef().str(), op->getLoc());
}

CollectRemarks::CollectRemarks(mlir::MLIRContext& context, std::vector<Remark>& out) : context_(context) {
  mlir::remark::RemarkCategories categories;
  categories.passed = "plane|layout|" + sum_category.str();
  categories.missed = "plane|fusion|precision";
  if (mlir::failed(mlir::remark::enableOptimizationRemarks(context, std::make_unique<Streamer>(out),
                                                           std::make_unique<mlir::remark::RemarkEmittingPolicyAll>(),
                                                           categories)))
    throw InternalError("the remarks of the passes cannot be collected");
}

CollectRemarks::~CollectRemarks() { context_.setRemarkEngine(nullptr); }

}  // namespace tessera::ir
