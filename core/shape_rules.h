#pragma once
// The constraints of every op and what its result has, one function per op family. A function throws the user's error
// or returns; the files ops_*.cpp record what passed here. In shape_rules_*.cpp every constraint has a label
// (`// contract_c2`) and an error code: both are stable names for tests and docs.

#include <span>
#include <string_view>
#include <vector>

#include <tessera/core/einsum.h>
#include <tessera/core/ops.h>

namespace tessera {

// An op as the user called it, and from where: what every failed constraint names.
struct Call {
  std::string_view op;  // "matmul"
  Loc at;
};

namespace rules {

// An operand as written (tensor or number) with its name in errors.
struct Argument {
  const char* label;
  const Operand& operand;
};
using Arguments = std::span<const Argument>;

// ---- any op ----
const NodePtr& value(const Call&, const Tensor&);  // the tensor's node; it has one
void extents(const Call&, const Shape&);           // none is negative
int dim(const Call&, int64_t dim, const Node& x);  // −rank ≤ dim < rank; counted from the front
int dim(const Call&, int64_t dim, const Shape&);
Dims dims(const Call&, const Dims&, const Node& x);  // the same for each; no dim twice; order kept
bool fits(const Number&, DType);                     // an integer dtype can hold it exactly; a float one rounds
void number(const Call&, const Number&, DType);      // fits()

// ---- sources ----
void countable(const Call&, const Shape&, int dim, DType);  // iota: integers or floats that reach the last index
void count(const Call&, const char* what, int64_t n);       // n ≥ 0

// ---- elementwise ----
DType number_type(const Number&);  // of a number that meets no tensor: f32, i32, i64 if it needs it
DType elementwise_type(const Call&, TypeRule, Arguments);  // the dtype all operands are cast to
Shape elementwise_shape(const Call&, Arguments);           // they broadcast
void boolean_operand(const Call&, const Argument&);
DType arithmetic(const Call&, const Node& x);   // not f8: x's dtype
DType real(const Call&, const Node& x);         // not f8: f32 for integers and bool, else x's dtype
DType accumulated(const Call&, const Node& x);  // not f8: i32 for bool and integers narrower than that

// ---- structure ----
Dims broadcast_to(const Call&, const Node& x, const Shape&);  // result dim of each dim of x, aligned at the right
void broadcast_in_dim(const Call&, const Node& x, const Shape&, const Dims&);
Shape reshape(const Call&, const Node& x, const Shape&);                            // −1 replaced
void ascending(const Call&, const Node& x, int start, int stop, int64_t distance);  // flatten: start ≤ stop
void squeeze(const Call&, const Node& x, int dim);
int new_dim(const Call&, int64_t dim, const Node& x);  // a dim of the result, which has one more
Dims permutation(const Call&, const Node& x, const Dims&);
SliceAttrs slice(const Call&, const Node& x, const std::vector<Range>&);  // one per leading dim
Shape sliced(const SliceAttrs&);
int64_t index(const Call&, const Node& x, int dim, int64_t);              // in range; counted from the front
int64_t whole_index(const Call&, const Node& x, int dim, const Number&);  // the same for a number given as an index
int64_t split(const Call&, const Node& x, int parts, int dim);            // extent of a part
PadAttrs pad(const Call&, const Node& x, const std::vector<PadDim>&, double value);
Shape padded(const Shape&, const PadAttrs&);
DType concat_type(const Call&, const std::vector<Tensor>&);
Shape concat(const Call&, const std::vector<Tensor>&, int dim);
void same_shape(const Call&, const std::vector<Tensor>&);
void tile(const Call&, const Node& x, const Dims& repeats);

// ---- indexing ----
void indices(const Call&, const char* label, const Node& indices);  // i32 or i64
Shape gather(const Call&, const Node& x, const Node& indices, int dim);
void take_along(const Call&, const Node& x, const Node& indices, int dim);
Shape scatter_updates(const Call&, const Node& base, const Node& indices, int dim);  // the shape updates must have
void scatter(const Call&, const Node& base, const Node& updates, const Shape& wanted, ScatterMode);
void update_type(const Call&, const char* label, const Node& base, const Operand& update);  // promotes to base's
void dynamic_slice(const Call&, const Node& x, const std::vector<Tensor>& start, const Shape& sizes);
void dynamic_update_slice(const Call&, const Node& x, const Node& update, const std::vector<Tensor>& start);

// ---- reductions and scans ----
Dims reduced_dims(const Call&, const Dims&, const Node& x);  // sorted; none given: all
Shape without(const Shape&, const Dims& sorted);
void not_empty(const Call&, const Node& x, const Dims& reduced);  // a max of nothing has no value
void topk(const Call&, const Node& x, int64_t k, int dim);

// ---- contraction ----
struct Contraction {
  DType dtype;
  ContractAttrs attrs;
  Shape shape;
};
Contraction contract(const Call&, const Node& a, const Node& b, std::string_view einsum, std::vector<WindowRelation>,
                     const std::vector<LetterExtent>&);
Shape matmul(const Call&, const Node& a, const Node& b);  // the leading dims of the result

// ---- windows ----
struct Windowed {
  WindowAttrs attrs;  // dims from the front; stride and dilation filled in
  Shape shape;
};
Windowed window(const Call&, const char* label, const Node& x, const Shape& whole, WindowAttrs);  // errors show x
void fold(const Call&, const Node& windows, const Shape& whole, const Shape& wanted);

}  // namespace rules
}  // namespace tessera
