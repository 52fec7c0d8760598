#include "tests/bench/cublaslt.h"

#include <fmt/format.h>

#include <tessera/codegen/cuda/runtime/library.h>
#include <tessera/core/error.h>

namespace tessera::cuda {
namespace {

// Values of cuBLASLt's enumerations.
constexpr int compute_f32 = 68, compute_f32_pedantic = 69, compute_tf32 = 77, type_f32 = 0, type_bf16 = 14;
constexpr int plain = 0, transposed = 1, desc_transpose_a = 3, desc_transpose_b = 4, preference_workspace = 1;
constexpr int layout_batch = 5, layout_batch_stride = 6, status_not_supported = 15;

int compute_of(CublasLt::Precision precision) {
  switch (precision) {
    case CublasLt::Precision::f32_pedantic: return compute_f32_pedantic;
    case CublasLt::Precision::tf32: return compute_tf32;
    default: return compute_f32;
  }
}

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
  int (*layout_set)(void*, int attribute, const void*, size_t);
  int (*preference_create)(void**);
  int (*preference_set)(void*, int attribute, const void*, size_t);
  int (*heuristic)(void* handle, void* desc, void* a, void* b, void* c, void* d, void* preference, int wanted,
                   Algorithm*, int* found);
  int (*matmul)(void* handle, void* desc, const void* alpha, const void* a, void* a_layout, const void* b,
                void* b_layout, const void* beta, const void* c, void* c_layout, void* d, void* d_layout,
                const void* algorithm, void* workspace, size_t, void* stream);
  void* handle = nullptr;
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
  s.library.bind(s.layout_set, "cublasLtMatrixLayoutSetAttribute");
  s.library.bind(s.preference_create, "cublasLtMatmulPreferenceCreate");
  s.library.bind(s.preference_set, "cublasLtMatmulPreferenceSetAttribute");
  s.library.bind(s.heuristic, "cublasLtMatmulAlgoGetHeuristic");
  s.library.bind(s.matmul, "cublasLtMatmul");
  require(s.create(&s.handle), "create");
  require(s.preference_create(&s.preference), "preference");
  require(s.preference_set(s.preference, preference_workspace, &workspace_bytes, sizeof workspace_bytes), "preference");
}

CublasLt::~CublasLt() = default;  // its objects live as long as the process

std::vector<std::function<void()>> CublasLt::prepare(Pointer a, Pointer b, Pointer d, const Product& p) {
  State& s = *state_;
  const int type = p.precision == Precision::bf16 ? type_bf16 : type_f32;
  // Columns come first there: d transposed is b times a transposed.
  void* desc = nullptr;
  require(s.desc_create(&desc, compute_of(p.precision), type_f32), "describe");
  require(s.desc_set(desc, desc_transpose_a, p.b_along_k ? &transposed : &plain, sizeof(int)), "describe");
  require(s.desc_set(desc, desc_transpose_b, p.a_along_k ? &plain : &transposed, sizeof(int)), "describe");
  auto layout = [&](int64_t rows, int64_t columns) {  // of columns one after the other
    void* made = nullptr;
    require(s.layout_create(&made, type, static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), rows), "layout");
    const int64_t stride = rows * columns;
    require(s.layout_set(made, layout_batch, &p.batch, sizeof p.batch), "layout");
    require(s.layout_set(made, layout_batch_stride, &stride, sizeof stride), "layout");
    return made;
  };
  void* b_layout = p.b_along_k ? layout(p.k, p.n) : layout(p.n, p.k);
  void* a_layout = p.a_along_k ? layout(p.k, p.m) : layout(p.m, p.k);
  void* d_layout = layout(p.n, p.m);
  Algorithm found[8];
  int count = 0;
  const int status =
      s.heuristic(s.handle, desc, b_layout, a_layout, d_layout, d_layout, s.preference, 8, found, &count);
  if (status == status_not_supported) return {};
  require(status, "heuristics");
  std::vector<std::function<void()>> runs;
  for (int i = 0; i < count; ++i)
    runs.push_back([&s, a, b, d, desc, a_layout, b_layout, d_layout, algorithm = found[i]] {
      static const float one = 1, zero = 0;
      auto at = [](Pointer x) { return reinterpret_cast<void*>(x); };
      require(s.matmul(s.handle, desc, &one, at(b), b_layout, at(a), a_layout, &zero, at(d), d_layout, at(d), d_layout,
                       algorithm.algo, at(s.workspace.address()), workspace_bytes, nullptr),
              "matmul");
    });
  return runs;
}

}  // namespace tessera::cuda
