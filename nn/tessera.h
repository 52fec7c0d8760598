#pragma once
// All of Tessera: tensors, gradients, compile(), and nn.

#include <tessera/autograd/grad.h>
#include <tessera/core/compile.h>
#include <tessera/core/device.h>
#include <tessera/core/error.h>
#include <tessera/core/ops.h>
#include <tessera/core/random.h>
#include <tessera/nn/nn.h>
