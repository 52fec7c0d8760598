#pragma once
// Lines of a kernel's text while it is put together.

#include <string>
#include <vector>

namespace tessera::cuda {

using Lines = std::vector<std::string>;

// `depth` steps further in; pragmas stay at the margin.
void append(Lines& to, const Lines& lines, int depth);

// Parameters of a function behind the `width` characters of its name, on as many lines as they need.
std::string parameter_list(const Lines& parameters, size_t width);

// Positions that nothing in their scope asks for go: NVRTC warns of them, and so would a reader.
void drop_unused(Lines& lines);

}  // namespace tessera::cuda
