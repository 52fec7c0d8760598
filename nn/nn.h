#pragma once
// Everything of nn: layers, losses, optimizers, data, files.

#include <tessera/nn/containers.h>
#include <tessera/nn/functional.h>
#include <tessera/nn/init.h>
#include <tessera/nn/layers/attention.h>
#include <tessera/nn/layers/conv.h>
#include <tessera/nn/layers/dropout.h>
#include <tessera/nn/layers/embedding.h>
#include <tessera/nn/layers/linear.h>
#include <tessera/nn/layers/mlp.h>
#include <tessera/nn/layers/norm.h>
#include <tessera/nn/layers/pool.h>
#include <tessera/nn/losses.h>
#include <tessera/nn/module.h>
#include <tessera/nn/optim/adam.h>
#include <tessera/nn/optim/clip.h>
#include <tessera/nn/optim/ema.h>
#include <tessera/nn/optim/schedule.h>
#include <tessera/nn/optim/sgd.h>
#include <tessera/nn/summary.h>
#include <tessera/nn/training.h>
