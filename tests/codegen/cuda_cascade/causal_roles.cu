// kernel contract_mul_select_reduce_etc
//
//   reads      value 2x1024x12x64xbf16, value 2x1024x12x64xbf16, value 2x1024x12x64xbf16
//   writes     softmax_value 2x12x1024xf32, softmax_value 2x12x1024xf32, contract_value 2x1024x12x64xf32
//   moves      15.9 MB, 3531.2 MFLOP
//   schedule   a warpgroup of 64 rows, a warp that copies; copy engine and wgmma; 64 columns at a time, 4 blocks at once; 16 groups of rows
//   from       attention.cpp:60  ge select
//              attention.cpp:155  contract mul
//              attention.cpp:95  softmax
//              attention.cpp:157  contract
#include "wgmma_plane.cuh"

namespace tessera {

struct contract_mul_select_reduce_etc_714d5f7e_shared {
  Tile<bf16, 64, 64> value_rows;
  Tile<bf16, 64, 64> value_2_columns[2];
  Tile<bf16, 64, 64> value_3_columns[2];
  Channel<1> rows_ready;
  Channel<2> columns_ready;
};

extern "C" __constant__ Launch contract_mul_select_reduce_etc_714d5f7e_launch = {160, 1, sizeof(contract_mul_select_reduce_etc_714d5f7e_shared), {64, 64, 64}, 3, {
    {0, 4, 0, {64, 1024, 12, 2}, {1, 768, 64, 786432}},
    {1, 4, 0, {64, 1024, 12, 2}, {1, 768, 64, 786432}},
    {2, 4, 0, {64, 1024, 12, 2}, {1, 768, 64, 786432}}}};

extern "C" __global__ void __launch_bounds__(160, 4)
contract_mul_select_reduce_etc_714d5f7e(const TensorMap __grid_constant__ value, const TensorMap __grid_constant__ value_2,
    const TensorMap __grid_constant__ value_3, float* __restrict__ softmax_value,
    float* __restrict__ softmax_value_2, float* __restrict__ contract_value) {
  auto& shared = shared_memory<contract_mul_select_reduce_etc_714d5f7e_shared>();
  const int m_first = (15 - static_cast<int>(blockIdx.x) % 16) * 64;
  const int m_last = min(m_first + 64, 1024) - 1;
  const int batch_2 = static_cast<int>(blockIdx.x) / 16 % 12;
  const int batch_1 = static_cast<int>(blockIdx.x) / 16 / 12;
  shared.rows_ready.init(1);
  shared.columns_ready.init(1);
  publish_barriers<1>();
  const auto is_empty = [&](int block) {
    const int n_first = block * 64;
    return m_last < n_first;
  };
  const auto from = [&](int block) {
    while (block < 16 && is_empty(block)) ++block;
    return block;
  };
  if (warpgroup() == 1) {  // a warp that copies
    WarpWriter rows_ready(shared.rows_ready);
    WarpWriter columns_ready(shared.columns_ready);
    const Slot whole = rows_ready.put(bytes_of<Tile<bf16, 64, 64>>);
    if (lane() == 0) {
      load(shared.value_rows, value, whole, 0, m_first, batch_2, batch_1);
    }
#pragma unroll 1
    for (int block = from(0); block < 16; block = from(block + 1)) {
      const int n_first = block * 64;
      const Slot slot = columns_ready.put(bytes_of<Tile<bf16, 64, 64>> + bytes_of<Tile<bf16, 64, 64>>);
      if (lane() == 0) {
        load(shared.value_2_columns[slot], value_2, slot, 0, n_first, batch_2, batch_1);
        load(shared.value_3_columns[slot], value_3, slot, 0, n_first, batch_2, batch_1);
      }
    }
  } else {
    Reader rows_ready(shared.rows_ready);
    Reader columns_ready(shared.columns_ready);
    Rows<1> highest_1;
    Rows<1> sum_1;
    each_row<1>([&](int i, int h) {
      highest_1[i][h] = -infinity;
      sum_1[i][h] = 0.f;
    });
    Plane<1, 8> sums_1 = {};
    rows_ready.get();
#pragma unroll 1
    for (int block = from(0); block < 16; block = from(block + 1)) {
      const int n_first = block * 64;
      const int n_last = n_first + 63;
      const int slot = columns_ready.get();
      Plane<1, 8> score_1;
      begin_scores<64>(score_1, shared.value_rows, shared.value_2_columns[slot]);
      wait_for_products<8>(score_1);
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
        const float exp_1 = exp2(::fmaf(choice_of_plane_1[i][j][2 * h + e], log2_e, -log2_e * choice_1));
        sum_1[i][h] = sum_1[i][h] + exp_1;
        sums_1_plane[i][j][2 * h + e] = exp_1;
      });
      scale_rows(sums_1, highest_1_factor_1);
      multiply<64>(sums_1, rounded_to<bf16>(sums_1_plane), shared.value_3_columns[slot]);
      columns_ready.release();
    }
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
}

}  // namespace tessera

// kernel contract_mul_select_sub_etc
//
//   reads      value 2x1024x12x64xbf16, value 2x1024x12x64xbf16, value 2x1024x12x64xbf16, softmax_value 2x12x1024xf32, softmax_value 2x12x1024xf32, add_value 2x1024x12x64xbf16, value 2x1024x12x64xbf16, reduce_value 2x1024x12xf32, add_value 2x1024x12x64xbf16
//   writes     contract_value 2x1024x12x64xf32, contract_value 2x1024x12x64xf32
//   moves      31.8 MB, 13215.2 MFLOP
//   schedule   a warpgroup of 64 rows, a warp that copies; copy engine and wgmma; 64 columns at a time, 2 blocks at once; 16 groups of rows
//   from       attention.cpp:60  ge select select
//              attention.cpp:155  contract mul mul contract
//              attention.cpp:95  softmax sub mul
//              attention.cpp:160  add
//              attention.cpp:157  contract contract
#include "wgmma_plane.cuh"

namespace tessera {

struct contract_mul_select_sub_etc_a49cecf3_shared {
  Tile<bf16, 64, 64> value_3_rows;
  Tile<bf16, 64, 64> value_4_rows;
  Tile<bf16, 64, 64> value_2_columns[2];
  Tile<bf16, 64, 64> add_value_columns[2];
  float softmax_value_of_column[2][64];
  float softmax_value_2_of_column[2][64];
  float reduce_value_of_column[2][64];
  Channel<1> rows_ready;
  Channel<2> columns_ready;
};

extern "C" __constant__ Launch contract_mul_select_sub_etc_a49cecf3_launch = {160, 1, sizeof(contract_mul_select_sub_etc_a49cecf3_shared), {64, 64, 64, 64}, 4, {
    {2, 4, 0, {64, 1024, 12, 2}, {1, 768, 64, 786432}},
    {6, 4, 0, {64, 1024, 12, 2}, {1, 768, 64, 786432}},
    {1, 4, 0, {64, 1024, 12, 2}, {1, 768, 64, 786432}},
    {5, 4, 0, {64, 1024, 12, 2}, {1, 768, 64, 786432}}}};

extern "C" __global__ void __launch_bounds__(160, 2)
contract_mul_select_sub_etc_a49cecf3(const bf16* __restrict__ value, const TensorMap __grid_constant__ value_2,
    const TensorMap __grid_constant__ value_3, const float* __restrict__ softmax_value,
    const float* __restrict__ softmax_value_2, const TensorMap __grid_constant__ add_value,
    const TensorMap __grid_constant__ value_4, const float* __restrict__ reduce_value,
    const bf16* __restrict__ add_value_2, float* __restrict__ contract_value,
    float* __restrict__ contract_value_2) {
  auto& shared = shared_memory<contract_mul_select_sub_etc_a49cecf3_shared>();
  const int m_first = (static_cast<int>(blockIdx.x) % 16) * 64;
  const int m_last = min(m_first + 64, 1024) - 1;
  const int batch_2 = static_cast<int>(blockIdx.x) / 16 % 12;
  const int batch_1 = static_cast<int>(blockIdx.x) / 16 / 12;
  shared.rows_ready.init(1);
  shared.columns_ready.init(1, 2);
  publish_barriers<1>();
  const auto is_empty = [&](int block) {
    const int n_first = block * 64;
    const int n_last = n_first + 63;
    return n_last < m_first;
  };
  const auto from = [&](int block) {
    while (block < 16 && is_empty(block)) ++block;
    return block;
  };
  if (warpgroup() == 1) {  // a warp that copies
    WarpWriter rows_ready(shared.rows_ready);
    WarpWriter columns_ready(shared.columns_ready);
    const Slot whole = rows_ready.put(bytes_of<Tile<bf16, 64, 64>> + bytes_of<Tile<bf16, 64, 64>>);
    if (lane() == 0) {
      load(shared.value_3_rows, value_3, whole, 0, m_first, batch_2, batch_1);
      load(shared.value_4_rows, value_4, whole, 0, m_first, batch_2, batch_1);
    }
#pragma unroll 1
    for (int block = from(0); block < 16; block = from(block + 1)) {
      const int n_first = block * 64;
      const Slot slot = columns_ready.put(bytes_of<Tile<bf16, 64, 64>> + bytes_of<Tile<bf16, 64, 64>>);
      if (lane() == 0) {
        load(shared.value_2_columns[slot], value_2, slot, 0, n_first, batch_2, batch_1);
        load(shared.add_value_columns[slot], add_value, slot, 0, n_first, batch_2, batch_1);
      }
#pragma unroll
      for (int column = lane(); column < 64; column += 32) {
        const int n = min(n_first + column, 1023);
        shared.softmax_value_of_column[slot][column] = softmax_value[batch_1 * 12288 + batch_2 * 1024 + n];
        shared.softmax_value_2_of_column[slot][column] = softmax_value_2[batch_1 * 12288 + batch_2 * 1024 + n];
        shared.reduce_value_of_column[slot][column] = reduce_value[batch_1 * 12288 + batch_2 + n * 12];
      }
      columns_ready.written(slot);
    }
  } else {
    Reader rows_ready(shared.rows_ready);
    Reader columns_ready(shared.columns_ready);
    Plane<1, 8> sums_1 = {};
    Plane<1, 8> sums_2 = {};
    rows_ready.get();
#pragma unroll 1
    for (int block = from(0); block < 16; block = from(block + 1)) {
      const int n_first = block * 64;
      const int slot = columns_ready.get();
      Plane<1, 8> score_1;
      begin_scores<64>(score_1, shared.value_3_rows, shared.value_2_columns[slot]);
      Plane<1, 8> score_2;
      begin_scores<64>(score_2, shared.value_4_rows, shared.add_value_columns[slot]);
      wait_for_products<8, 8>(score_1, score_2);
      const bool is_whole = m_last <= n_first;
      Plane<1, 8> sums_1_plane;
      Plane<1, 8> sums_2_plane;
      if (is_whole) {
        each_element<1, 8>([&](int i, int h, int j, int e) {
          const float sub_1 = score_2[i][j][2 * h + e] - shared.reduce_value_of_column[slot][column_of_element(j, e)];  // attention.cpp:95
          const float exp_1 = exp2(::fmaf(score_1[i][j][2 * h + e], 0.125f * log2_e, -log2_e * shared.softmax_value_of_column[slot][column_of_element(j, e)]));
          const float mul_1 = exp_1 * shared.softmax_value_2_of_column[slot][column_of_element(j, e)];
          const float mul_2 = sub_1 * mul_1;
          const float mul_3 = mul_2 * 0.125f;  // attention.cpp:155
          sums_1_plane[i][j][2 * h + e] = mul_3;
          sums_2_plane[i][j][2 * h + e] = mul_1;
        });
      } else {
        each_element<1, 8>([&](int i, int h, int j, int e) {
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
          const float exp_1 = exp2(::fmaf(choice_1, log2_e, -log2_e * shared.softmax_value_of_column[slot][column_of_element(j, e)]));  // attention.cpp:95
          const float mul_2 = exp_1 * shared.softmax_value_2_of_column[slot][column_of_element(j, e)];
          const float mul_3 = sub_1 * mul_2;
          const float mul_4 = mul_3 * 0.125f;  // attention.cpp:155
          const float choice_2 = is_1 ? mul_4 : 0.f;
          sums_1_plane[i][j][2 * h + e] = choice_2;
          sums_2_plane[i][j][2 * h + e] = mul_2;
        });
      }
      multiply<64>(sums_1, rounded_to<bf16>(sums_1_plane), shared.value_2_columns[slot]);
      multiply<64>(sums_2, rounded_to<bf16>(sums_2_plane), shared.add_value_columns[slot]);
      warpgroup_sync();  // all warps have read what belongs to columns
      columns_ready.release();
    }
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
}

}  // namespace tessera

// kernel contract_mul_select_sub_etc
//
//   reads      value 2x1024x12x64xbf16, value 2x1024x12x64xbf16, softmax_value 2x12x1024xf32, softmax_value 2x12x1024xf32, add_value 2x1024x12x64xbf16, value 2x1024x12x64xbf16, reduce_value 2x1024x12xf32, value 2x1024x12x64xbf16
//   writes     contract_value 2x1024x12x64xf32
//   moves      22.3 MB, 9942.1 MFLOP
//   schedule   a warpgroup of 64 rows, a warp that copies; copy engine and wgmma; 64 columns at a time, 3 blocks at once; 16 groups of rows
//   from       attention.cpp:60  ge select select
//              attention.cpp:155  contract mul mul contract
//              attention.cpp:95  softmax sub mul
//              attention.cpp:157  contract
#include "wgmma_plane.cuh"

namespace tessera {

struct contract_mul_select_sub_etc_993a5e28_shared {
  Tile<bf16, 64, 64> value_rows;
  Tile<bf16, 64, 64> add_value_rows;
  Tile<bf16, 64, 64> value_2_columns[2];
  Tile<bf16, 64, 64> value_3_columns[2];
  Channel<1> rows_ready;
  Channel<2> columns_ready;
};

extern "C" __constant__ Launch contract_mul_select_sub_etc_993a5e28_launch = {160, 1, sizeof(contract_mul_select_sub_etc_993a5e28_shared), {64, 64, 64, 64}, 4, {
    {0, 4, 0, {64, 1024, 12, 2}, {1, 768, 64, 786432}},
    {4, 4, 0, {64, 1024, 12, 2}, {1, 768, 64, 786432}},
    {1, 4, 0, {64, 1024, 12, 2}, {1, 768, 64, 786432}},
    {5, 4, 0, {64, 1024, 12, 2}, {1, 768, 64, 786432}}}};

extern "C" __global__ void __launch_bounds__(160, 3)
contract_mul_select_sub_etc_993a5e28(const TensorMap __grid_constant__ value, const TensorMap __grid_constant__ value_2,
    const float* __restrict__ softmax_value, const float* __restrict__ softmax_value_2,
    const TensorMap __grid_constant__ add_value, const TensorMap __grid_constant__ value_3,
    const float* __restrict__ reduce_value, const bf16* __restrict__ value_4, float* __restrict__ contract_value) {
  auto& shared = shared_memory<contract_mul_select_sub_etc_993a5e28_shared>();
  const int m_first = (15 - static_cast<int>(blockIdx.x) % 16) * 64;
  const int m_last = min(m_first + 64, 1024) - 1;
  const int batch_2 = static_cast<int>(blockIdx.x) / 16 % 12;
  const int batch_1 = static_cast<int>(blockIdx.x) / 16 / 12;
  shared.rows_ready.init(1);
  shared.columns_ready.init(1);
  publish_barriers<1>();
  const auto is_empty = [&](int block) {
    const int n_first = block * 64;
    return m_last < n_first;
  };
  const auto from = [&](int block) {
    while (block < 16 && is_empty(block)) ++block;
    return block;
  };
  if (warpgroup() == 1) {  // a warp that copies
    WarpWriter rows_ready(shared.rows_ready);
    WarpWriter columns_ready(shared.columns_ready);
    const Slot whole = rows_ready.put(bytes_of<Tile<bf16, 64, 64>> + bytes_of<Tile<bf16, 64, 64>>);
    if (lane() == 0) {
      load(shared.value_rows, value, whole, 0, m_first, batch_2, batch_1);
      load(shared.add_value_rows, add_value, whole, 0, m_first, batch_2, batch_1);
    }
#pragma unroll 1
    for (int block = from(0); block < 16; block = from(block + 1)) {
      const int n_first = block * 64;
      const Slot slot = columns_ready.put(bytes_of<Tile<bf16, 64, 64>> + bytes_of<Tile<bf16, 64, 64>>);
      if (lane() == 0) {
        load(shared.value_2_columns[slot], value_2, slot, 0, n_first, batch_2, batch_1);
        load(shared.value_3_columns[slot], value_3, slot, 0, n_first, batch_2, batch_1);
      }
    }
  } else {
    Reader rows_ready(shared.rows_ready);
    Reader columns_ready(shared.columns_ready);
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
    Plane<1, 8> sums_1 = {};
    rows_ready.get();
#pragma unroll 1
    for (int block = from(0); block < 16; block = from(block + 1)) {
      const int n_first = block * 64;
      const int n_last = n_first + 63;
      const int slot = columns_ready.get();
      Plane<1, 8> score_1;
      begin_scores<64>(score_1, shared.value_rows, shared.value_2_columns[slot]);
      Plane<1, 8> score_2;
      begin_scores<64>(score_2, shared.add_value_rows, shared.value_3_columns[slot]);
      wait_for_products<8, 8>(score_1, score_2);
      const bool is_whole = n_last <= m_first;
      Plane<1, 8> sums_1_plane;
      if (is_whole) {
        each_element<1, 8>([&](int i, int h, int j, int e) {
          const float exp_1 = exp2(::fmaf(score_1[i][j][2 * h + e], 0.125f * log2_e, -log2_e * softmax_value_of_row[i][h]));  // attention.cpp:95
          const float mul_1 = softmax_value_2_of_row[i][h] * exp_1;
          const float sub_1 = score_2[i][j][2 * h + e] - reduce_value_of_row[i][h];
          const float mul_2 = mul_1 * sub_1;
          const float mul_3 = mul_2 * 0.125f;  // attention.cpp:155
          sums_1_plane[i][j][2 * h + e] = mul_3;
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
          const float exp_1 = exp2(::fmaf(choice_1, log2_e, -log2_e * softmax_value_of_row[i][h]));  // attention.cpp:95
          const float mul_2 = softmax_value_2_of_row[i][h] * exp_1;
          const float sub_1 = score_2[i][j][2 * h + e] - reduce_value_of_row[i][h];
          const float mul_3 = mul_2 * sub_1;
          const float mul_4 = mul_3 * 0.125f;  // attention.cpp:155
          const float choice_2 = is_1 ? mul_4 : 0.f;
          sums_1_plane[i][j][2 * h + e] = choice_2;
        });
      }
      multiply<64>(sums_1, rounded_to<bf16>(sums_1_plane), shared.value_2_columns[slot]);
      columns_ready.release();
    }
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
}

}  // namespace tessera
