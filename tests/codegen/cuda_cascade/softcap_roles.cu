// kernel contract_mul_tanh_reduce_etc
//
//   reads      value 2x197x2x80xbf16, value 2x197x2x80xbf16, value 2x197x2x80xbf16
//   writes     softmax_value 2x2x197xf32, softmax_value 2x2x197xf32, contract_value 2x197x2x80xf32
//   moves      636.7 kB, 51.2 MFLOP
//   schedule   a warpgroup of 64 rows, a warp that copies; copy engine and wgmma; 64 columns at a time, 2 blocks at once; 4 groups of rows
//   from       attention.cpp:155  contract
//              attention.cpp:72  div tanh mul
//              attention.cpp:95  softmax
//              attention.cpp:157  contract
#include "wgmma_plane.cuh"

namespace tessera {

struct contract_mul_tanh_reduce_etc_581346aa_shared {
  Tile<bf16, 64, 128> value_rows;
  Tile<bf16, 64, 128> value_2_columns[2];
  Tile<bf16, 64, 128> value_3_columns[2];
  Channel<1> rows_ready;
  Channel<2> columns_ready;
};

extern "C" __constant__ Launch contract_mul_tanh_reduce_etc_581346aa_launch = {160, 1, sizeof(contract_mul_tanh_reduce_etc_581346aa_shared), {64, 64, 64}, 3, {
    {0, 4, 0, {80, 197, 2, 2}, {1, 160, 80, 31520}},
    {1, 4, 0, {80, 197, 2, 2}, {1, 160, 80, 31520}},
    {2, 4, 0, {80, 197, 2, 2}, {1, 160, 80, 31520}}}};

extern "C" __global__ void __launch_bounds__(160, 2)
contract_mul_tanh_reduce_etc_581346aa(const TensorMap __grid_constant__ value, const TensorMap __grid_constant__ value_2,
    const TensorMap __grid_constant__ value_3, float* __restrict__ softmax_value,
    float* __restrict__ softmax_value_2, float* __restrict__ contract_value) {
  auto& shared = shared_memory<contract_mul_tanh_reduce_etc_581346aa_shared>();
  const int m_first = (static_cast<int>(blockIdx.x) % 4) * 64;
  const int batch_2 = static_cast<int>(blockIdx.x) / 4 % 2;
  const int batch_1 = static_cast<int>(blockIdx.x) / 4 / 2;
  shared.rows_ready.init(1);
  shared.columns_ready.init(1);
  publish_barriers<1>();
  if (warpgroup() == 1) {  // a warp that copies
    WarpWriter rows_ready(shared.rows_ready);
    WarpWriter columns_ready(shared.columns_ready);
    const Slot whole = rows_ready.put(bytes_of<Tile<bf16, 64, 128>>);
    if (lane() == 0) {
      load(shared.value_rows, value, whole, 0, m_first, batch_2, batch_1);
    }
#pragma unroll 1
    for (int block = 0; block < 4; ++block) {
      const int n_first = block * 64;
      const Slot slot = columns_ready.put(bytes_of<Tile<bf16, 64, 128>> + bytes_of<Tile<bf16, 64, 128>>);
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
    Plane<1, 10> sums_1 = {};
    rows_ready.get();
#pragma unroll 1
    for (int block = 0; block < 4; ++block) {
      const int n_first = block * 64;
      const int slot = columns_ready.get();
      Plane<1, 8> score_1;
      begin_scores<80>(score_1, shared.value_rows, shared.value_2_columns[slot]);
      wait_for_products<8>(score_1);
      const bool is_whole = n_first + 64 <= 197;
      Plane<1, 8> mul_of_plane_1;
      Rows<1> highest_1_here;
      each_row<1>([&](int i, int h) {
        highest_1_here[i][h] = -infinity;
      });
      if (is_whole) {
        each_element<1, 8>([&](int i, int h, int j, int e) {
          const float mul_1 = score_1[i][j][2 * h + e] * 0.02236068f;  // attention.cpp:72
          const float tanh_1 = ::tanhf(mul_1);
          const float mul_2 = tanh_1 * 5.f;
          mul_of_plane_1[i][j][2 * h + e] = mul_2;
          highest_1_here[i][h] = Max::of(highest_1_here[i][h], mul_2);
        });
      } else {
        each_element<1, 8>([&](int i, int h, int j, int e) {
          const bool inside = n_first + column_of_element(j, e) < 197;
          const float mul_1 = score_1[i][j][2 * h + e] * 0.02236068f;  // attention.cpp:72
          const float tanh_1 = ::tanhf(mul_1);
          const float mul_2 = tanh_1 * 5.f;
          mul_of_plane_1[i][j][2 * h + e] = mul_2;
          highest_1_here[i][h] = Max::of(highest_1_here[i][h], (inside ? mul_2 : -infinity));
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
      if (is_whole) {
        each_element<1, 8>([&](int i, int h, int j, int e) {
          const bool is_1 = highest_1_seen[i][h] == -infinity;  // attention.cpp:95
          const float choice_1 = is_1 ? 0.f : highest_1_seen[i][h];
          const float sub_1 = mul_of_plane_1[i][j][2 * h + e] - choice_1;
          const float exp_1 = exp2(log2_e * sub_1);
          sum_1[i][h] = sum_1[i][h] + exp_1;
          sums_1_plane[i][j][2 * h + e] = exp_1;
        });
      } else {
        each_element<1, 8>([&](int i, int h, int j, int e) {
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
      multiply<64>(sums_1, rounded_to<bf16>(sums_1_plane), shared.value_3_columns[slot]);
      columns_ready.release();
    }
    each_row<1>([&](int i, int h) {
      sum_1[i][h] = across_quad<Sum>(sum_1[i][h]);
      const int m = min(m_first + row_of_element<1>(i, h), 196);
      if (m_first + row_of_element<1>(i, h) >= 197) return;
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
}

}  // namespace tessera

// kernel contract_mul_tanh_sub_etc
//
//   reads      value 2x197x2x80xbf16, value 2x197x2x80xbf16, value 2x197x2x80xbf16, softmax_value 2x2x197xf32, softmax_value 2x2x197xf32, add_value 2x197x2x80xbf16, value 2x197x2x80xbf16, reduce_value 2x197x2xf32, add_value 2x197x2x80xbf16
//   writes     contract_value 2x197x2x80xf32, contract_value 2x197x2x80xf32
//   moves      1.3 MB, 102.3 MFLOP
//   schedule   a warpgroup of 64 rows, a warp that copies; copy engine and wgmma; 32 columns at a time, 2 blocks at once; 4 groups of rows
//   from       attention.cpp:155  contract mul contract
//              attention.cpp:72  div tanh mul mul mul sub mul div
//              attention.cpp:95  softmax sub mul
//              attention.cpp:160  add
//              attention.cpp:157  contract contract
#include "wgmma_plane.cuh"

namespace tessera {

struct contract_mul_tanh_sub_etc_dc71ed57_shared {
  Tile<bf16, 64, 128> value_3_rows;
  Tile<bf16, 64, 128> value_4_rows;
  Tile<bf16, 32, 128> value_2_columns[2];
  Tile<bf16, 32, 128> add_value_columns[2];
  float softmax_value_of_column[2][32];
  float softmax_value_2_of_column[2][32];
  float reduce_value_of_column[2][32];
  Channel<1> rows_ready;
  Channel<2> columns_ready;
};

extern "C" __constant__ Launch contract_mul_tanh_sub_etc_dc71ed57_launch = {160, 1, sizeof(contract_mul_tanh_sub_etc_dc71ed57_shared), {64, 64, 32, 32}, 4, {
    {2, 4, 0, {80, 197, 2, 2}, {1, 160, 80, 31520}},
    {6, 4, 0, {80, 197, 2, 2}, {1, 160, 80, 31520}},
    {1, 4, 0, {80, 197, 2, 2}, {1, 160, 80, 31520}},
    {5, 4, 0, {80, 197, 2, 2}, {1, 160, 80, 31520}}}};

extern "C" __global__ void __launch_bounds__(160, 2)
contract_mul_tanh_sub_etc_dc71ed57(const bf16* __restrict__ value, const TensorMap __grid_constant__ value_2,
    const TensorMap __grid_constant__ value_3, const float* __restrict__ softmax_value,
    const float* __restrict__ softmax_value_2, const TensorMap __grid_constant__ add_value,
    const TensorMap __grid_constant__ value_4, const float* __restrict__ reduce_value,
    const bf16* __restrict__ add_value_2, float* __restrict__ contract_value,
    float* __restrict__ contract_value_2) {
  auto& shared = shared_memory<contract_mul_tanh_sub_etc_dc71ed57_shared>();
  const int m_first = (static_cast<int>(blockIdx.x) % 4) * 64;
  const int batch_2 = static_cast<int>(blockIdx.x) / 4 % 2;
  const int batch_1 = static_cast<int>(blockIdx.x) / 4 / 2;
  shared.rows_ready.init(1);
  shared.columns_ready.init(1, 2);
  publish_barriers<1>();
  if (warpgroup() == 1) {  // a warp that copies
    WarpWriter rows_ready(shared.rows_ready);
    WarpWriter columns_ready(shared.columns_ready);
    const Slot whole = rows_ready.put(bytes_of<Tile<bf16, 64, 128>> + bytes_of<Tile<bf16, 64, 128>>);
    if (lane() == 0) {
      load(shared.value_3_rows, value_3, whole, 0, m_first, batch_2, batch_1);
      load(shared.value_4_rows, value_4, whole, 0, m_first, batch_2, batch_1);
    }
#pragma unroll 1
    for (int block = 0; block < 7; ++block) {
      const int n_first = block * 32;
      const Slot slot = columns_ready.put(bytes_of<Tile<bf16, 32, 128>> + bytes_of<Tile<bf16, 32, 128>>);
      if (lane() == 0) {
        load(shared.value_2_columns[slot], value_2, slot, 0, n_first, batch_2, batch_1);
        load(shared.add_value_columns[slot], add_value, slot, 0, n_first, batch_2, batch_1);
      }
#pragma unroll
      for (int column = lane(); column < 32; column += 32) {
        const int n = min(n_first + column, 196);
        shared.softmax_value_of_column[slot][column] = softmax_value[batch_1 * 394 + batch_2 * 197 + n];
        shared.softmax_value_2_of_column[slot][column] = softmax_value_2[batch_1 * 394 + batch_2 * 197 + n];
        shared.reduce_value_of_column[slot][column] = reduce_value[batch_1 * 394 + batch_2 + n * 2];
      }
      columns_ready.written(slot);
    }
  } else {
    Reader rows_ready(shared.rows_ready);
    Reader columns_ready(shared.columns_ready);
    Plane<1, 10> sums_1 = {};
    Plane<1, 10> sums_2 = {};
    rows_ready.get();
#pragma unroll 1
    for (int block = 0; block < 7; ++block) {
      const int n_first = block * 32;
      const int slot = columns_ready.get();
      Plane<1, 4> score_1;
      begin_scores<80>(score_1, shared.value_3_rows, shared.value_2_columns[slot]);
      Plane<1, 4> score_2;
      begin_scores<80>(score_2, shared.value_4_rows, shared.add_value_columns[slot]);
      wait_for_products<4, 4>(score_1, score_2);
      const bool is_whole = n_first + 32 <= 197;
      Plane<1, 4> sums_1_plane;
      Plane<1, 4> sums_2_plane;
      if (is_whole) {
        each_element<1, 4>([&](int i, int h, int j, int e) {
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
        each_element<1, 4>([&](int i, int h, int j, int e) {
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
      multiply<32>(sums_1, rounded_to<bf16>(sums_1_plane), shared.value_2_columns[slot]);
      multiply<32>(sums_2, rounded_to<bf16>(sums_2_plane), shared.add_value_columns[slot]);
      warpgroup_sync();  // all warps have read what belongs to columns
      columns_ready.release();
    }
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
}

}  // namespace tessera

// kernel contract_mul_tanh_sub_etc
//
//   reads      value 2x197x2x80xbf16, value 2x197x2x80xbf16, softmax_value 2x2x197xf32, softmax_value 2x2x197xf32, add_value 2x197x2x80xbf16, value 2x197x2x80xbf16, reduce_value 2x197x2xf32, value 2x197x2x80xbf16
//   writes     contract_value 2x197x2x80xf32
//   moves      892.0 kB, 77.1 MFLOP
//   schedule   a warpgroup of 64 rows, a warp that copies; copy engine and wgmma; 64 columns at a time, 2 blocks at once; 4 groups of rows
//   from       attention.cpp:155  contract mul contract
//              attention.cpp:72  div tanh mul mul mul sub mul div
//              attention.cpp:95  softmax sub mul
//              attention.cpp:157  contract
#include "wgmma_plane.cuh"

namespace tessera {

struct contract_mul_tanh_sub_etc_1be9e3a4_shared {
  Tile<bf16, 64, 128> value_rows;
  Tile<bf16, 64, 128> add_value_rows;
  Tile<bf16, 64, 128> value_2_columns[2];
  Tile<bf16, 64, 128> value_3_columns[2];
  Channel<1> rows_ready;
  Channel<2> columns_ready;
};

extern "C" __constant__ Launch contract_mul_tanh_sub_etc_1be9e3a4_launch = {160, 1, sizeof(contract_mul_tanh_sub_etc_1be9e3a4_shared), {64, 64, 64, 64}, 4, {
    {0, 4, 0, {80, 197, 2, 2}, {1, 160, 80, 31520}},
    {4, 4, 0, {80, 197, 2, 2}, {1, 160, 80, 31520}},
    {1, 4, 0, {80, 197, 2, 2}, {1, 160, 80, 31520}},
    {5, 4, 0, {80, 197, 2, 2}, {1, 160, 80, 31520}}}};

extern "C" __global__ void __launch_bounds__(160, 2)
contract_mul_tanh_sub_etc_1be9e3a4(const TensorMap __grid_constant__ value, const TensorMap __grid_constant__ value_2,
    const float* __restrict__ softmax_value, const float* __restrict__ softmax_value_2,
    const TensorMap __grid_constant__ add_value, const TensorMap __grid_constant__ value_3,
    const float* __restrict__ reduce_value, const bf16* __restrict__ value_4, float* __restrict__ contract_value) {
  auto& shared = shared_memory<contract_mul_tanh_sub_etc_1be9e3a4_shared>();
  const int m_first = (static_cast<int>(blockIdx.x) % 4) * 64;
  const int batch_2 = static_cast<int>(blockIdx.x) / 4 % 2;
  const int batch_1 = static_cast<int>(blockIdx.x) / 4 / 2;
  shared.rows_ready.init(1);
  shared.columns_ready.init(1);
  publish_barriers<1>();
  if (warpgroup() == 1) {  // a warp that copies
    WarpWriter rows_ready(shared.rows_ready);
    WarpWriter columns_ready(shared.columns_ready);
    const Slot whole = rows_ready.put(bytes_of<Tile<bf16, 64, 128>> + bytes_of<Tile<bf16, 64, 128>>);
    if (lane() == 0) {
      load(shared.value_rows, value, whole, 0, m_first, batch_2, batch_1);
      load(shared.add_value_rows, add_value, whole, 0, m_first, batch_2, batch_1);
    }
#pragma unroll 1
    for (int block = 0; block < 4; ++block) {
      const int n_first = block * 64;
      const Slot slot = columns_ready.put(bytes_of<Tile<bf16, 64, 128>> + bytes_of<Tile<bf16, 64, 128>>);
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
      const int m = min(m_first + row_of_element<1>(i, h), 196);
      softmax_value_of_row[i][h] = softmax_value[batch_1 * 394 + batch_2 * 197 + m];
    });
    float softmax_value_2_of_row[1][2];
    each_row<1>([&](int i, int h) {
      const int m = min(m_first + row_of_element<1>(i, h), 196);
      softmax_value_2_of_row[i][h] = softmax_value_2[batch_1 * 394 + batch_2 * 197 + m];
    });
    float reduce_value_of_row[1][2];
    each_row<1>([&](int i, int h) {
      const int m = min(m_first + row_of_element<1>(i, h), 196);
      reduce_value_of_row[i][h] = reduce_value[batch_1 * 394 + batch_2 + m * 2];
    });
    Plane<1, 10> sums_1 = {};
    rows_ready.get();
#pragma unroll 1
    for (int block = 0; block < 4; ++block) {
      const int n_first = block * 64;
      const int slot = columns_ready.get();
      Plane<1, 8> score_1;
      begin_scores<80>(score_1, shared.value_rows, shared.value_2_columns[slot]);
      Plane<1, 8> score_2;
      begin_scores<80>(score_2, shared.add_value_rows, shared.value_3_columns[slot]);
      wait_for_products<8, 8>(score_1, score_2);
      const bool is_whole = n_first + 64 <= 197;
      Plane<1, 8> sums_1_plane;
      if (is_whole) {
        each_element<1, 8>([&](int i, int h, int j, int e) {
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
        each_element<1, 8>([&](int i, int h, int j, int e) {
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
      multiply<64>(sums_1, rounded_to<bf16>(sums_1_plane), shared.value_2_columns[slot]);
      columns_ready.release();
    }
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
    });
  }
}

}  // namespace tessera
