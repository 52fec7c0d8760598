#pragma once
// The tensor-core instruction of a warpgroup, one overload per width of the accumulator: 64 rows, N = 8, 16 … 256
// columns, 16 of K, operands of bf16 or both of f16, f32 sums. B lies in shared memory; A too, or in
// registers. The same for tf32, 8 of K, both in shared memory along K. Beside it, the stores that move what it leaves.
//
// An overload is picked by the number of accumulator registers, N / 2. Below, R_n spells the first n registers in the
// text of the instruction, and D_n binds them.

#include "core.cuh"

namespace tessera {

#define TESSERA_R_4 "%0, %1, %2, %3"
#define TESSERA_R_8 TESSERA_R_4 ", %4, %5, %6, %7"
#define TESSERA_R_12 TESSERA_R_8 ", %8, %9, %10, %11"
#define TESSERA_R_16 TESSERA_R_12 ", %12, %13, %14, %15"
#define TESSERA_R_20 TESSERA_R_16 ", %16, %17, %18, %19"
#define TESSERA_R_24 TESSERA_R_20 ", %20, %21, %22, %23"
#define TESSERA_R_28 TESSERA_R_24 ", %24, %25, %26, %27"
#define TESSERA_R_32 TESSERA_R_28 ", %28, %29, %30, %31"
#define TESSERA_R_36 TESSERA_R_32 ", %32, %33, %34, %35"
#define TESSERA_R_40 TESSERA_R_36 ", %36, %37, %38, %39"
#define TESSERA_R_44 TESSERA_R_40 ", %40, %41, %42, %43"
#define TESSERA_R_48 TESSERA_R_44 ", %44, %45, %46, %47"
#define TESSERA_R_52 TESSERA_R_48 ", %48, %49, %50, %51"
#define TESSERA_R_56 TESSERA_R_52 ", %52, %53, %54, %55"
#define TESSERA_R_60 TESSERA_R_56 ", %56, %57, %58, %59"
#define TESSERA_R_64 TESSERA_R_60 ", %60, %61, %62, %63"
#define TESSERA_R_68 TESSERA_R_64 ", %64, %65, %66, %67"
#define TESSERA_R_72 TESSERA_R_68 ", %68, %69, %70, %71"
#define TESSERA_R_76 TESSERA_R_72 ", %72, %73, %74, %75"
#define TESSERA_R_80 TESSERA_R_76 ", %76, %77, %78, %79"
#define TESSERA_R_84 TESSERA_R_80 ", %80, %81, %82, %83"
#define TESSERA_R_88 TESSERA_R_84 ", %84, %85, %86, %87"
#define TESSERA_R_92 TESSERA_R_88 ", %88, %89, %90, %91"
#define TESSERA_R_96 TESSERA_R_92 ", %92, %93, %94, %95"
#define TESSERA_R_100 TESSERA_R_96 ", %96, %97, %98, %99"
#define TESSERA_R_104 TESSERA_R_100 ", %100, %101, %102, %103"
#define TESSERA_R_108 TESSERA_R_104 ", %104, %105, %106, %107"
#define TESSERA_R_112 TESSERA_R_108 ", %108, %109, %110, %111"
#define TESSERA_R_116 TESSERA_R_112 ", %112, %113, %114, %115"
#define TESSERA_R_120 TESSERA_R_116 ", %116, %117, %118, %119"
#define TESSERA_R_124 TESSERA_R_120 ", %120, %121, %122, %123"
#define TESSERA_R_128 TESSERA_R_124 ", %124, %125, %126, %127"

#define TESSERA_D4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define TESSERA_D_4 TESSERA_D4(0)
#define TESSERA_D_8 TESSERA_D_4, TESSERA_D4(4)
#define TESSERA_D_12 TESSERA_D_8, TESSERA_D4(8)
#define TESSERA_D_16 TESSERA_D_12, TESSERA_D4(12)
#define TESSERA_D_20 TESSERA_D_16, TESSERA_D4(16)
#define TESSERA_D_24 TESSERA_D_20, TESSERA_D4(20)
#define TESSERA_D_28 TESSERA_D_24, TESSERA_D4(24)
#define TESSERA_D_32 TESSERA_D_28, TESSERA_D4(28)
#define TESSERA_D_36 TESSERA_D_32, TESSERA_D4(32)
#define TESSERA_D_40 TESSERA_D_36, TESSERA_D4(36)
#define TESSERA_D_44 TESSERA_D_40, TESSERA_D4(40)
#define TESSERA_D_48 TESSERA_D_44, TESSERA_D4(44)
#define TESSERA_D_52 TESSERA_D_48, TESSERA_D4(48)
#define TESSERA_D_56 TESSERA_D_52, TESSERA_D4(52)
#define TESSERA_D_60 TESSERA_D_56, TESSERA_D4(56)
#define TESSERA_D_64 TESSERA_D_60, TESSERA_D4(60)
#define TESSERA_D_68 TESSERA_D_64, TESSERA_D4(64)
#define TESSERA_D_72 TESSERA_D_68, TESSERA_D4(68)
#define TESSERA_D_76 TESSERA_D_72, TESSERA_D4(72)
#define TESSERA_D_80 TESSERA_D_76, TESSERA_D4(76)
#define TESSERA_D_84 TESSERA_D_80, TESSERA_D4(80)
#define TESSERA_D_88 TESSERA_D_84, TESSERA_D4(84)
#define TESSERA_D_92 TESSERA_D_88, TESSERA_D4(88)
#define TESSERA_D_96 TESSERA_D_92, TESSERA_D4(92)
#define TESSERA_D_100 TESSERA_D_96, TESSERA_D4(96)
#define TESSERA_D_104 TESSERA_D_100, TESSERA_D4(100)
#define TESSERA_D_108 TESSERA_D_104, TESSERA_D4(104)
#define TESSERA_D_112 TESSERA_D_108, TESSERA_D4(108)
#define TESSERA_D_116 TESSERA_D_112, TESSERA_D4(112)
#define TESSERA_D_120 TESSERA_D_116, TESSERA_D4(116)
#define TESSERA_D_124 TESSERA_D_120, TESSERA_D4(120)
#define TESSERA_D_128 TESSERA_D_124, TESSERA_D4(124)

// n columns; r registers; operands r, r + 1, … follow the accumulator in the list. `accumulate` false starts from zero.
// a_rows, b_rows 1: K runs along the rows of the operand's tile.
#define TESSERA_WGMMA_SHARED(n, r, r1, r2, r3, r4, type)                                                  \
  asm volatile("{ .reg .pred add; setp.ne.b32 add, %" #r2                                                 \
               ", 0;\n"                                                                                   \
               "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." type "." type " {" TESSERA_R_##r         \
               "}, %" #r ", %" #r1 ", add, 1, 1, %" #r3 ", %" #r4 "; }"                                   \
               : TESSERA_D_##r                                                                            \
               : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)), "n"(a_rows), "n"(b_rows))

#define TESSERA_WGMMA_REGISTERS(n, r, r1, r2, r3, r4, r5, r6, type)                                       \
  asm volatile("{ .reg .pred add; setp.ne.b32 add, %" #r5                                                 \
               ", 0;\n"                                                                                   \
               "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." type "." type " {" TESSERA_R_##r         \
               "}, {%" #r ", %" #r1 ", %" #r2 ", %" #r3 "}, %" #r4 ", add, 1, 1, %" #r6 "; }"             \
               : TESSERA_D_##r                                                                            \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(accumulate)), "n"(b_rows))

#define TESSERA_WGMMA(n, r, r1, r2, r3, r4, r5, r6)                                                       \
  template <bool is_f16, int a_rows, int b_rows>                                                          \
  TESSERA_DEVICE void wgmma(float (&d)[r], u64 a, u64 b, bool accumulate) {                               \
    if constexpr (is_f16) TESSERA_WGMMA_SHARED(n, r, r1, r2, r3, r4, "f16");                              \
    else TESSERA_WGMMA_SHARED(n, r, r1, r2, r3, r4, "bf16");                                              \
  }                                                                                                       \
  TESSERA_DEVICE void wgmma_tf32(float (&d)[r], u64 a, u64 b, bool accumulate) {                          \
    asm volatile("{ .reg .pred add; setp.ne.b32 add, %" #r2                                               \
                 ", 0;\n"                                                                                 \
                 "wgmma.mma_async.sync.aligned.m64n" #n "k8.f32.tf32.tf32 {" TESSERA_R_##r                \
                 "}, %" #r ", %" #r1 ", add, 1, 1; }"                                                     \
                 : TESSERA_D_##r                                                                          \
                 : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)));                                    \
  }                                                                                                       \
  template <int b_rows>                                                                                   \
  TESSERA_DEVICE void wgmma(float (&d)[r], const u32(&a)[4], u64 b, bool accumulate) {                    \
    TESSERA_WGMMA_REGISTERS(n, r, r1, r2, r3, r4, r5, r6, "bf16");                                        \
  }                                                                                                       \
  template <int b_rows>                                                                                   \
  TESSERA_DEVICE void wgmma_f16(float (&d)[r], const u32(&a)[4], u64 b, bool accumulate) {                \
    TESSERA_WGMMA_REGISTERS(n, r, r1, r2, r3, r4, r5, r6, "f16");                                         \
  }

TESSERA_WGMMA(8, 4, 5, 6, 7, 8, 9, 10)
TESSERA_WGMMA(16, 8, 9, 10, 11, 12, 13, 14)
TESSERA_WGMMA(24, 12, 13, 14, 15, 16, 17, 18)
TESSERA_WGMMA(32, 16, 17, 18, 19, 20, 21, 22)
TESSERA_WGMMA(40, 20, 21, 22, 23, 24, 25, 26)
TESSERA_WGMMA(48, 24, 25, 26, 27, 28, 29, 30)
TESSERA_WGMMA(56, 28, 29, 30, 31, 32, 33, 34)
TESSERA_WGMMA(64, 32, 33, 34, 35, 36, 37, 38)
TESSERA_WGMMA(72, 36, 37, 38, 39, 40, 41, 42)
TESSERA_WGMMA(80, 40, 41, 42, 43, 44, 45, 46)
TESSERA_WGMMA(88, 44, 45, 46, 47, 48, 49, 50)
TESSERA_WGMMA(96, 48, 49, 50, 51, 52, 53, 54)
TESSERA_WGMMA(104, 52, 53, 54, 55, 56, 57, 58)
TESSERA_WGMMA(112, 56, 57, 58, 59, 60, 61, 62)
TESSERA_WGMMA(120, 60, 61, 62, 63, 64, 65, 66)
TESSERA_WGMMA(128, 64, 65, 66, 67, 68, 69, 70)
TESSERA_WGMMA(136, 68, 69, 70, 71, 72, 73, 74)
TESSERA_WGMMA(144, 72, 73, 74, 75, 76, 77, 78)
TESSERA_WGMMA(152, 76, 77, 78, 79, 80, 81, 82)
TESSERA_WGMMA(160, 80, 81, 82, 83, 84, 85, 86)
TESSERA_WGMMA(168, 84, 85, 86, 87, 88, 89, 90)
TESSERA_WGMMA(176, 88, 89, 90, 91, 92, 93, 94)
TESSERA_WGMMA(184, 92, 93, 94, 95, 96, 97, 98)
TESSERA_WGMMA(192, 96, 97, 98, 99, 100, 101, 102)
TESSERA_WGMMA(200, 100, 101, 102, 103, 104, 105, 106)
TESSERA_WGMMA(208, 104, 105, 106, 107, 108, 109, 110)
TESSERA_WGMMA(216, 108, 109, 110, 111, 112, 113, 114)
TESSERA_WGMMA(224, 112, 113, 114, 115, 116, 117, 118)
TESSERA_WGMMA(232, 116, 117, 118, 119, 120, 121, 122)
TESSERA_WGMMA(240, 120, 121, 122, 123, 124, 125, 126)
TESSERA_WGMMA(248, 124, 125, 126, 127, 128, 129, 130)
TESSERA_WGMMA(256, 128, 129, 130, 131, 132, 133, 134)

// Before the first mma of a stretch: what ordinary instructions wrote to accumulators and operands is seen by it.
TESSERA_DEVICE void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
TESSERA_DEVICE void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending>
TESSERA_DEVICE void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
}

// Keeps the compiler from moving uses of a register across a wait that has no register among its operands.
template <int count>
TESSERA_DEVICE void pin(float (&v)[count]) {
#pragma unroll
  for (int r = 0; r < count; ++r) asm volatile("" : "+f"(v[r])::"memory");
}

// Four 8 x 8 matrices of 16 bits, as accumulators lie when two columns are packed in a register: lane l says where line
// l % 8 of matrix l / 8 goes.
TESSERA_DEVICE void put_matrices(u32 at, const u32 (&x)[4]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(at), "r"(x[0]), "r"(x[1]),
               "r"(x[2]), "r"(x[3])
               : "memory");
}
// And back.
TESSERA_DEVICE void get_matrices(u32 (&x)[4], u32 at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
               : "r"(at)
               : "memory");
}

}  // namespace tessera
