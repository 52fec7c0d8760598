#pragma once
// How values inside of a kernel round.

namespace tessera::cuda {

//   of_kernel   within the bounds that README.md names: a sum takes a product that is not rounded by itself, what its elements
//               share comes behind it, and pairs of ops are one function
//   of_each_op  as each op does by itself: what a strict program asks
enum class Rounding { of_kernel, of_each_op };

}  // namespace tessera::cuda
