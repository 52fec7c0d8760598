#pragma once
// One piece of work for each of a list, on several threads: how kernels are compiled, and first values drawn.

#include <cstddef>
#include <functional>

namespace tessera {

// Calls work(0) … work(count − 1), each once, on as many threads as there are cores, this one among them. All are done or
// have failed when it returns; then one of the failures, if there are some, is thrown.
void on_threads(size_t count, const std::function<void(size_t)>& work);

}  // namespace tessera
