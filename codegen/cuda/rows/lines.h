#pragma once
// Lines of a kernel's text while it is put together.

#include <string>
#include <vector>

namespace tessera::cuda {

using Lines = std::vector<std::string>;

// `depth` steps further in; pragmas stay at the margin.
void append(Lines& to, const Lines& lines, int depth);

// Positions that nothing in their scope asks for go: NVRTC warns of them, and so would a reader.
void drop_unused(Lines& lines);

}  // namespace tessera::cuda
