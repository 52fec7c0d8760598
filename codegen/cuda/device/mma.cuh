#pragma once
// The tensor-core instructions of sm_80 and newer: products of small matrices whose elements are spread over a warp.
//
// With g = lane / 4 and t = lane % 4, sums d of 16 × 8 lie as d[0], d[1] in row g, columns 2t and 2t + 1; d[2], d[3] in
// row g + 8. Operands: a of 16 rows, b of 8 rows (the columns of the product), each along K.

#include "convert.cuh"

namespace tessera {

// x as tensor cores take f32, with 10 bits behind the point, rounded to nearest, and what is left of it, of which they see ten
// bits more. A NaN may be nothing in the first, whose bits are counted up, and is one in what is left; so is an infinity.
TESSERA_DEVICE void split_tf32(float x, float& big, float& small) {
  big = __uint_as_float((__float_as_uint(x) + 0x1000) & 0xffffe000);
  small = x - big;
}

// x rounded to nearest as tensor cores take f32; NaNs and infinities stay.
TESSERA_DEVICE float round_to_tf32(float x) {
  u32 bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return __uint_as_float(bits);
}

// K of 8: a in (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4), b in (g, t), (g, t + 4). Bits behind the tenth are not seen.
TESSERA_DEVICE void mma_tf32(float (&d)[4], const float (&a)[4], const float (&b)[2]) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])), "r"(__float_as_uint(a[3])),
        "r"(__float_as_uint(b[0])), "r"(__float_as_uint(b[1])));
}

// K of 16, two neighbours in each register: a in (g, 2t), (g + 8, 2t), (g, 2t + 8), (g + 8, 2t + 8), b in (g, 2t),
// (g, 2t + 8).
TESSERA_DEVICE void mma_half(bf16, float (&d)[4], const u32 (&a)[4], const u32* b) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
TESSERA_DEVICE void mma_half(f16, float (&d)[4], const u32 (&a)[4], const u32* b) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Four matrices of 8 lines of 8 elements of 2 bytes: lane 8 i + j says where line j of matrix i is. Register i gets
// elements 2t and 2t + 1 of line g of matrix i; transposed, element g of lines 2t and 2t + 1.
TESSERA_DEVICE void load_matrices(u32 (&to)[4], const void* line) {
  const u32 at = static_cast<u32>(__cvta_generic_to_shared(line));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(at)
               : "memory");
}
TESSERA_DEVICE void load_matrices_transposed(u32 (&to)[4], const void* line) {
  const u32 at = static_cast<u32>(__cvta_generic_to_shared(line));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(at)
               : "memory");
}

}  // namespace tessera
