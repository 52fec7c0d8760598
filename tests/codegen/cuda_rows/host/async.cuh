#pragma once
// Stands in for device/async.cuh. A copy lands when its group is waited for, and not before.

#include <deque>
#include <vector>

#include "core.cuh"

namespace tessera {

struct HostCopy {
  void* to;
  const void* from;
  int bytes;
  bool inside;
};
inline std::deque<std::vector<HostCopy>> host_groups[1024];  // of each thread; the last is not ended yet

inline std::deque<std::vector<HostCopy>>& groups_of_thread() {
  auto& groups = host_groups[threadIdx.x];
  if (groups.empty()) groups.emplace_back();
  return groups;
}

template <int bytes> void copy_async(void* to, const void* from, bool inside) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16);
  if (reinterpret_cast<unsigned long long>(to) % bytes || (inside && reinterpret_cast<unsigned long long>(from) % bytes))
    __builtin_trap();  // as the device would
  groups_of_thread().back().push_back({to, from, bytes, inside});
}

inline void end_group() { groups_of_thread().emplace_back(); }
template <int behind> void wait_for_groups() {
  auto& groups = groups_of_thread();
  for (; groups.size() > behind + 1; groups.pop_front())
    for (const HostCopy& copy : groups.front()) {
      if (copy.inside) std::memcpy(copy.to, copy.from, static_cast<unsigned long>(copy.bytes));
      else std::memset(copy.to, 0, static_cast<unsigned long>(copy.bytes));
    }
}

}  // namespace tessera
