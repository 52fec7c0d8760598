#pragma once
// The hand-written kernels of this folder, compiled for the device at hand and launched on tensors of a caller.

#include <functional>
#include <string>

#include <tessera/codegen/cuda/runtime/device.h>
#include <tessera/codegen/cuda/runtime/kernel.h>

namespace tessera::cuda {

std::string read_text(const std::string& path);

// The kernel has the name of its file up to the first dot: gemm_bf16.deeper.cu is another schedule of gemm_bf16.
std::string kernel_name(const std::string& path);

struct Product {
  int m, n, k;
};

// d[m, n] = sum over k of a[m, k] b[n, k]; what is returned launches once and may be called again and again.
std::function<void()> prepare_gemm(const Kernel& kernel, Pointer a, Pointer b, Pointer d, Product size);

struct Sequences {
  int planes, length;  // batch x heads; the head dim is 128
};

// `counter` is one zero int of device memory: the kernel leaves it so.
std::function<void()> prepare_attention(const Kernel& kernel, Pointer q, Pointer k, Pointer v, Pointer o, Pointer lse,
                                        Pointer counter, Sequences size);

}  // namespace tessera::cuda
