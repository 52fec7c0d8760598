#pragma once
// How many steps of a graph may run side by side. The driver starts a graph of a few branches in the time of one launch
// and takes a microsecond for each branch more, so steps beyond stand in line.

#include <algorithm>
#include <cstddef>
#include <vector>

namespace tessera::cuda {

class Branches {
 public:
  static constexpr size_t most = 4;

  void put(size_t step) { ends_.push_back(step); }  // the first
  // `step` follows; `after`: what it waits for, sorted. It gets one more where it continues the branch of another.
  void put(size_t step, std::vector<size_t>& after) {
    auto branch = std::find_if(ends_.rbegin(), ends_.rend(),
                               [&](size_t end) { return std::binary_search(after.begin(), after.end(), end); });
    if (branch == ends_.rend()) {
      if (ends_.size() < most) {
        ends_.push_back(step);
        return;
      }
      branch = std::prev(ends_.rend());  // the one that ended first
      after.insert(std::upper_bound(after.begin(), after.end(), *branch), *branch);
    }
    ends_.erase(std::next(branch).base());
    ends_.push_back(step);
  }
  const std::vector<size_t>& ends() const { return ends_; }  // who waits for these waits for all

 private:
  std::vector<size_t> ends_;  // the last step of each branch, in order
};

}  // namespace tessera::cuda
