#pragma once
// What generated contractions include.

#include "fma_sums.cuh"
#include "mma_sums.cuh"
#include "raster.cuh"
#include "rows.cuh"
#include "shared_memory.cuh"
