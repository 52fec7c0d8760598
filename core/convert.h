#pragma once
// Element-wise conversion between dtypes in host memory: round to nearest even; float to integer truncates towards
// zero and saturates (NaN gives 0); f8e4m3 saturates to ±448, f8e5m2 and f16 overflow to infinity; x to bool is x != 0.

#include <cstddef>
#include <cstdint>

#include <tessera/core/dtype.h>

namespace tessera {

float f16_to_float(uint16_t);
uint16_t float_to_f16(float);
float bf16_to_float(uint16_t);
uint16_t float_to_bf16(float);
float f8e4m3_to_float(uint8_t);  // the FN variant: no infinity, NaN is 0x7f
uint8_t float_to_f8e4m3(float);
float f8e5m2_to_float(uint8_t);
uint8_t float_to_f8e5m2(float);

// One element as double or int64, and back; the reference executor is written with these.
double load_double(const void* base, DType, int64_t index);
int64_t load_int(const void* base, DType, int64_t index);
void store_double(void* base, DType, int64_t index, double);  // one rounding, from double to the dtype
void store_int(void* base, DType, int64_t index, int64_t);

void convert(const void* from, DType from_type, void* to, DType to_type, int64_t count);

}  // namespace tessera
