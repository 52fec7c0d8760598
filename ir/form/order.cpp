#include <tessera/ir/form/order.h>

#include <set>

namespace tessera::ir {
namespace {

constexpr int64_t little = 4096;  // bytes that are no matter, as of scalars that many kernels wait for

bool shrinks(const OrderItem& item) { return item.allocated <= little || 8 * item.allocated <= item.read; }

}  // namespace

std::vector<int> order_early(const std::vector<OrderItem>& items) {
  const size_t count = items.size();
  std::vector<std::vector<int>> needed_by(count);
  std::vector<size_t> missing(count);
  std::set<int> early;  // ready, and worth running at once
  for (size_t k = 0; k < count; ++k) {
    missing[k] = items[k].needs.size();
    if (missing[k] == 0 && items[k].allocated <= little) early.insert(static_cast<int>(k));
    for (int before : items[k].needs) needed_by[static_cast<size_t>(before)].push_back(static_cast<int>(k));
  }
  std::vector<int> order;
  std::vector<char> done(count, 0);
  auto run = [&](int item) {
    done[static_cast<size_t>(item)] = 1;
    order.push_back(item);
    for (int next : needed_by[static_cast<size_t>(item)]) {
      if (--missing[static_cast<size_t>(next)] == 0 && shrinks(items[static_cast<size_t>(next)])) early.insert(next);
    }
  };
  for (size_t k = 0; k < count; ++k) {
    while (!early.empty()) {
      const int next = early.extract(early.begin()).value();
      if (!done[static_cast<size_t>(next)]) run(next);
    }
    if (!done[k]) run(static_cast<int>(k));
  }
  return order;
}

}  // namespace tessera::ir
