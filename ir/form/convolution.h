#pragma once
// A contraction with windows read as a convolution, or as one of its gradients: what is the picture, what the filter.

#include <array>
#include <optional>
#include <string>

#include <tessera/ir/form/memory_order.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

// Which of the two operands and the result (number 2) are the picture that windows move over, the picture of places, and the
// filter; and how their letters follow each other with channels innermost.
struct Convolution {
  std::array<std::string, 3> word, wanted;
  size_t over = 0, places = 0, filter = 0;
  char over_channel = 0, places_channel = 0;
  int64_t taps = 1, largest_stride = 1;

  bool is_picture(size_t tensor) const { return tensor != filter; }
  MemoryOrder order(size_t tensor) const {
    MemoryOrder dims;
    for (char letter : wanted[tensor]) dims.push_back(static_cast<int64_t>(word[tensor].find(letter)));
    return dims;
  }
};

mlir::Value tensor_of(tsr::ContractOp op, size_t tensor);

// Nothing for a contraction without windows, with groups, or with several dims of channels.
std::optional<Convolution> read_convolution(tsr::ContractOp op);

// The picture of a convolution whose windows lie side by side, as a matrix: a row for each window. Its dims are places, then
// channels and taps as they follow each other in the filter, so that the product has no windows.
struct Patches {
  std::string word;                     // a letter for each dim of the rows
  llvm::SmallVector<int64_t, 6> apart;  // extents of the picture, with dims that windows cover as places and taps
  llvm::SmallVector<int64_t, 6> order;  // which of those is the i-th of the rows
  int64_t elements = 1;                 // of a row
  int64_t line = 1;                     // of those, neighbours in a picture with its channels innermost
};

// `filter`: the filter's letters as they follow each other in memory. Nothing where windows overlap, leave the picture or
// leave something between them, and for the gradient of the picture.
std::optional<Patches> read_patches(tsr::ContractOp op, const Convolution& conv, const std::string& filter);

}  // namespace tessera::ir
