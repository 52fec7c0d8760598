#pragma once
// The order in which kernels run: that of the program, but what turns much memory into little runs as soon as it can.
// A program is recorded from its results backwards, so without this all gradients of activations would lie in memory
// until the last of them is there, and only then become gradients of parameters.

#include <cstdint>
#include <vector>

namespace tessera::ir {

struct OrderItem {
  std::vector<int> needs;           // items that must run before; all have lower numbers
  int64_t read = 0, allocated = 0;  // bytes; what replaces an argument allocates nothing
};

// The items' numbers in the order in which they shall run.
std::vector<int> order_early(const std::vector<OrderItem>& items);

}  // namespace tessera::ir
