#pragma once
// What generated row kernels include.

#include "core.cuh"
#include "launch.cuh"
#include "random.cuh"
#include "reduce.cuh"
#include "running_sum.cuh"
#include "scalar.cuh"
#include "vector.cuh"
