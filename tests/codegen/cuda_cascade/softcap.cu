// kernel contract_mul_tanh_reduce_etc
//
//   reads      value 2x197x2x80xbf16, value 2x197x2x80xbf16, value 2x197x2x80xbf16
//   writes     softmax_value 2x2x197xf32, softmax_value 2x2x197xf32, contract_value 2x197x2x80xf32
//   moves      636.7 kB, 51.2 MFLOP
//   schedule   4 warps of 32 rows, rows in registers, 32 columns at a time, 2 blocks at once; 2 groups of rows
//   from       attention.cpp:155  contract
//              attention.cpp:72  div tanh mul
//              attention.cpp:95  softmax
//              attention.cpp:157  contract
#include "cascade.cuh"

namespace tessera {

struct contract_mul_tanh_reduce_etc_463989d8_shared {
  Panel<bf16, 128, 128, Lie::along_k> value_rows;
  Panel<bf16, 128, 32, Lie::along_rows> value_2_columns[2];
  Panel<bf16, 128, 32, Lie::along_rows> value_3_columns[2];
};

extern "C" __constant__ Launch contract_mul_tanh_reduce_etc_463989d8_launch = {128, 1, sizeof(contract_mul_tanh_reduce_etc_463989d8_shared), {}};

extern "C" __global__ void __launch_bounds__(128, 2)
contract_mul_tanh_reduce_etc_463989d8(const bf16* __restrict__ value, const bf16* __restrict__ value_2, const bf16* __restrict__ value_3,
    float* __restrict__ softmax_value, float* __restrict__ softmax_value_2, float* __restrict__ contract_value) {
  auto& shared = shared_memory<contract_mul_tanh_reduce_etc_463989d8_shared>();
  const int m_first = (static_cast<int>(blockIdx.x) % 2) * 128;
  const int batch_2 = static_cast<int>(blockIdx.x) / 2 % 2;
  const int batch_1 = static_cast<int>(blockIdx.x) / 2 / 2;
  const Stager<Panel<bf16, 128, 128, Lie::along_k>, 8, 128, bf16, int> value_rows(value + batch_1 * 31520 + batch_2 * 80, m_first, 197, [](int m) { return m * 160; });
  value_rows.load(shared.value_rows, 0, 80, [](int d) { return d; });
  const Stager<Panel<bf16, 128, 32, Lie::along_rows>, 8, 128, bf16, int> value_2_columns(value_2 + batch_1 * 31520 + batch_2 * 80, 0, 80, [](int d) { return d; });
  const Stager<Panel<bf16, 128, 32, Lie::along_rows>, 8, 128, bf16, int> value_3_columns(value_3 + batch_1 * 31520 + batch_2 * 80, 0, 80, [](int d) { return d; });
  const auto bring = [&](int slot, int block) {
    const int n_first = block * 32;
    value_2_columns.load(shared.value_2_columns[slot], n_first, 197, [](int n) { return n * 160; });
    value_3_columns.load(shared.value_3_columns[slot], n_first, 197, [](int n) { return n * 160; });
  };
  Rows<2> highest_1;
  Rows<2> sum_1;
  each_row<2>([&](int i, int h) {
    highest_1[i][h] = -infinity;
    sum_1[i][h] = 0.f;
  });
  Plane<2, 10> sums_1 = {};
  int block = 0;
  bring(0, block);
  end_group();
  wait_for_groups<0>();
  __syncthreads();
  LeftInRegisters<bf16, 2, 80> value_rows_left;
  value_rows_left.load(shared.value_rows);
#pragma unroll 1
  for (int slot = 0; block < 7; slot ^= 1) {
    const int n_first = block * 32;
    const int next = block + 1;
    wait_for_groups<0>();
    __syncthreads();  // this block has landed, and everybody is done with the slot that is loaded next
    if (next < 7) bring(slot ^ 1, next);
    end_group();
    Plane<2, 4> score_1 = {};
    multiply<80>(score_1, value_rows_left, turned(shared.value_2_columns[slot]));
    const bool is_whole = n_first + 32 <= 197;
    Plane<2, 4> mul_of_plane_1;
    Rows<2> highest_1_here;
    each_row<2>([&](int i, int h) {
      highest_1_here[i][h] = -infinity;
    });
    if (is_whole) {
      each_element<2, 4>([&](int i, int h, int j, int e) {
        const float mul_1 = score_1[i][j][2 * h + e] * 0.02236068f;  // attention.cpp:72
        const float tanh_1 = ::tanhf(mul_1);
        const float mul_2 = tanh_1 * 5.f;
        mul_of_plane_1[i][j][2 * h + e] = mul_2;
        highest_1_here[i][h] = Max::of(highest_1_here[i][h], mul_2);
      });
    } else {
      each_element<2, 4>([&](int i, int h, int j, int e) {
        const bool inside = n_first + column_of_element(j, e) < 197;
        const float mul_1 = score_1[i][j][2 * h + e] * 0.02236068f;  // attention.cpp:72
        const float tanh_1 = ::tanhf(mul_1);
        const float mul_2 = tanh_1 * 5.f;
        mul_of_plane_1[i][j][2 * h + e] = mul_2;
        highest_1_here[i][h] = Max::of(highest_1_here[i][h], (inside ? mul_2 : -infinity));
      });
    }
    Rows<2> highest_1_factor_1;
    Rows<2> highest_1_seen;
    each_row<2>([&](int i, int h) {
      const float old = highest_1[i][h];
      const float now = Max::of(old, across_quad<Max>(highest_1_here[i][h]));
      {
        const float sub_1 = old - now;  // attention.cpp:95
        const float exp_1 = exp2(log2_e * sub_1);
        highest_1_factor_1[i][h] = old == -infinity ? 1.f : exp_1;
      }
      highest_1[i][h] = now;
      highest_1_seen[i][h] = now == -infinity ? 0.f : now;
    });
    Plane<2, 4> sums_1_plane;
    each_row<2>([&](int i, int h) {
      sum_1[i][h] *= highest_1_factor_1[i][h];
    });
    if (is_whole) {
      each_element<2, 4>([&](int i, int h, int j, int e) {
        const bool is_1 = highest_1_seen[i][h] == -infinity;  // attention.cpp:95
        const float choice_1 = is_1 ? 0.f : highest_1_seen[i][h];
        const float sub_1 = mul_of_plane_1[i][j][2 * h + e] - choice_1;
        const float exp_1 = exp2(log2_e * sub_1);
        sum_1[i][h] = sum_1[i][h] + exp_1;
        sums_1_plane[i][j][2 * h + e] = exp_1;
      });
    } else {
      each_element<2, 4>([&](int i, int h, int j, int e) {
        const bool inside = n_first + column_of_element(j, e) < 197;
        const bool is_1 = highest_1_seen[i][h] == -infinity;  // attention.cpp:95
        const float choice_1 = is_1 ? 0.f : highest_1_seen[i][h];
        const float sub_1 = mul_of_plane_1[i][j][2 * h + e] - choice_1;
        const float exp_1 = exp2(log2_e * sub_1);
        sum_1[i][h] = sum_1[i][h] + (inside ? exp_1 : 0.f);
        sums_1_plane[i][j][2 * h + e] = inside ? exp_1 : 0.f;
      });
    }
    scale_rows(sums_1, highest_1_factor_1);
    multiply<32>(sums_1, rounded_to<bf16>(sums_1_plane), shared.value_3_columns[slot]);
    block = next;
  }
  wait_for_groups<0>();
  each_row<2>([&](int i, int h) {
    sum_1[i][h] = across_quad<Sum>(sum_1[i][h]);
    const int m = min(m_first + row_of_element<2>(i, h), 196);
    if (m_first + row_of_element<2>(i, h) >= 197) return;
    if (threadIdx.x % 4 == 0) {
      const bool is_1 = highest_1[i][h] == -infinity;  // attention.cpp:95
      const float choice_1 = is_1 ? 0.f : highest_1[i][h];
      softmax_value[batch_1 * 394 + batch_2 * 197 + m] = choice_1;
    }
    if (threadIdx.x % 4 == 0) {
      const bool is_1 = highest_1[i][h] == -infinity;  // attention.cpp:95
      const float choice_1 = is_1 ? 1.f : sum_1[i][h];
      const float div_1 = 1.f / choice_1;
      softmax_value_2[batch_1 * 394 + batch_2 * 197 + m] = div_1;
    }
#pragma unroll
    for (int j = 0; j < 10; ++j) {
      const int d = column_of_element(j, 0);
      const int d_2 = d;
      Vector<float, 2> pair;
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const bool is_1 = highest_1[i][h] == -infinity;  // attention.cpp:95
        const float choice_1 = is_1 ? 1.f : sum_1[i][h];
        const float div_1 = 1.f / choice_1;
        const float mul_1 = sums_1[i][j][2 * h + e] * div_1;  // attention.cpp:157
        pair[e] = mul_1;
      }
      store(contract_value + batch_1 * 31520 + batch_2 * 80 + m * 160 + d_2, pair);
    }
  });
}

}  // namespace tessera

// kernel contract_mul_tanh_sub_etc
//
//   reads      value 2x197x2x80xbf16, value 2x197x2x80xbf16, value 2x197x2x80xbf16, softmax_value 2x2x197xf32, softmax_value 2x2x197xf32, add_value 2x197x2x80xbf16, value 2x197x2x80xbf16, reduce_value 2x197x2xf32, add_value 2x197x2x80xbf16
//   writes     contract_value 2x197x2x80xf32, contract_value 2x197x2x80xf32
//   moves      1.3 MB, 102.3 MFLOP
//   schedule   4 warps of 16 rows, rows in registers, 64 columns at a time, 2 blocks at once; 4 groups of rows
//   from       attention.cpp:155  contract mul contract
//              attention.cpp:72  div tanh mul mul mul sub mul div
//              attention.cpp:95  softmax sub mul
//              attention.cpp:160  add
//              attention.cpp:157  contract contract
#include "cascade.cuh"

namespace tessera {

struct contract_mul_tanh_sub_etc_efd5fe74_shared {
  Panel<bf16, 64, 128, Lie::along_k> value_3_rows;
  Panel<bf16, 64, 128, Lie::along_k> value_4_rows;
  Panel<bf16, 128, 64, Lie::along_rows> value_2_columns[2];
  Panel<bf16, 128, 64, Lie::along_rows> add_value_columns[2];
  float softmax_value_of_column[2][64];
  float softmax_value_2_of_column[2][64];
  float reduce_value_of_column[2][64];
};

extern "C" __constant__ Launch contract_mul_tanh_sub_etc_efd5fe74_launch = {128, 1, sizeof(contract_mul_tanh_sub_etc_efd5fe74_shared), {}};

extern "C" __global__ void __launch_bounds__(128, 2)
contract_mul_tanh_sub_etc_efd5fe74(const bf16* __restrict__ value, const bf16* __restrict__ value_2, const bf16* __restrict__ value_3,
    const float* __restrict__ softmax_value, const float* __restrict__ softmax_value_2,
    const bf16* __restrict__ add_value, const bf16* __restrict__ value_4, const float* __restrict__ reduce_value,
    const bf16* __restrict__ add_value_2, float* __restrict__ contract_value,
    float* __restrict__ contract_value_2) {
  auto& shared = shared_memory<contract_mul_tanh_sub_etc_efd5fe74_shared>();
  const int m_first = (static_cast<int>(blockIdx.x) % 4) * 64;
  const int batch_2 = static_cast<int>(blockIdx.x) / 4 % 2;
  const int batch_1 = static_cast<int>(blockIdx.x) / 4 / 2;
  const Stager<Panel<bf16, 64, 128, Lie::along_k>, 8, 128, bf16, int> value_3_rows(value_3 + batch_1 * 31520 + batch_2 * 80, m_first, 197, [](int m) { return m * 160; });
  value_3_rows.load(shared.value_3_rows, 0, 80, [](int d) { return d; });
  const Stager<Panel<bf16, 64, 128, Lie::along_k>, 8, 128, bf16, int> value_4_rows(value_4 + batch_1 * 31520 + batch_2 * 80, m_first, 197, [](int m) { return m * 160; });
  value_4_rows.load(shared.value_4_rows, 0, 80, [](int d) { return d; });
  const Stager<Panel<bf16, 128, 64, Lie::along_rows>, 8, 128, bf16, int> value_2_columns(value_2 + batch_1 * 31520 + batch_2 * 80, 0, 80, [](int d) { return d; });
  const Stager<Panel<bf16, 128, 64, Lie::along_rows>, 8, 128, bf16, int> add_value_columns(add_value + batch_1 * 31520 + batch_2 * 80, 0, 80, [](int d) { return d; });
  const auto bring = [&](int slot, int block) {
    const int n_first = block * 64;
    value_2_columns.load(shared.value_2_columns[slot], n_first, 197, [](int n) { return n * 160; });
    add_value_columns.load(shared.add_value_columns[slot], n_first, 197, [](int n) { return n * 160; });
    if (threadIdx.x < 64) {
      const int n = min(n_first + static_cast<int>(threadIdx.x), 196);
      copy_async<4>(&shared.softmax_value_of_column[slot][threadIdx.x], softmax_value + batch_1 * 394 + batch_2 * 197 + n, true);
      copy_async<4>(&shared.softmax_value_2_of_column[slot][threadIdx.x], softmax_value_2 + batch_1 * 394 + batch_2 * 197 + n, true);
      copy_async<4>(&shared.reduce_value_of_column[slot][threadIdx.x], reduce_value + batch_1 * 394 + batch_2 + n * 2, true);
    }
  };
  Plane<1, 10> sums_1 = {};
  Plane<1, 10> sums_2 = {};
  int block = 0;
  bring(0, block);
  end_group();
  wait_for_groups<0>();
  __syncthreads();
  LeftInRegisters<bf16, 1, 80> value_3_rows_left;
  value_3_rows_left.load(shared.value_3_rows);
  const LeftInShared<Panel<bf16, 64, 128, Lie::along_k>, 1> value_4_rows_left{shared.value_4_rows};
#pragma unroll 1
  for (int slot = 0; block < 4; slot ^= 1) {
    const int n_first = block * 64;
    const int next = block + 1;
    wait_for_groups<0>();
    __syncthreads();  // this block has landed, and everybody is done with the slot that is loaded next
    if (next < 4) bring(slot ^ 1, next);
    end_group();
    Plane<1, 8> score_1 = {};
    multiply<80>(score_1, value_3_rows_left, turned(shared.value_2_columns[slot]));
    Plane<1, 8> score_2 = {};
    multiply<80>(score_2, value_4_rows_left, turned(shared.add_value_columns[slot]));
    const bool is_whole = n_first + 64 <= 197;
    Plane<1, 8> sums_1_plane;
    Plane<1, 8> sums_2_plane;
    if (is_whole) {
      each_element<1, 8>([&](int i, int h, int j, int e) {
        const float mul_1 = score_1[i][j][2 * h + e] * 0.02236068f;  // attention.cpp:72
        const float tanh_1 = ::tanhf(mul_1);
        const float mul_2 = tanh_1 * tanh_1;
        const float sub_1 = 1.f - mul_2;
        const float sub_2 = score_2[i][j][2 * h + e] - shared.reduce_value_of_column[slot][column_of_element(j, e)];  // attention.cpp:95
        const float mul_3 = tanh_1 * 5.f;  // attention.cpp:72
        const float sub_3 = mul_3 - shared.softmax_value_of_column[slot][column_of_element(j, e)];  // attention.cpp:95
        const float exp_1 = exp2(log2_e * sub_3);
        const float mul_4 = exp_1 * shared.softmax_value_2_of_column[slot][column_of_element(j, e)];
        const float mul_5 = sub_2 * mul_4;
        const float mul_6 = mul_5 * 5.f;  // attention.cpp:72
        const float mul_7 = sub_1 * mul_6;
        const float div_1 = mul_7 / 5.f;
        const float mul_8 = div_1 * 0.1118034f;  // attention.cpp:155
        sums_1_plane[i][j][2 * h + e] = mul_8;
        sums_2_plane[i][j][2 * h + e] = mul_4;
      });
    } else {
      each_element<1, 8>([&](int i, int h, int j, int e) {
        const bool inside = n_first + column_of_element(j, e) < 197;
        const float mul_1 = score_1[i][j][2 * h + e] * 0.02236068f;  // attention.cpp:72
        const float tanh_1 = ::tanhf(mul_1);
        const float mul_2 = tanh_1 * tanh_1;
        const float sub_1 = 1.f - mul_2;
        const float sub_2 = score_2[i][j][2 * h + e] - shared.reduce_value_of_column[slot][column_of_element(j, e)];  // attention.cpp:95
        const float mul_3 = tanh_1 * 5.f;  // attention.cpp:72
        const float sub_3 = mul_3 - shared.softmax_value_of_column[slot][column_of_element(j, e)];  // attention.cpp:95
        const float exp_1 = exp2(log2_e * sub_3);
        const float mul_4 = exp_1 * shared.softmax_value_2_of_column[slot][column_of_element(j, e)];
        const float mul_5 = sub_2 * mul_4;
        const float mul_6 = mul_5 * 5.f;  // attention.cpp:72
        const float mul_7 = sub_1 * mul_6;
        const float div_1 = mul_7 / 5.f;
        const float mul_8 = div_1 * 0.1118034f;  // attention.cpp:155
        sums_1_plane[i][j][2 * h + e] = inside ? mul_8 : 0.f;
        sums_2_plane[i][j][2 * h + e] = inside ? mul_4 : 0.f;
      });
    }
    multiply<64>(sums_1, rounded_to<bf16>(sums_1_plane), shared.value_2_columns[slot]);
    multiply<64>(sums_2, rounded_to<bf16>(sums_2_plane), shared.add_value_columns[slot]);
    block = next;
  }
  wait_for_groups<0>();
  each_row<1>([&](int i, int h) {
    const int m = min(m_first + row_of_element<1>(i, h), 196);
    if (m_first + row_of_element<1>(i, h) >= 197) return;
#pragma unroll
    for (int j = 0; j < 10; ++j) {
      const int d = column_of_element(j, 0);
      const int d_3 = d;
      Vector<float, 2> pair;
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        pair[e] = sums_1[i][j][2 * h + e];
      }
      store(contract_value + batch_1 * 31520 + batch_2 * 80 + m * 160 + d_3, pair);
    }
#pragma unroll
    for (int j = 0; j < 10; ++j) {
      const int d = column_of_element(j, 0);
      const int d_4 = d;
      Vector<float, 2> pair;
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        pair[e] = sums_2[i][j][2 * h + e];
      }
      store(contract_value_2 + batch_1 * 31520 + batch_2 * 80 + m * 160 + d_4, pair);
    }
  });
}

}  // namespace tessera

// kernel contract_mul_tanh_sub_etc
//
//   reads      value 2x197x2x80xbf16, value 2x197x2x80xbf16, softmax_value 2x2x197xf32, softmax_value 2x2x197xf32, add_value 2x197x2x80xbf16, value 2x197x2x80xbf16, reduce_value 2x197x2xf32, value 2x197x2x80xbf16
//   writes     contract_value 2x197x2x80xf32
//   moves      892.0 kB, 77.1 MFLOP
//   schedule   4 warps of 32 rows, rows in registers, 32 columns at a time, 2 blocks at once; 2 groups of rows
//   from       attention.cpp:155  contract mul contract
//              attention.cpp:72  div tanh mul mul mul sub mul div
//              attention.cpp:95  softmax sub mul
//              attention.cpp:157  contract
#include "cascade.cuh"

namespace tessera {

struct contract_mul_tanh_sub_etc_779a26a9_shared {
  Panel<bf16, 128, 128, Lie::along_k> value_rows;
  Panel<bf16, 128, 128, Lie::along_k> add_value_rows;
  Panel<bf16, 128, 32, Lie::along_rows> value_2_columns[2];
  Panel<bf16, 128, 32, Lie::along_rows> value_3_columns[2];
};

extern "C" __constant__ Launch contract_mul_tanh_sub_etc_779a26a9_launch = {128, 1, sizeof(contract_mul_tanh_sub_etc_779a26a9_shared), {}};

extern "C" __global__ void __launch_bounds__(128, 2)
contract_mul_tanh_sub_etc_779a26a9(const bf16* __restrict__ value, const bf16* __restrict__ value_2, const float* __restrict__ softmax_value,
    const float* __restrict__ softmax_value_2, const bf16* __restrict__ add_value,
    const bf16* __restrict__ value_3, const float* __restrict__ reduce_value, const bf16* __restrict__ value_4,
    float* __restrict__ contract_value) {
  auto& shared = shared_memory<contract_mul_tanh_sub_etc_779a26a9_shared>();
  const int m_first = (static_cast<int>(blockIdx.x) % 2) * 128;
  const int batch_2 = static_cast<int>(blockIdx.x) / 2 % 2;
  const int batch_1 = static_cast<int>(blockIdx.x) / 2 / 2;
  const Stager<Panel<bf16, 128, 128, Lie::along_k>, 8, 128, bf16, int> value_rows(value + batch_1 * 31520 + batch_2 * 80, m_first, 197, [](int m) { return m * 160; });
  value_rows.load(shared.value_rows, 0, 80, [](int d) { return d; });
  const Stager<Panel<bf16, 128, 128, Lie::along_k>, 8, 128, bf16, int> add_value_rows(add_value + batch_1 * 31520 + batch_2 * 80, m_first, 197, [](int m) { return m * 160; });
  add_value_rows.load(shared.add_value_rows, 0, 80, [](int d) { return d; });
  float softmax_value_of_row[2][2];
  each_row<2>([&](int i, int h) {
    const int m = min(m_first + row_of_element<2>(i, h), 196);
    softmax_value_of_row[i][h] = softmax_value[batch_1 * 394 + batch_2 * 197 + m];
  });
  float softmax_value_2_of_row[2][2];
  each_row<2>([&](int i, int h) {
    const int m = min(m_first + row_of_element<2>(i, h), 196);
    softmax_value_2_of_row[i][h] = softmax_value_2[batch_1 * 394 + batch_2 * 197 + m];
  });
  float reduce_value_of_row[2][2];
  each_row<2>([&](int i, int h) {
    const int m = min(m_first + row_of_element<2>(i, h), 196);
    reduce_value_of_row[i][h] = reduce_value[batch_1 * 394 + batch_2 + m * 2];
  });
  const Stager<Panel<bf16, 128, 32, Lie::along_rows>, 8, 128, bf16, int> value_2_columns(value_2 + batch_1 * 31520 + batch_2 * 80, 0, 80, [](int d) { return d; });
  const Stager<Panel<bf16, 128, 32, Lie::along_rows>, 8, 128, bf16, int> value_3_columns(value_3 + batch_1 * 31520 + batch_2 * 80, 0, 80, [](int d) { return d; });
  const auto bring = [&](int slot, int block) {
    const int n_first = block * 32;
    value_2_columns.load(shared.value_2_columns[slot], n_first, 197, [](int n) { return n * 160; });
    value_3_columns.load(shared.value_3_columns[slot], n_first, 197, [](int n) { return n * 160; });
  };
  Plane<2, 10> sums_1 = {};
  int block = 0;
  bring(0, block);
  end_group();
  wait_for_groups<0>();
  __syncthreads();
  LeftInRegisters<bf16, 2, 80> value_rows_left;
  value_rows_left.load(shared.value_rows);
  const LeftInShared<Panel<bf16, 128, 128, Lie::along_k>, 2> add_value_rows_left{shared.add_value_rows};
#pragma unroll 1
  for (int slot = 0; block < 7; slot ^= 1) {
    const int n_first = block * 32;
    const int next = block + 1;
    wait_for_groups<0>();
    __syncthreads();  // this block has landed, and everybody is done with the slot that is loaded next
    if (next < 7) bring(slot ^ 1, next);
    end_group();
    Plane<2, 4> score_1 = {};
    multiply<80>(score_1, value_rows_left, turned(shared.value_2_columns[slot]));
    Plane<2, 4> score_2 = {};
    multiply<80>(score_2, add_value_rows_left, turned(shared.value_3_columns[slot]));
    const bool is_whole = n_first + 32 <= 197;
    Plane<2, 4> sums_1_plane;
    if (is_whole) {
      each_element<2, 4>([&](int i, int h, int j, int e) {
        const float mul_1 = score_1[i][j][2 * h + e] * 0.02236068f;  // attention.cpp:72
        const float tanh_1 = ::tanhf(mul_1);
        const float mul_2 = tanh_1 * tanh_1;
        const float sub_1 = 1.f - mul_2;
        const float sub_2 = score_2[i][j][2 * h + e] - reduce_value_of_row[i][h];  // attention.cpp:95
        const float mul_3 = tanh_1 * 5.f;  // attention.cpp:72
        const float sub_3 = mul_3 - softmax_value_of_row[i][h];  // attention.cpp:95
        const float exp_1 = exp2(log2_e * sub_3);
        const float mul_4 = exp_1 * softmax_value_2_of_row[i][h];
        const float mul_5 = sub_2 * mul_4;
        const float mul_6 = mul_5 * 5.f;  // attention.cpp:72
        const float mul_7 = sub_1 * mul_6;
        const float div_1 = mul_7 / 5.f;
        const float mul_8 = div_1 * 0.1118034f;  // attention.cpp:155
        sums_1_plane[i][j][2 * h + e] = mul_8;
      });
    } else {
      each_element<2, 4>([&](int i, int h, int j, int e) {
        const bool inside = n_first + column_of_element(j, e) < 197;
        const float mul_1 = score_1[i][j][2 * h + e] * 0.02236068f;  // attention.cpp:72
        const float tanh_1 = ::tanhf(mul_1);
        const float mul_2 = tanh_1 * tanh_1;
        const float sub_1 = 1.f - mul_2;
        const float sub_2 = score_2[i][j][2 * h + e] - reduce_value_of_row[i][h];  // attention.cpp:95
        const float mul_3 = tanh_1 * 5.f;  // attention.cpp:72
        const float sub_3 = mul_3 - softmax_value_of_row[i][h];  // attention.cpp:95
        const float exp_1 = exp2(log2_e * sub_3);
        const float mul_4 = exp_1 * softmax_value_2_of_row[i][h];
        const float mul_5 = sub_2 * mul_4;
        const float mul_6 = mul_5 * 5.f;  // attention.cpp:72
        const float mul_7 = sub_1 * mul_6;
        const float div_1 = mul_7 / 5.f;
        const float mul_8 = div_1 * 0.1118034f;  // attention.cpp:155
        sums_1_plane[i][j][2 * h + e] = inside ? mul_8 : 0.f;
      });
    }
    multiply<32>(sums_1, rounded_to<bf16>(sums_1_plane), shared.value_2_columns[slot]);
    block = next;
  }
  wait_for_groups<0>();
  each_row<2>([&](int i, int h) {
    const int m = min(m_first + row_of_element<2>(i, h), 196);
    if (m_first + row_of_element<2>(i, h) >= 197) return;
#pragma unroll
    for (int j = 0; j < 10; ++j) {
      const int d = column_of_element(j, 0);
      const int d_3 = d;
      Vector<float, 2> pair;
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        pair[e] = sums_1[i][j][2 * h + e];
      }
      store(contract_value + batch_1 * 31520 + batch_2 * 80 + m * 160 + d_3, pair);
    }
  });
}

}  // namespace tessera
