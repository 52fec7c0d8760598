#include "tests/bench/cudnn.h"

#include <fmt/format.h>

#include <tessera/codegen/cuda/runtime/library.h>
#include <tessera/core/error.h>

namespace tessera::cuda {
namespace {

// Values of cuDNN's enumerations.
constexpr int channels_last = 1, type_f32 = 0, type_bf16 = 9, cross_correlation = 1, tensor_cores = 1;

struct Found {  // what one algorithm that was tried looks like
  int algorithm, status;
  float time;
  size_t workspace;
  int is_deterministic, math, reserved[3];
};

constexpr size_t workspace_bytes = size_t{2} << 30;
constexpr int wanted = 8;

void require(int status, const char* call) {
  if (status != 0) throw DeviceError({.code = "T-X007", .fault = fmt::format("cuDNN, {}: status {}", call, status)});
}

}  // namespace

struct Cudnn::State {
  using Try = int(void*, void*, const void*, void*, const void*, void*, void*, void*, int, int*, Found*, void*, size_t);
  using Run = int(void*, const void*, void*, const void*, void*, const void*, void*, int, void*, size_t, const void*,
                  void*, void*);
  Library library{"cuDNN", {"libcudnn.so.9", "libcudnn.so.8"}, toolkit_folders(), "it is only a yardstick"};
  int (*create)(void**);
  int (*tensor_create)(void**);
  int (*tensor_set)(void*, int format, int type, int n, int c, int h, int w);
  int (*filter_create)(void**);
  int (*filter_set)(void*, int type, int format, int k, int c, int r, int s);
  int (*conv_create)(void**);
  int (*conv_set)(void*, int pad_h, int pad_w, int stride_h, int stride_w, int dilation_h, int dilation_w, int mode,
                  int type);
  int (*conv_math)(void*, int);
  Try *try_forward, *try_data, *try_filter;
  Run *forward, *data, *filter;
  void* handle = nullptr;
  Buffer workspace{workspace_bytes};
};

Cudnn::Cudnn() : state_(new State) {
  State& s = *state_;
  s.library.bind(s.create, "cudnnCreate");
  s.library.bind(s.tensor_create, "cudnnCreateTensorDescriptor");
  s.library.bind(s.tensor_set, "cudnnSetTensor4dDescriptor");
  s.library.bind(s.filter_create, "cudnnCreateFilterDescriptor");
  s.library.bind(s.filter_set, "cudnnSetFilter4dDescriptor");
  s.library.bind(s.conv_create, "cudnnCreateConvolutionDescriptor");
  s.library.bind(s.conv_set, "cudnnSetConvolution2dDescriptor");
  s.library.bind(s.conv_math, "cudnnSetConvolutionMathType");
  s.library.bind(s.try_forward, "cudnnFindConvolutionForwardAlgorithmEx");
  s.library.bind(s.try_data, "cudnnFindConvolutionBackwardDataAlgorithmEx");
  s.library.bind(s.try_filter, "cudnnFindConvolutionBackwardFilterAlgorithmEx");
  s.library.bind(s.forward, "cudnnConvolutionForward");
  s.library.bind(s.data, "cudnnConvolutionBackwardData");
  s.library.bind(s.filter, "cudnnConvolutionBackwardFilter");
  require(s.create(&s.handle), "create");
}

Cudnn::~Cudnn() = default;  // its objects live as long as the process

std::function<void()> Cudnn::prepare(What what, Pointer x, Pointer w, Pointer y, const Convolution& c) {
  State& s = *state_;
  void *of_x = nullptr, *of_w = nullptr, *of_y = nullptr, *of_conv = nullptr;
  require(s.tensor_create(&of_x), "describe");
  require(s.tensor_set(of_x, channels_last, type_bf16, c.n, c.c, c.h, c.h), "describe");
  require(s.tensor_create(&of_y), "describe");
  require(s.tensor_set(of_y, channels_last, type_bf16, c.n, c.k, c.p(), c.p()), "describe");
  require(s.filter_create(&of_w), "describe");
  require(s.filter_set(of_w, type_bf16, channels_last, c.k, c.c, c.r, c.r), "describe");
  require(s.conv_create(&of_conv), "describe");
  require(s.conv_set(of_conv, c.pad, c.pad, c.stride, c.stride, 1, 1, cross_correlation, type_f32), "describe");
  require(s.conv_math(of_conv, tensor_cores), "describe");
  // Two tensors are read, the third is written.
  struct Tensor {
    void* description;
    void* at;
  };
  auto at = [](Pointer address) { return reinterpret_cast<void*>(address); };
  const Tensor image{of_x, at(x)}, weights{of_w, at(w)}, result{of_y, at(y)};
  const bool is_forward = what == What::forward, is_data = what == What::data_gradient;
  const Tensor first = is_data ? weights : image, second = is_forward ? weights : result,
               written = is_forward ? result
                         : is_data  ? image
                                    : weights;
  State::Try* try_all = is_forward ? s.try_forward : is_data ? s.try_data : s.try_filter;
  State::Run* run = is_forward ? s.forward : is_data ? s.data : s.filter;
  Found found[wanted] = {};
  int count = 0;
  require(try_all(s.handle, first.description, first.at, second.description, second.at, of_conv, written.description,
                  written.at, wanted, &count, found, at(s.workspace.address()), workspace_bytes),
          "find");
  int best = 0;  // they come fastest first
  while (best < count && found[best].status != 0) ++best;
  if (best == count) throw DeviceError({.code = "T-X007", .fault = "cuDNN has no algorithm for a convolution"});
  require(s.conv_math(of_conv, found[best].math), "describe");
  return [=, &s, algorithm = found[best].algorithm] {
    static const float one = 1, zero = 0;
    require(
        run(s.handle, &one, first.description, first.at, second.description, second.at, of_conv, algorithm,
            reinterpret_cast<void*>(s.workspace.address()), workspace_bytes, &zero, written.description, written.at),
        "run");
  };
}

}  // namespace tessera::cuda
