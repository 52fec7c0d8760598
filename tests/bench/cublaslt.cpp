#include "tests/bench/cublaslt.h"

#include <fmt/format.h>

#include <tessera/codegen/cuda/runtime/library.h>
#include <tessera/core/error.h>

namespace tessera::cuda {
namespace {

// Values of cuBLASLt's enumerations.
constexpr int compute_f32 = 68, type_f32 = 0, type_bf16 = 14, transposed = 1;
constexpr int desc_transpose_a = 3, preference_workspace = 1;

struct Algorithm {  // what one heuristic result looks like
  uint64_t algo[8];
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};

constexpr size_t workspace_bytes = size_t{64} << 20;

}  // namespace

struct CublasLt::State {
  Library library{"cuBLASLt", {"libcublasLt.so.13", "libcublasLt.so.12"}, toolkit_folders(), "it is only a yardstick"};
  int (*create)(void**);
  int (*desc_create)(void**, int compute, int scale);
  int (*desc_set)(void*, int attribute, const void*, size_t);
  int (*layout_create)(void**, int type, uint64_t rows, uint64_t columns, int64_t leading);
  int (*preference_create)(void**);
  int (*preference_set)(void*, int attribute, const void*, size_t);
  int (*heuristic)(void* handle, void* desc, void* a, void* b, void* c, void* d, void* preference, int wanted,
                   Algorithm*, int* found);
  int (*matmul)(void* handle, void* desc, const void* alpha, const void* a, void* a_layout, const void* b,
                void* b_layout, const void* beta, const void* c, void* c_layout, void* d, void* d_layout,
                const void* algorithm, void* workspace, size_t, void* stream);
  void* handle = nullptr;
  void* desc = nullptr;
  void* preference = nullptr;
  Buffer workspace{workspace_bytes};
};

static void require(int status, const char* call) {
  if (status != 0) throw DeviceError({.code = "T-X007", .fault = fmt::format("cuBLASLt, {}: status {}", call, status)});
}

CublasLt::CublasLt() : state_(new State) {
  State& s = *state_;
  s.library.bind(s.create, "cublasLtCreate");
  s.library.bind(s.desc_create, "cublasLtMatmulDescCreate");
  s.library.bind(s.desc_set, "cublasLtMatmulDescSetAttribute");
  s.library.bind(s.layout_create, "cublasLtMatrixLayoutCreate");
  s.library.bind(s.preference_create, "cublasLtMatmulPreferenceCreate");
  s.library.bind(s.preference_set, "cublasLtMatmulPreferenceSetAttribute");
  s.library.bind(s.heuristic, "cublasLtMatmulAlgoGetHeuristic");
  s.library.bind(s.matmul, "cublasLtMatmul");
  require(s.create(&s.handle), "create");
  require(s.desc_create(&s.desc, compute_f32, type_f32), "describe");
  // Columns come first there: d transposed is b times a transposed, and b is stored transposed.
  require(s.desc_set(s.desc, desc_transpose_a, &transposed, sizeof transposed), "describe");
  require(s.preference_create(&s.preference), "preference");
  require(s.preference_set(s.preference, preference_workspace, &workspace_bytes, sizeof workspace_bytes), "preference");
}

CublasLt::~CublasLt() = default;  // its objects live as long as the process

std::vector<std::function<void()>> CublasLt::prepare(Pointer a, Pointer b, Pointer d, int m, int n, int k) {
  State& s = *state_;
  const auto rows = static_cast<uint64_t>(m), columns = static_cast<uint64_t>(n), depth = static_cast<uint64_t>(k);
  void *b_layout = nullptr, *a_layout = nullptr, *d_layout = nullptr;
  require(s.layout_create(&b_layout, type_bf16, depth, columns, k), "layout");
  require(s.layout_create(&a_layout, type_bf16, depth, rows, k), "layout");
  require(s.layout_create(&d_layout, type_bf16, columns, rows, n), "layout");
  Algorithm found[8];
  int count = 0;
  require(s.heuristic(s.handle, s.desc, b_layout, a_layout, d_layout, d_layout, s.preference, 8, found, &count),
          "heuristics");
  std::vector<std::function<void()>> runs;
  for (int i = 0; i < count; ++i)
    runs.push_back([&s, a, b, d, a_layout, b_layout, d_layout, algorithm = found[i]] {
      static const float one = 1, zero = 0;
      auto at = [](Pointer p) { return reinterpret_cast<void*>(p); };
      require(s.matmul(s.handle, s.desc, &one, at(b), b_layout, at(a), a_layout, &zero, at(d), d_layout, at(d),
                       d_layout, algorithm.algo, at(s.workspace.address()), workspace_bytes, nullptr),
              "matmul");
    });
  return runs;
}

}  // namespace tessera::cuda
