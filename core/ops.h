#pragma once
// The public ops. Each checks dtypes and shapes at the call and throws there, then records one node (or a few, where
// a line says "= …"). `dim` may be negative: −1 is the last. Shapes broadcast as shape.h says.

#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <tessera/core/tensor.h>

namespace tessera {

// ---- sources ----
Tensor zeros(Shape, DType = f32, Loc = Loc::here());
Tensor ones(Shape, DType = f32, Loc = Loc::here());
Tensor full(Shape, Number, DType = f32, Loc = Loc::here());
Tensor zeros_like(Operand);
Tensor ones_like(Operand);
Tensor full_like(Operand, Number);
Tensor scalar(Number, DType = f32, Loc = Loc::here());
Tensor iota(Shape, int dim, DType = i32, Loc = Loc::here());  // element = its index along dim
Tensor arange(int64_t n, DType = i32, Loc = Loc::here());     // = iota({n}, 0)
Tensor eye(int64_t n, DType = f32, Loc = Loc::here());

// ---- elementwise, one operand (formulas in op_table.h) ----
Tensor operator-(Operand);
Tensor operator!(Operand);  // bool
Tensor operator~(Operand);  // integers
Tensor abs(Operand);
Tensor exp(Operand);
Tensor exp2(Operand);
Tensor log(Operand);
Tensor log1p(Operand);
Tensor expm1(Operand);
Tensor tanh(Operand);
Tensor erf(Operand);
Tensor sigmoid(Operand);  // 1 / (1 + e^−x)
Tensor sqrt(Operand);
Tensor rsqrt(Operand);  // 1 / √x
Tensor reciprocal(Operand);
Tensor sin(Operand);
Tensor cos(Operand);
Tensor floor(Operand);
Tensor ceil(Operand);
Tensor round(Operand);  // ties to even
Tensor sign(Operand);
Tensor is_finite(Operand);    // bool
Tensor square(Operand);       // = x · x
Tensor cast(Operand, DType);  // explicit, contractual: never moved or removed by a precision policy

// ---- elementwise, two operands ----
Tensor operator+(Operand, Operand);
Tensor operator-(Operand, Operand);
Tensor operator*(Operand, Operand);
Tensor operator/(Operand, Operand);     // true division: integers become f32
Tensor floor_divide(Operand, Operand);  // ⌊a / b⌋; integer division by zero gives 0
Tensor remainder(Operand, Operand);     // a − b·⌊a / b⌋: the sign of b
Tensor pow(Operand, Operand);
Tensor minimum(Operand, Operand);  // NaN wins; a tie splits the gradient
Tensor maximum(Operand, Operand);
Tensor clamp(Operand, Operand low, Operand high);  // = minimum(maximum(x, low), high)
Tensor operator&(Operand, Operand);
Tensor operator|(Operand, Operand);
Tensor operator^(Operand, Operand);
Tensor operator&&(Operand, Operand);  // bool; both sides are always evaluated
Tensor operator||(Operand, Operand);
Tensor operator==(Operand, Operand);  // elementwise, bool
Tensor operator!=(Operand, Operand);
Tensor operator<(Operand, Operand);
Tensor operator<=(Operand, Operand);
Tensor operator>(Operand, Operand);
Tensor operator>=(Operand, Operand);
Tensor where(Operand condition, Operand a, Operand b);

// ---- identities ----
Tensor stop_gradient(Operand);
Tensor barrier(Operand);  // nothing fuses across
// The operand itself. compile() throws CompileError, saying what stands in the way, if the value would be written to
// memory instead of being used up inside the kernel that makes it. Outside of compile() nothing is checked, and the
// reference executor, which keeps every value, is not asked.
Tensor expect_fused(Operand);

// ---- structure ----
Tensor broadcast_to(Operand, Shape);
Tensor broadcast_in_dim(Operand, Shape, Dims dims);  // operand dim i becomes result dim dims[i]; dims ascend
Tensor reshape(Operand, Shape);                      // one extent may be −1
Tensor flatten(Operand, int start = 0, int stop = -1);
Tensor squeeze(Operand, int dim);
Tensor unsqueeze(Operand, int dim);
Tensor permute(Operand, Dims dims);  // result dim i is operand dim dims[i]
Tensor transpose(Operand, int dim0 = -2, int dim1 = -1);
struct Range {  // [start, stop) by step; negative start and stop count from the end
  int64_t start = 0;
  std::optional<int64_t> stop = std::nullopt;
  int64_t step = 1;
};
Tensor slice(Operand, int dim, Range);
Tensor slice(Operand, const std::vector<Range>&);  // one per leading dim
Tensor select(Operand, int dim, int64_t index);    // = slice and squeeze
std::vector<Tensor> split(Operand, int parts, int dim);
Tensor set(Operand x, const std::vector<Range>&, Operand value);  // a new value with that slice replaced
struct PadDim {
  int64_t low = 0, high = 0, interior = 0;
};
Tensor pad(Operand, const std::vector<PadDim>&, double value = 0);  // one per dim
Tensor concat(const std::vector<Tensor>&, int dim, Loc = Loc::here());
Tensor stack(const std::vector<Tensor>&, int dim, Loc = Loc::here());
Tensor reverse(Operand, Dims dims);
Tensor tile(Operand, Dims repeats);

// ---- indexing: indices are i32 or i64; one out of range (below 0 too) makes the run throw ValueError naming this line.
// Updates are cast up to the dtype of what they go into, never down ----
Tensor gather(Operand x, Operand indices, int dim = 0);  // result: x.shape with dim replaced by indices.shape;
                                                         // a number is checked here and may be negative
Tensor take_along(Operand x, Operand indices, int dim);  // as torch.gather; = reshape, gather
// updates: base.shape with dim replaced by indices.shape; set: the last one wins
Tensor scatter(Operand base, Operand indices, Operand updates, int dim, ScatterMode);
Tensor dynamic_slice(Operand x, const std::vector<Tensor>& start, Shape sizes);  // start is clamped to fit
Tensor dynamic_update_slice(Operand x, Operand update, const std::vector<Tensor>& start);
Tensor one_hot(Operand indices, int64_t classes, DType = f32);

// ---- reductions; no dims: all of them. Empty sums are 0, empty products 1, an empty max or min throws. Sums and
// products of bool and of integers narrower than 32 bits are i32 ----
Tensor sum(Operand, Dims dims = {}, bool keepdim = false);
Tensor mean(Operand, Dims dims = {}, bool keepdim = false);
Tensor max(Operand, Dims dims = {}, bool keepdim = false);  // NaN wins; ties split the gradient
Tensor min(Operand, Dims dims = {}, bool keepdim = false);
Tensor prod(Operand, Dims dims = {}, bool keepdim = false);
Tensor any(Operand, Dims dims = {}, bool keepdim = false);
Tensor all(Operand, Dims dims = {}, bool keepdim = false);
Tensor variance(Operand, Dims dims, bool keepdim = false);  // biased: Σ(x − μ)² / N
Tensor argmax(Operand, int dim);                            // i64, the first of equals
Tensor argmin(Operand, int dim);

// ---- scans and sorting ----
Tensor cumsum(Operand, int dim, bool reverse = false);
Tensor cummax(Operand, int dim, bool reverse = false);
Tensor cumprod(Operand, int dim, bool reverse = false);
Tensor argsort(Operand, int dim = -1, bool descending = false);    // i64, stable, NaN last
Tensor sort(Operand, int dim = -1, bool descending = false);       // = take_along(x, argsort)
std::pair<Tensor, Tensor> topk(Operand, int64_t k, int dim = -1);  // values, indices; = argsort, slice

// ---- contraction (D17) ----
// einsum "bhqd,bhkd->bhqk"; with window relations it is a convolution:
//   contract(x, w, "nchw,kcrs->nkpq", {{.in='h', .out='p', .tap='r', .stride=2, .pad=1}, {.in='w', …}})
// Letters that stand only in the result need an extent in `extents`.
struct LetterExtent {
  char letter;
  int64_t extent;
};
Tensor contract(Operand a, Operand b, std::string_view einsum, std::vector<WindowRelation> = {},
                const std::vector<LetterExtent>& extents = {});
Tensor einsum(std::string_view spec, Operand a, Operand b);
Tensor matmul(Operand a, Operand b);  // [.., m, k] × [.., k, n]; leading dims broadcast; rank 1 as in NumPy

// ---- windows ----
Tensor window(Operand x, WindowAttrs);                   // pooling = reduce over window
Tensor fold(Operand windows, Shape shape, WindowAttrs);  // its transpose: overlapping taps are added

// ---- normal forms ----
Tensor softmax(Operand, int dim);      // a row with no finite entry gives 0
Tensor logsumexp(Operand, int dim);    // such a row gives −inf; the dim leaves the shape
Tensor log_softmax(Operand, int dim);  // = x − logsumexp(x)

}  // namespace tessera
