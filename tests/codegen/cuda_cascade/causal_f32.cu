// kernel contract_mul_select_reduce_etc
//
//   reads      x0 2x1024x12x64xf32, x1 2x1024x12x64xf32, x2 2x1024x12x64xf32
//   writes     softmax_value 2x12x1024xf32, softmax_value 2x12x1024xf32, contract_value 2x1024x12x64xf32
//   moves      25.4 MB, 3503.6 MFLOP
//   schedule   4 warps of 16 rows, 64 columns at a time, 2 blocks at once; 16 groups of rows; f32 as tf32 x 3
//   from       attention.cpp:60  ge select
//              attention.cpp:155  contract mul
//              attention.cpp:95  softmax
//              attention.cpp:157  contract
#include "cascade.cuh"

namespace tessera {

struct contract_mul_select_reduce_etc_f379a54a_shared {
  Panel<float, 64, 64, Lie::along_k, Reads::pairs> x0_rows;
  Panel<float, 64, 64, Lie::along_rows, Reads::pairs> x1_columns[2];
  Panel<float, 64, 64, Lie::along_rows, Reads::pairs> x2_columns[2];
};

extern "C" __constant__ Launch contract_mul_select_reduce_etc_f379a54a_launch = {128, 1, sizeof(contract_mul_select_reduce_etc_f379a54a_shared), {}};

extern "C" __global__ void __launch_bounds__(128, 2)
contract_mul_select_reduce_etc_f379a54a(const float* __restrict__ x0, const float* __restrict__ x1, const float* __restrict__ x2,
    float* __restrict__ softmax_value, float* __restrict__ softmax_value_2, float* __restrict__ contract_value) {
  auto& shared = shared_memory<contract_mul_select_reduce_etc_f379a54a_shared>();
  const int m_first = (15 - static_cast<int>(blockIdx.x) / 24) * 64;
  const int m_last = min(m_first + 64, 1024) - 1;
  const int point = static_cast<int>(blockIdx.x) % 24;
  const int batch_2 = point % 12;
  const int batch_1 = point / 12;
  const Stager<Panel<float, 64, 64, Lie::along_k, Reads::pairs>, 4, 128, float, int> x0_rows(x0 + batch_1 * 786432 + batch_2 * 64, m_first, 1024, [](int m) { return m * 768; });
  x0_rows.load(shared.x0_rows, 0, 64, [](int d) { return d; });
  const Stager<Panel<float, 64, 64, Lie::along_rows, Reads::pairs>, 4, 128, float, int> x1_columns(x1 + batch_1 * 786432 + batch_2 * 64, 0, 64, [](int d) { return d; });
  const Stager<Panel<float, 64, 64, Lie::along_rows, Reads::pairs>, 4, 128, float, int> x2_columns(x2 + batch_1 * 786432 + batch_2 * 64, 0, 64, [](int d) { return d; });
  const auto bring = [&](int slot, int block) {
    const int n_first = block * 64;
    x1_columns.load(shared.x1_columns[slot], n_first, 1024, [](int n) { return n * 768; });
    x2_columns.load(shared.x2_columns[slot], n_first, 1024, [](int n) { return n * 768; });
  };
  Rows<1> highest_1;
  Rows<1> sum_1;
  each_row<1>([&](int i, int h) {
    highest_1[i][h] = -infinity;
    sum_1[i][h] = 0.f;
  });
  Plane<1, 8> sums_1 = {};
  const auto is_empty = [&](int block) {
    const int n_first = block * 64;
    return m_last < n_first;
  };
  const auto from = [&](int block) {
    while (block < 16 && is_empty(block)) ++block;
    return block;
  };
  int block = from(0);
  if (block < 16) bring(0, block);
  end_group();
  const PairsInShared<Panel<float, 64, 64, Lie::along_k, Reads::pairs>, 1> x0_rows_left(shared.x0_rows);
#pragma unroll 1
  for (int slot = 0; block < 16; slot ^= 1) {
    const int n_first = block * 64;
    const int n_last = n_first + 63;
    const int next = from(block + 1);
    wait_for_groups<0>();
    __syncthreads();  // this block has landed, and everybody is done with the slot that is loaded next
    if (next < 16) bring(slot ^ 1, next);
    end_group();
    Plane<1, 8> score_1 = {};
    multiply_tf32<3, 64>(score_1, x0_rows_left, turned(shared.x1_columns[slot]));
    const bool is_whole = n_last <= m_first;
    Plane<1, 8> choice_of_plane_1;
    Rows<1> highest_1_here;
    each_row<1>([&](int i, int h) {
      highest_1_here[i][h] = -infinity;
    });
    if (is_whole) {
      each_element<1, 8>([&](int i, int h, int j, int e) {
        const float mul_1 = score_1[i][j][2 * h + e] * 0.125f;  // attention.cpp:155
        choice_of_plane_1[i][j][2 * h + e] = mul_1;
        highest_1_here[i][h] = Max::of(highest_1_here[i][h], mul_1);
      });
    } else {
      each_element<1, 8>([&](int i, int h, int j, int e) {
        const int m = m_first + row_of_element<1>(i, h);
        const int n = n_first + column_of_element(j, e);
        const i64 index_1 = m;  // attention.cpp:60
        const int index_cast_1 = static_cast<int>(index_1);
        const i64 index_2 = n;
        const int index_cast_2 = static_cast<int>(index_2);
        const bool is_1 = index_cast_1 >= index_cast_2;
        const float mul_1 = score_1[i][j][2 * h + e] * 0.125f;  // attention.cpp:155
        const float choice_1 = is_1 ? mul_1 : -infinity;  // attention.cpp:60
        choice_of_plane_1[i][j][2 * h + e] = choice_1;
        highest_1_here[i][h] = Max::of(highest_1_here[i][h], choice_1);
      });
    }
    Rows<1> highest_1_factor_1;
    Rows<1> highest_1_seen;
    each_row<1>([&](int i, int h) {
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
    Plane<1, 8> sums_1_plane;
    each_row<1>([&](int i, int h) {
      sum_1[i][h] *= highest_1_factor_1[i][h];
    });
    each_element<1, 8>([&](int i, int h, int j, int e) {
      const bool is_1 = highest_1_seen[i][h] == -infinity;  // attention.cpp:95
      const float choice_1 = is_1 ? 0.f : highest_1_seen[i][h];
      const float sub_1 = choice_of_plane_1[i][j][2 * h + e] - choice_1;
      const float exp_1 = exp2(log2_e * sub_1);
      sum_1[i][h] = sum_1[i][h] + exp_1;
      sums_1_plane[i][j][2 * h + e] = exp_1;
    });
    scale_rows(sums_1, highest_1_factor_1);
    multiply_tf32<3, 64>(sums_1, in_pairs(sums_1_plane), shared.x2_columns[slot]);
    block = next;
  }
  wait_for_groups<0>();
  each_row<1>([&](int i, int h) {
    sum_1[i][h] = across_quad<Sum>(sum_1[i][h]);
    const int m = m_first + row_of_element<1>(i, h);
    if (threadIdx.x % 4 == 0) {
      const bool is_1 = highest_1[i][h] == -infinity;  // attention.cpp:95
      const float choice_1 = is_1 ? 0.f : highest_1[i][h];
      softmax_value[batch_1 * 12288 + batch_2 * 1024 + m] = choice_1;
    }
    if (threadIdx.x % 4 == 0) {
      const bool is_1 = highest_1[i][h] == -infinity;  // attention.cpp:95
      const float choice_1 = is_1 ? 1.f : sum_1[i][h];
      const float div_1 = 1.f / choice_1;
      softmax_value_2[batch_1 * 12288 + batch_2 * 1024 + m] = div_1;
    }
#pragma unroll
    for (int j = 0; j < 8; ++j) {
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
      store(contract_value + batch_1 * 786432 + batch_2 * 64 + m * 768 + d_2, pair);
    }
  });
}

}  // namespace tessera

// kernel contract_mul_select_sub_etc
//
//   reads      x0 2x1024x12x64xf32, x0 2x1024x12x64xf32, x1 2x1024x12x64xf32, softmax_value 2x12x1024xf32, softmax_value 2x12x1024xf32, add_value 2x1024x12x64xf32, x2 2x1024x12x64xf32, reduce_value 2x1024x12xf32, add_value 2x1024x12x64xf32
//   writes     contract_value 2x1024x12x64xf32, contract_value 2x1024x12x64xf32
//   moves      50.6 MB, 13111.4 MFLOP
//   schedule   4 warps of 16 rows, 32 columns at a time, 2 blocks at once; 16 groups of rows; f32 as tf32 x 3
//   from       attention.cpp:60  ge select select
//              attention.cpp:155  contract mul mul contract
//              attention.cpp:95  softmax sub mul
//              attention.cpp:157  contract contract
#include "cascade.cuh"

namespace tessera {

struct contract_mul_select_sub_etc_0b49900d_shared {
  Panel<float, 64, 64, Lie::along_k, Reads::pairs> x1_rows;
  Panel<float, 64, 64, Lie::along_k, Reads::pairs> x2_rows;
  Panel<float, 64, 32, Lie::along_rows, Reads::pairs> x0_2_columns[2];
  Panel<float, 64, 32, Lie::along_rows, Reads::pairs> add_value_columns[2];
  float softmax_value_of_column[2][32];
  float softmax_value_2_of_column[2][32];
  float reduce_value_of_column[2][32];
};

extern "C" __constant__ Launch contract_mul_select_sub_etc_0b49900d_launch = {128, 1, sizeof(contract_mul_select_sub_etc_0b49900d_shared), {}};

extern "C" __global__ void __launch_bounds__(128, 2)
contract_mul_select_sub_etc_0b49900d(const float* __restrict__ x0, const float* __restrict__ x0_2, const float* __restrict__ x1,
    const float* __restrict__ softmax_value, const float* __restrict__ softmax_value_2,
    const float* __restrict__ add_value, const float* __restrict__ x2, const float* __restrict__ reduce_value,
    const float* __restrict__ add_value_2, float* __restrict__ contract_value,
    float* __restrict__ contract_value_2) {
  auto& shared = shared_memory<contract_mul_select_sub_etc_0b49900d_shared>();
  const int m_first = (static_cast<int>(blockIdx.x) / 24) * 64;
  const int m_last = min(m_first + 64, 1024) - 1;
  const int point = static_cast<int>(blockIdx.x) % 24;
  const int batch_2 = point % 12;
  const int batch_1 = point / 12;
  const Stager<Panel<float, 64, 64, Lie::along_k, Reads::pairs>, 4, 128, float, int> x1_rows(x1 + batch_1 * 786432 + batch_2 * 64, m_first, 1024, [](int m) { return m * 768; });
  x1_rows.load(shared.x1_rows, 0, 64, [](int d) { return d; });
  const Stager<Panel<float, 64, 64, Lie::along_k, Reads::pairs>, 4, 128, float, int> x2_rows(x2 + batch_1 * 786432 + batch_2 * 64, m_first, 1024, [](int m) { return m * 768; });
  x2_rows.load(shared.x2_rows, 0, 64, [](int d) { return d; });
  const Stager<Panel<float, 64, 32, Lie::along_rows, Reads::pairs>, 4, 128, float, int> x0_2_columns(x0_2 + batch_1 * 786432 + batch_2 * 64, 0, 64, [](int d) { return d; });
  const Stager<Panel<float, 64, 32, Lie::along_rows, Reads::pairs>, 4, 128, float, int> add_value_columns(add_value + batch_1 * 786432 + batch_2 * 64, 0, 64, [](int d) { return d; });
  const auto bring = [&](int slot, int block) {
    const int n_first = block * 32;
    x0_2_columns.load(shared.x0_2_columns[slot], n_first, 1024, [](int n) { return n * 768; });
    add_value_columns.load(shared.add_value_columns[slot], n_first, 1024, [](int n) { return n * 768; });
    if (threadIdx.x < 32) {
      const int n = min(n_first + static_cast<int>(threadIdx.x), 1023);
      copy_async<4>(&shared.softmax_value_of_column[slot][threadIdx.x], softmax_value + batch_1 * 12288 + batch_2 * 1024 + n, true);
      copy_async<4>(&shared.softmax_value_2_of_column[slot][threadIdx.x], softmax_value_2 + batch_1 * 12288 + batch_2 * 1024 + n, true);
      copy_async<4>(&shared.reduce_value_of_column[slot][threadIdx.x], reduce_value + batch_1 * 12288 + batch_2 + n * 12, true);
    }
  };
  Plane<1, 8> sums_1 = {};
  Plane<1, 8> sums_2 = {};
  const auto is_empty = [&](int block) {
    const int n_first = block * 32;
    const int n_last = n_first + 31;
    return n_last < m_first;
  };
  const auto from = [&](int block) {
    while (block < 32 && is_empty(block)) ++block;
    return block;
  };
  int block = from(0);
  if (block < 32) bring(0, block);
  end_group();
  const PairsInShared<Panel<float, 64, 64, Lie::along_k, Reads::pairs>, 1> x1_rows_left(shared.x1_rows);
  const PairsInShared<Panel<float, 64, 64, Lie::along_k, Reads::pairs>, 1> x2_rows_left(shared.x2_rows);
#pragma unroll 1
  for (int slot = 0; block < 32; slot ^= 1) {
    const int n_first = block * 32;
    const int next = from(block + 1);
    wait_for_groups<0>();
    __syncthreads();  // this block has landed, and everybody is done with the slot that is loaded next
    if (next < 32) bring(slot ^ 1, next);
    end_group();
    Plane<1, 4> score_1 = {};
    multiply_tf32<3, 64>(score_1, x1_rows_left, turned(shared.x0_2_columns[slot]));
    Plane<1, 4> score_2 = {};
    multiply_tf32<3, 64>(score_2, x2_rows_left, turned(shared.add_value_columns[slot]));
    const bool is_whole = m_last <= n_first;
    Plane<1, 4> sums_1_plane;
    Plane<1, 4> sums_2_plane;
    if (is_whole) {
      each_element<1, 4>([&](int i, int h, int j, int e) {
        const float sub_1 = score_2[i][j][2 * h + e] - shared.reduce_value_of_column[slot][column_of_element(j, e)];  // attention.cpp:95
        const float mul_1 = score_1[i][j][2 * h + e] * 0.125f;  // attention.cpp:155
        const float sub_2 = mul_1 - shared.softmax_value_of_column[slot][column_of_element(j, e)];  // attention.cpp:95
        const float exp_1 = exp2(log2_e * sub_2);
        const float mul_2 = exp_1 * shared.softmax_value_2_of_column[slot][column_of_element(j, e)];
        const float mul_3 = sub_1 * mul_2;
        const float mul_4 = mul_3 * 0.125f;  // attention.cpp:155
        sums_1_plane[i][j][2 * h + e] = mul_4;
        sums_2_plane[i][j][2 * h + e] = mul_2;
      });
    } else {
      each_element<1, 4>([&](int i, int h, int j, int e) {
        const int m = m_first + row_of_element<1>(i, h);
        const int n = n_first + column_of_element(j, e);
        const i64 index_1 = n;  // attention.cpp:60
        const int index_cast_1 = static_cast<int>(index_1);
        const i64 index_2 = m;
        const int index_cast_2 = static_cast<int>(index_2);
        const bool is_1 = index_cast_1 >= index_cast_2;
        const float sub_1 = score_2[i][j][2 * h + e] - shared.reduce_value_of_column[slot][column_of_element(j, e)];  // attention.cpp:95
        const float mul_1 = score_1[i][j][2 * h + e] * 0.125f;  // attention.cpp:155
        const float choice_1 = is_1 ? mul_1 : -infinity;  // attention.cpp:60
        const float sub_2 = choice_1 - shared.softmax_value_of_column[slot][column_of_element(j, e)];  // attention.cpp:95
        const float exp_1 = exp2(log2_e * sub_2);
        const float mul_2 = exp_1 * shared.softmax_value_2_of_column[slot][column_of_element(j, e)];
        const float mul_3 = sub_1 * mul_2;
        const float mul_4 = mul_3 * 0.125f;  // attention.cpp:155
        const float choice_2 = is_1 ? mul_4 : 0.f;
        sums_1_plane[i][j][2 * h + e] = choice_2;
        sums_2_plane[i][j][2 * h + e] = mul_2;
      });
    }
    multiply_tf32<3, 32>(sums_1, in_pairs(sums_1_plane), shared.x0_2_columns[slot]);
    multiply_tf32<3, 32>(sums_2, in_pairs(sums_2_plane), shared.add_value_columns[slot]);
    block = next;
  }
  wait_for_groups<0>();
  each_row<1>([&](int i, int h) {
    const int m = m_first + row_of_element<1>(i, h);
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      const int d = column_of_element(j, 0);
      const int d_3 = d;
      Vector<float, 2> pair;
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        pair[e] = sums_1[i][j][2 * h + e];
      }
      store(contract_value + batch_1 * 786432 + batch_2 * 64 + m * 768 + d_3, pair);
    }
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      const int d = column_of_element(j, 0);
      const int d_4 = d;
      Vector<float, 2> pair;
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        pair[e] = sums_2[i][j][2 * h + e];
      }
      store(contract_value_2 + batch_1 * 786432 + batch_2 * 64 + m * 768 + d_4, pair);
    }
  });
}

}  // namespace tessera

// kernel contract_mul_select_sub_etc
//
//   reads      x0 2x1024x12x64xf32, x1 2x1024x12x64xf32, softmax_value 2x12x1024xf32, softmax_value 2x12x1024xf32, add_value 2x1024x12x64xf32, x2 2x1024x12x64xf32, reduce_value 2x1024x12xf32, x1 2x1024x12x64xf32
//   writes     contract_value 2x1024x12x64xf32
//   moves      38.0 MB, 9890.2 MFLOP
//   schedule   4 warps of 16 rows, 32 columns at a time, 2 blocks at once; 16 groups of rows; f32 as tf32 x 3
//   from       attention.cpp:60  ge select select
//              attention.cpp:155  contract mul mul contract
//              attention.cpp:95  softmax sub mul
//              attention.cpp:157  contract
#include "cascade.cuh"

namespace tessera {

struct contract_mul_select_sub_etc_dfa57621_shared {
  Panel<float, 64, 64, Lie::along_k, Reads::pairs> x0_rows;
  Panel<float, 64, 64, Lie::along_k, Reads::pairs> add_value_rows;
  Panel<float, 64, 32, Lie::along_rows, Reads::pairs> x1_columns[2];
  Panel<float, 64, 32, Lie::along_rows, Reads::pairs> x2_columns[2];
};

extern "C" __constant__ Launch contract_mul_select_sub_etc_dfa57621_launch = {128, 1, sizeof(contract_mul_select_sub_etc_dfa57621_shared), {}};

extern "C" __global__ void __launch_bounds__(128, 2)
contract_mul_select_sub_etc_dfa57621(const float* __restrict__ x0, const float* __restrict__ x1, const float* __restrict__ softmax_value,
    const float* __restrict__ softmax_value_2, const float* __restrict__ add_value, const float* __restrict__ x2,
    const float* __restrict__ reduce_value, const float* __restrict__ x1_2, float* __restrict__ contract_value) {
  auto& shared = shared_memory<contract_mul_select_sub_etc_dfa57621_shared>();
  const int m_first = (15 - static_cast<int>(blockIdx.x) / 24) * 64;
  const int m_last = min(m_first + 64, 1024) - 1;
  const int point = static_cast<int>(blockIdx.x) % 24;
  const int batch_2 = point % 12;
  const int batch_1 = point / 12;
  const Stager<Panel<float, 64, 64, Lie::along_k, Reads::pairs>, 4, 128, float, int> x0_rows(x0 + batch_1 * 786432 + batch_2 * 64, m_first, 1024, [](int m) { return m * 768; });
  x0_rows.load(shared.x0_rows, 0, 64, [](int d) { return d; });
  const Stager<Panel<float, 64, 64, Lie::along_k, Reads::pairs>, 4, 128, float, int> add_value_rows(add_value + batch_1 * 786432 + batch_2 * 64, m_first, 1024, [](int m) { return m * 768; });
  add_value_rows.load(shared.add_value_rows, 0, 64, [](int d) { return d; });
  float softmax_value_of_row[1][2];
  each_row<1>([&](int i, int h) {
    const int m = m_first + row_of_element<1>(i, h);
    softmax_value_of_row[i][h] = softmax_value[batch_1 * 12288 + batch_2 * 1024 + m];
  });
  float softmax_value_2_of_row[1][2];
  each_row<1>([&](int i, int h) {
    const int m = m_first + row_of_element<1>(i, h);
    softmax_value_2_of_row[i][h] = softmax_value_2[batch_1 * 12288 + batch_2 * 1024 + m];
  });
  float reduce_value_of_row[1][2];
  each_row<1>([&](int i, int h) {
    const int m = m_first + row_of_element<1>(i, h);
    reduce_value_of_row[i][h] = reduce_value[batch_1 * 12288 + batch_2 + m * 12];
  });
  const Stager<Panel<float, 64, 32, Lie::along_rows, Reads::pairs>, 4, 128, float, int> x1_columns(x1 + batch_1 * 786432 + batch_2 * 64, 0, 64, [](int d) { return d; });
  const Stager<Panel<float, 64, 32, Lie::along_rows, Reads::pairs>, 4, 128, float, int> x2_columns(x2 + batch_1 * 786432 + batch_2 * 64, 0, 64, [](int d) { return d; });
  const auto bring = [&](int slot, int block) {
    const int n_first = block * 32;
    x1_columns.load(shared.x1_columns[slot], n_first, 1024, [](int n) { return n * 768; });
    x2_columns.load(shared.x2_columns[slot], n_first, 1024, [](int n) { return n * 768; });
  };
  Plane<1, 8> sums_1 = {};
  const auto is_empty = [&](int block) {
    const int n_first = block * 32;
    return m_last < n_first;
  };
  const auto from = [&](int block) {
    while (block < 32 && is_empty(block)) ++block;
    return block;
  };
  int block = from(0);
  if (block < 32) bring(0, block);
  end_group();
  const PairsInShared<Panel<float, 64, 64, Lie::along_k, Reads::pairs>, 1> x0_rows_left(shared.x0_rows);
  const PairsInShared<Panel<float, 64, 64, Lie::along_k, Reads::pairs>, 1> add_value_rows_left(shared.add_value_rows);
#pragma unroll 1
  for (int slot = 0; block < 32; slot ^= 1) {
    const int n_first = block * 32;
    const int n_last = n_first + 31;
    const int next = from(block + 1);
    wait_for_groups<0>();
    __syncthreads();  // this block has landed, and everybody is done with the slot that is loaded next
    if (next < 32) bring(slot ^ 1, next);
    end_group();
    Plane<1, 4> score_1 = {};
    multiply_tf32<3, 64>(score_1, x0_rows_left, turned(shared.x1_columns[slot]));
    Plane<1, 4> score_2 = {};
    multiply_tf32<3, 64>(score_2, add_value_rows_left, turned(shared.x2_columns[slot]));
    const bool is_whole = n_last <= m_first;
    Plane<1, 4> sums_1_plane;
    if (is_whole) {
      each_element<1, 4>([&](int i, int h, int j, int e) {
        const float mul_1 = score_1[i][j][2 * h + e] * 0.125f;  // attention.cpp:155
        const float sub_1 = mul_1 - softmax_value_of_row[i][h];  // attention.cpp:95
        const float exp_1 = exp2(log2_e * sub_1);
        const float mul_2 = softmax_value_2_of_row[i][h] * exp_1;
        const float sub_2 = score_2[i][j][2 * h + e] - reduce_value_of_row[i][h];
        const float mul_3 = mul_2 * sub_2;
        const float mul_4 = mul_3 * 0.125f;  // attention.cpp:155
        sums_1_plane[i][j][2 * h + e] = mul_4;
      });
    } else {
      each_element<1, 4>([&](int i, int h, int j, int e) {
        const int m = m_first + row_of_element<1>(i, h);
        const int n = n_first + column_of_element(j, e);
        const i64 index_1 = m;  // attention.cpp:60
        const int index_cast_1 = static_cast<int>(index_1);
        const i64 index_2 = n;
        const int index_cast_2 = static_cast<int>(index_2);
        const bool is_1 = index_cast_1 >= index_cast_2;
        const float mul_1 = score_1[i][j][2 * h + e] * 0.125f;  // attention.cpp:155
        const float choice_1 = is_1 ? mul_1 : -infinity;  // attention.cpp:60
        const float sub_1 = choice_1 - softmax_value_of_row[i][h];  // attention.cpp:95
        const float exp_1 = exp2(log2_e * sub_1);
        const float mul_2 = softmax_value_2_of_row[i][h] * exp_1;
        const float sub_2 = score_2[i][j][2 * h + e] - reduce_value_of_row[i][h];
        const float mul_3 = mul_2 * sub_2;
        const float mul_4 = mul_3 * 0.125f;  // attention.cpp:155
        const float choice_2 = is_1 ? mul_4 : 0.f;
        sums_1_plane[i][j][2 * h + e] = choice_2;
      });
    }
    multiply_tf32<3, 32>(sums_1, in_pairs(sums_1_plane), shared.x1_columns[slot]);
    block = next;
  }
  wait_for_groups<0>();
  each_row<1>([&](int i, int h) {
    const int m = m_first + row_of_element<1>(i, h);
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      const int d = column_of_element(j, 0);
      const int d_3 = d;
      Vector<float, 2> pair;
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        pair[e] = sums_1[i][j][2 * h + e];
      }
      store(contract_value + batch_1 * 786432 + batch_2 * 64 + m * 768 + d_3, pair);
    }
  });
}

}  // namespace tessera
