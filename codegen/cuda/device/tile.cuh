#pragma once
// The device header: what generated kernels include.

#include "barrier.cuh"
#include "beside.cuh"
#include "channel.cuh"
#include "core.cuh"
#include "finish.cuh"
#include "fragment.cuh"
#include "halves.cuh"
#include "launch.cuh"
#include "shared.cuh"
#include "shared_memory.cuh"
#include "tiles.cuh"
#include "tma.cuh"
#include "wgmma.cuh"
#include "window.cuh"
