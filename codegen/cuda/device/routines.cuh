#pragma once
// What kernels of routines include.

#include "arg_extreme.cuh"
#include "elements.cuh"
#include "launch.cuh"
#include "scan.cuh"
#include "scatter.cuh"
#include "sort.cuh"
