// What users do wrong with core, one mistake per line. Errors of the other folders have tables of their own.
#include <tessera/core/compile.h>
#include <tessera/core/device.h>
#include <tessera/core/error.h>
#include <tessera/core/ops.h>
#include <tessera/core/random.h>
#include <tessera/core/state.h>

#include "tests/support/mistakes.h"

namespace tessera::testing {
namespace {

Tensor f(Shape shape) { return zeros(std::move(shape)); }
Tensor i(Shape shape) { return zeros(std::move(shape), i32); }
Tensor b(Shape shape) { return zeros(std::move(shape), boolean); }
Tensor f8(Shape shape) { return zeros(std::move(shape), f8e4m3); }
Tensor at(int64_t index) { return tensor<int64_t>({index}, Shape{}); }
const std::vector<WindowRelation> conv = {{.in = 'h', .out = 'p', .tap = 'r'}, {.in = 'w', .out = 'q', .tap = 's'}};
constexpr const char* nchw = "nchw,kcrs->nkpq";

// clang-format off
const Mistake arguments[] = {
  {"EmptyOperand",     __LINE__, "ValueError", "T-V002", {"empty"}, [] { exp(Tensor()); }},
  {"EmptyRightSide",   __LINE__, "ValueError", "T-V002", {"empty"}, [] { f({2}) + Tensor(); }},
  {"MovedFrom",        __LINE__, "ValueError", "T-V002", {"empty"}, [] { Tensor t = f({2}); Tensor u = std::move(t); sum(t); }},
  {"NegativeExtent",   __LINE__, "ShapeError", "T-S011", {"[2, -1]"}, [] { zeros({2, -1}); }},
  {"IotaDim",          __LINE__, "ValueError", "T-V010", {"[4]", "dim 1"}, [] { iota({4}, 1); }},
  {"IotaBool",         __LINE__, "DTypeError", "T-D015", {"bool"}, [] { iota({4}, 0, boolean); }},
  {"IotaTooLong",      __LINE__, "ValueError", "T-V012", {"299", "u8"}, [] { arange(300, u8); }},
  {"ArangeNegative",   __LINE__, "ValueError", "T-V029", {"-3"}, [] { arange(-3); }},
  {"FractionAsInt",    __LINE__, "ValueError", "T-V012", {"2.5", "i32"}, [] { full({2}, 2.5, i32); }},
  {"TooLargeForU8",    __LINE__, "ValueError", "T-V012", {"300", "u8"}, [] { zeros({4}, u8) + 300; }},
  {"NegativeUnsigned", __LINE__, "ValueError", "T-V012", {"-1", "u32"}, [] { zeros({4}, u32) > -1; }},
  {"UnknownDevice",    __LINE__, "DeviceError", "T-X002", {"'tpu'", "cpu or cuda"}, [] { set_device("tpu"); }},
  {"DataSize",         __LINE__, "ShapeError", "T-S003", {"[2, 2]", "4", "3"}, [] { tensor<float>({1, 2, 3}, {2, 2}); }},
};

const Mistake elementwise[] = {
  {"AddExtents",       __LINE__, "ShapeError", "T-S010", {"f32[8, 4]", "f32[3]", "[8, 4] with [3]"}, [] { f({8, 4}) + f({3}); }},
  {"MulLeftAligned",   __LINE__, "ShapeError", "T-S010", {"f32[8, 4]", "f32[8]", "reshape [8] to [8, 1]"}, [] { f({8, 4}) * f({8}); }},
  {"SubTransposed",    __LINE__, "ShapeError", "T-S010", {"f32[8, 4]", "f32[4, 8]", "transpose()"}, [] { f({8, 4}) - f({4, 8}); }},
  {"CompareExtents",   __LINE__, "ShapeError", "T-S010", {"f32[2]", "i32[3]"}, [] { f({2}) < i({3}); }},
  {"ClampExtents",     __LINE__, "ShapeError", "T-S010", {"f32[4]", "f32[3]"}, [] { clamp(f({4}), 0, f({3})); }},
  {"WhereExtents",     __LINE__, "ShapeError", "T-S010", {"bool[5]", "f32[3]"}, [] { where(b({5}), f({3}), 0); }},
  {"WhereCondition",   __LINE__, "DTypeError", "T-D013", {"f32[3]", "condition"}, [] { where(f({3}), f({3}), 0); }},
  {"ComputeInF8",      __LINE__, "DTypeError", "T-D010", {"f8e4m3[4]", "cast"}, [] { exp(f8({4})); }},
  {"F8WithF32",        __LINE__, "DTypeError", "T-D010", {"f8e4m3[4]", "f32[4]"}, [] { f({4}) + f8({4}); }},
  {"ChooseF8OrF32",    __LINE__, "DTypeError", "T-D010", {"f8e4m3[4]", "f32[4]"}, [] { where(b({4}), f({4}), f8({4})); }},
  {"AddMasks",         __LINE__, "DTypeError", "T-D011", {"bool[4]", "bool[2, 1]"}, [] { b({4}) + b({2, 1}); }},
  {"NegateMask",       __LINE__, "DTypeError", "T-D011", {"bool[4]"}, [] { -b({4}); }},
  {"FloatAndInt",      __LINE__, "DTypeError", "T-D012", {"f32[4]", "i32[4]"}, [] { f({4}) & i({4}); }},
  {"IntOrFraction",    __LINE__, "DTypeError", "T-D012", {"i32[4]", "number 0.5"}, [] { i({4}) | 0.5; }},
  {"InvertFloat",      __LINE__, "DTypeError", "T-D012", {"f32[4]"}, [] { ~f({4}); }},
  {"NotOfFloat",       __LINE__, "DTypeError", "T-D013", {"f32[4]", "x != 0"}, [] { !f({4}); }},
  {"LogicOfInts",      __LINE__, "DTypeError", "T-D013", {"i32[4]", "rhs"}, [] { b({4}) && i({4}); }},
};

const Mistake structure[] = {
  {"ReshapeCount",     __LINE__, "ShapeError", "T-S015", {"[3, 5]", "f32[4, 4]", "16"}, [] { reshape(f({4, 4}), {3, 5}); }},
  {"ReshapeTwoFree",   __LINE__, "ShapeError", "T-S016", {"[-1, -1]", "f32[4, 4]"}, [] { reshape(f({4, 4}), {-1, -1}); }},
  {"ReshapeDivide",    __LINE__, "ShapeError", "T-S016", {"[-1, 3]", "f32[4, 4]"}, [] { reshape(f({4, 4}), {-1, 3}); }},
  {"ReshapeNegative",  __LINE__, "ShapeError", "T-S011", {"[-2, 8]"}, [] { reshape(f({4, 4}), {-2, 8}); }},
  {"FlattenOrder",     __LINE__, "ValueError", "T-V030", {"f32[2, 3, 4]", "start 2"}, [] { flatten(f({2, 3, 4}), 2, 1); }},
  {"Stretch",          __LINE__, "ShapeError", "T-S013", {"[4, 2]", "f32[3]"}, [] { broadcast_to(f({3}), {4, 2}); }},
  {"StretchToLess",    __LINE__, "ShapeError", "T-S013", {"[3]", "f32[1, 3]"}, [] { broadcast_to(f({1, 3}), {3}); }},
  {"PlaceExtent",      __LINE__, "ShapeError", "T-S014", {"f32[3]", "[4, 2]", "3 vs 4"}, [] { broadcast_in_dim(f({3}), {4, 2}, {0}); }},
  {"PlaceDescending",  __LINE__, "ValueError", "T-V011", {"f32[2, 3]", "[1, 0]"}, [] { broadcast_in_dim(f({2, 3}), {3, 2}, {1, 0}); }},
  {"PlaceCount",       __LINE__, "ValueError", "T-V013", {"f32[2, 3]"}, [] { broadcast_in_dim(f({2, 3}), {2, 3}, {1}); }},
  {"SqueezeExtent",    __LINE__, "ShapeError", "T-S017", {"f32[4, 2]", "dim 1"}, [] { squeeze(f({4, 2}), -1); }},
  {"UnsqueezeDim",     __LINE__, "ValueError", "T-V010", {"f32[4, 2]", "dim 3"}, [] { unsqueeze(f({4, 2}), 3); }},
  {"PermuteCount",     __LINE__, "ValueError", "T-V013", {"f32[4, 2]", "3"}, [] { permute(f({4, 2}), {0, 1, 2}); }},
  {"PermuteTwice",     __LINE__, "ValueError", "T-V011", {"f32[4, 2]", "[1, -1]"}, [] { permute(f({4, 2}), {1, -1}); }},
  {"TransposeVector",  __LINE__, "ValueError", "T-V010", {"f32[4]", "dim -2"}, [] { transpose(f({4})); }},
  {"SliceStop",        __LINE__, "ValueError", "T-V014", {"f32[4, 2]", "[0, 5)"}, [] { slice(f({4, 2}), 0, {0, 5}); }},
  {"SliceStart",       __LINE__, "ValueError", "T-V014", {"f32[4, 2]", "[-5, end)"}, [] { slice(f({4, 2}), 0, {-5}); }},
  {"SliceOrder",       __LINE__, "ValueError", "T-V014", {"f32[4]", "[3, 1)"}, [] { slice(f({4}), 0, {3, 1}); }},
  {"SliceStep",        __LINE__, "ValueError", "T-V015", {"f32[4]", "reverse()"}, [] { slice(f({4}), 0, {0, 4, -1}); }},
  {"SliceCount",       __LINE__, "ValueError", "T-V013", {"f32[4]", "2"}, [] { slice(f({4}), {{0, 1}, {0, 1}}); }},
  {"SelectIndex",      __LINE__, "ValueError", "T-V016", {"f32[4, 2]", "index 2"}, [] { select(f({4, 2}), 1, 2); }},
  {"SplitUneven",      __LINE__, "ShapeError", "T-S018", {"f32[10, 2]", "3"}, [] { split(f({10, 2}), 3, 0); }},
  {"SplitNone",        __LINE__, "ValueError", "T-V017", {"f32[10]", "0"}, [] { split(f({10}), 0, 0); }},
  {"SetExtent",        __LINE__, "ShapeError", "T-S013", {"f32[3]", "[2]"}, [] { set(f({4}), {{0, 2}}, f({3})); }},
  {"SetType",          __LINE__, "DTypeError", "T-D017", {"i32[4]", "f32[2]"}, [] { set(i({4}), {{0, 2}}, f({2})); }},
  {"SetFraction",      __LINE__, "ValueError", "T-V012", {"0.5", "i32"}, [] { set(i({4}), {{0, 2}}, 0.5); }},
  {"PadCount",         __LINE__, "ValueError", "T-V013", {"f32[4, 2]", "1"}, [] { pad(f({4, 2}), {{1, 1}}); }},
  {"PadNegative",      __LINE__, "ValueError", "T-V018", {"f32[4]", "-1"}, [] { pad(f({4}), {{-1, 0}}); }},
  {"ConcatNothing",    __LINE__, "ValueError", "T-V019", {"no tensors"}, [] { concat({}, 0); }},
  {"ConcatRanks",      __LINE__, "ShapeError", "T-S019", {"f32[4, 2]", "f32[2]"}, [] { concat({f({4, 2}), f({2})}, 0); }},
  {"ConcatExtents",    __LINE__, "ShapeError", "T-S020", {"f32[4, 2]", "f32[4, 3]", "#2"}, [] { concat({f({4, 2}), f({1, 2}), f({4, 3})}, 0); }},
  {"ConcatF8",         __LINE__, "DTypeError", "T-D010", {"f32[4]", "f8e4m3[4]"}, [] { concat({f({4}), f8({4})}, 0); }},
  {"StackShapes",      __LINE__, "ShapeError", "T-S020", {"f32[4, 2]", "f32[4]"}, [] { stack({f({4, 2}), f({4})}, 0); }},
  {"ReverseTwice",     __LINE__, "ValueError", "T-V011", {"f32[4, 2]"}, [] { reverse(f({4, 2}), {0, 0}); }},
  {"TileCount",        __LINE__, "ValueError", "T-V013", {"f32[4, 2]"}, [] { tile(f({4, 2}), {2}); }},
};

const Mistake indexing[] = {
  {"FloatIndices",     __LINE__, "DTypeError", "T-D016", {"f32[3]", "i32 or i64"}, [] { gather(f({4, 2}), f({3})); }},
  {"MaskAsIndices",    __LINE__, "DTypeError", "T-D016", {"bool[4]", "where()"}, [] { gather(f({4, 2}), b({4})); }},
  {"FractionAsIndex",  __LINE__, "DTypeError", "T-D016", {"f32[4, 2]", "1.5"}, [] { gather(f({4, 2}), 1.5); }},
  {"NumberAsIndex",    __LINE__, "ValueError", "T-V016", {"f32[4, 2]", "index 4"}, [] { gather(f({4, 2}), 4); }},
  {"TakeRank",         __LINE__, "ShapeError", "T-S021", {"f32[4, 2]", "i32[4]", "unsqueeze()"}, [] { take_along(f({4, 2}), i({4}), 1); }},
  {"TakeExtent",       __LINE__, "ShapeError", "T-S021", {"f32[4, 2]", "i32[5, 1]"}, [] { take_along(f({4, 2}), i({5, 1}), 1); }},
  {"ScatterUpdates",   __LINE__, "ShapeError", "T-S022", {"f32[4, 2]", "f32[3]", "[3, 2]"}, [] { scatter(f({4, 2}), i({3}), f({3}), 0, ScatterMode::add); }},
  {"ScatterType",      __LINE__, "DTypeError", "T-D017", {"i32[4]", "f32[3]"}, [] { scatter(i({4}), i({3}), f({3}), 0, ScatterMode::set); }},
  {"ScatterAddMask",   __LINE__, "DTypeError", "T-D011", {"bool[4]"}, [] { scatter(b({4}), i({3}), b({3}), 0, ScatterMode::add); }},
  {"GatherOfNothing",  __LINE__, "ValueError", "T-V031", {"f32[0, 4]", "i32[3]", "dim 0"}, [] { gather(f({0, 4}), i({3})); }},
  {"TakeOfNothing",    __LINE__, "ValueError", "T-V031", {"f32[4, 0]", "i32[4, 3]", "dim 1"}, [] { take_along(f({4, 0}), i({4, 3}), 1); }},
  {"ScatterIntoNone",  __LINE__, "ValueError", "T-V031", {"f32[0, 4]", "i32[3]", "give base"}, [] { scatter(f({0, 4}), i({3}), f({3, 4}), 0, ScatterMode::add); }},
  {"StartCount",       __LINE__, "ValueError", "T-V013", {"f32[4, 2]"}, [] { dynamic_slice(f({4, 2}), {at(0)}, {2, 2}); }},
  {"StartRank",        __LINE__, "ShapeError", "T-S023", {"f32[4]", "i32[1]"}, [] { dynamic_slice(f({4}), {i({1})}, {2}); }},
  {"StartFloat",       __LINE__, "DTypeError", "T-D016", {"f32[]"}, [] { dynamic_slice(f({4}), {f({})}, {2}); }},
  {"CutTooLarge",      __LINE__, "ShapeError", "T-S024", {"f32[4]", "[5]"}, [] { dynamic_slice(f({4}), {at(0)}, {5}); }},
  {"UpdateTooLarge",   __LINE__, "ShapeError", "T-S024", {"f32[4]", "f32[5]"}, [] { dynamic_update_slice(f({4}), f({5}), {at(0)}); }},
  {"OneHotFloat",      __LINE__, "DTypeError", "T-D016", {"f32[4]"}, [] { one_hot(f({4}), 10); }},
  {"OneHotClasses",    __LINE__, "ValueError", "T-V029", {"-1"}, [] { one_hot(i({4}), -1); }},
};

const Mistake reductions[] = {
  {"SumDim",           __LINE__, "ValueError", "T-V010", {"f32[4, 2]", "dim 2"}, [] { sum(f({4, 2}), {2}); }},
  {"SumTwice",         __LINE__, "ValueError", "T-V011", {"f32[4, 2]", "[0, -2]"}, [] { sum(f({4, 2}), {0, -2}); }},
  {"MaxOfNothing",     __LINE__, "ValueError", "T-V026", {"f32[4, 0]"}, [] { max(f({4, 0}), {1}); }},
  {"ArgmaxOfNothing",  __LINE__, "ValueError", "T-V026", {"f32[0]"}, [] { argmax(f({0}), 0); }},
  {"SumF8",            __LINE__, "DTypeError", "T-D010", {"f8e4m3[4]"}, [] { sum(f8({4})); }},
  {"SoftmaxDim",       __LINE__, "ValueError", "T-V010", {"f32[4]", "dim 1"}, [] { softmax(f({4}), 1); }},
  {"CumsumScalar",     __LINE__, "ValueError", "T-V010", {"f32[]", "scalar"}, [] { cumsum(f({}), 0); }},
  {"TopkTooMany",      __LINE__, "ValueError", "T-V021", {"f32[4, 3]", "5"}, [] { topk(f({4, 3}), 5); }},
};

const Mistake contractions[] = {
  {"MatmulInner",      __LINE__, "ShapeError", "T-S012", {"512 vs 768", "f32[8, 512]", "f32[768, 2048]"}, [] { matmul(f({8, 512}), f({768, 2048})); }},
  {"MatmulOther",      __LINE__, "ShapeError", "T-S012", {"f32[8, 512]", "f32[64, 512]", "transpose(b)"}, [] { matmul(f({8, 512}), f({64, 512})); }},
  {"MatmulVector",     __LINE__, "ShapeError", "T-S012", {"f32[8]", "f32[4]", "8 vs 4"}, [] { matmul(f({8}), f({4})); }},
  {"MatmulScalar",     __LINE__, "ShapeError", "T-S026", {"f32[8, 4]", "i32[]"}, [] { matmul(f({8, 4}), 2); }},
  {"MatmulLeading",    __LINE__, "ShapeError", "T-S027", {"f32[2, 8, 4]", "f32[3, 4, 8]"}, [] { matmul(f({2, 8, 4}), f({3, 4, 8})); }},
  {"EinsumText",       __LINE__, "ValueError", "T-V022", {"'ij,jk'", "f32[2, 3]", "f32[3, 2]"}, [] { einsum("ij,jk", f({2, 3}), f({3, 2})); }},
  {"EinsumRank",       __LINE__, "ShapeError", "T-S028", {"'ijk'", "f32[2, 3]"}, [] { einsum("ijk,jk->i", f({2, 3}), f({3, 2})); }},
  {"EinsumExtent",     __LINE__, "ShapeError", "T-S029", {"'j' is 3 in lhs and 4 in rhs", "f32[2, 3]", "f32[4, 2]"}, [] { einsum("ij,jk->ik", f({2, 3}), f({4, 2})); }},
  {"EinsumTwice",      __LINE__, "ValueError", "T-V023", {"'i' twice in 'ii'", "f32[3, 3]", "f32[3]"}, [] { einsum("ii,i->i", f({3, 3}), f({3})); }},
  {"EinsumUnknown",    __LINE__, "ShapeError", "T-S030", {"'l'", "f32[2, 3]", "f32[3, 2]"}, [] { einsum("ij,jk->il", f({2, 3}), f({3, 2})); }},
  {"ConvChannels",     __LINE__, "ShapeError", "T-S029", {"'c' is 3 in lhs and 4 in rhs", "f32[1, 3, 8, 8]", "f32[16, 4, 3, 3]"}, [] { contract(f({1, 3, 8, 8}), f({16, 4, 3, 3}), nchw, conv); }},
  {"ConvKernel",       __LINE__, "ShapeError", "T-S031", {"f32[1, 3, 2, 2]", "f32[16, 3, 3, 3]", "pad"}, [] { contract(f({1, 3, 2, 2}), f({16, 3, 3, 3}), nchw, conv); }},
  {"ConvLetter",       __LINE__, "ValueError", "T-V024", {"'z'", "f32[4]", "f32[3]"}, [] { contract(f({4}), f({3}), "h,r->p", {{'h', 'p', 'z'}}); }},
  {"ConvTwice",        __LINE__, "ValueError", "T-V024", {"'h' twice", "f32[4]", "f32[3]"}, [] { contract(f({4}), f({3}), "h,r->p", {{'h', 'p', 'r'}, {'h', 'p', 'r'}}); }},
  {"ConvStride",       __LINE__, "ValueError", "T-V025", {"stride 0", "f32[4]", "f32[3]"}, [] { contract(f({4}), f({3}), "h,r->p", {{'h', 'p', 'r', 0}}); }},
  {"ConvGradient",     __LINE__, "ShapeError", "T-S030", {"'h'", "f32[4]", "f32[3]", "{{'h', 9}}"}, [] { contract(f({4}), f({3}), "p,r->h", {{'h', 'p', 'r', 2}}); }},
  {"ContractF8",       __LINE__, "DTypeError", "T-D010", {"f8e4m3[2, 3]", "f32[3, 2]"}, [] { matmul(f8({2, 3}), f({3, 2})); }},
  {"ContractMasks",    __LINE__, "DTypeError", "T-D018", {"bool[2, 3]", "bool[3, 2]"}, [] { matmul(b({2, 3}), b({3, 2})); }},
  {"WindowTooLarge",   __LINE__, "ShapeError", "T-S032", {"f32[1, 2]", "pad()"}, [] { window(f({1, 2}), {.dims = {1}, .size = {3}}); }},
  {"WindowCount",      __LINE__, "ValueError", "T-V013", {"f32[4, 4]"}, [] { window(f({4, 4}), {.dims = {0, 1}, .size = {3}}); }},
  {"FoldShape",        __LINE__, "ShapeError", "T-S033", {"f32[4, 3]", "[2, 3]"}, [] { fold(f({4, 3}), {4}, {.dims = {0}, .size = {3}}); }},
};

const Mistake values[] = {
  {"AssignShape",      __LINE__, "ShapeError", "T-S004", {"[4]", "f32[5]", "'w'"}, [] { State w("w", f({4})); w.assign(f({5})); }},
  {"AssignType",       __LINE__, "DTypeError", "T-D002", {"i32[4]", "'w'"}, [] { State w("w", f({4})); w.assign(i({4})); }},
  {"ItemOfMany",       __LINE__, "ShapeError", "T-S001", {"f32[4]"}, [] { f({4}).item<float>(); }},
  {"ReadInTrace",      __LINE__, "TraceError", "T-T001", {"f32[4]"}, [] { compile([](Tensor x) { (x + 1).to_vector<float>(); return x; })(f({4})); }},
  {"BranchInTrace",    __LINE__, "TraceError", "T-T001", {"bool[]", "where()"}, [] { compile([](Tensor x) { return (sum(x) > 0).item<uint8_t>() ? x : -x; })(f({4})); }},
  {"CompileInCompile", __LINE__, "TraceError", "T-T003", {}, [] { compile([](Tensor x) { return compile([](Tensor y) { return y; })(x); })(f({4})); }},
  {"PrintInTrace",     __LINE__, "TraceError", "T-T001", {"f32[4]"}, [] { std::ostringstream out; compile([&](Tensor x) { out << x; return x; })(f({4})); }},
  {"SeedInCompile",    __LINE__, "TraceError", "T-T004", {}, [] { compile([](Tensor x) { seed(1); return x; })(f({4})); }},
  {"LeftTheTrace",     __LINE__, "TraceError", "T-T002", {"f32[4]"}, [] { Tensor t; compile([&](Tensor x) { t = x + 1; return x; })(f({4})); t.eval(); }},
  {"ReadEmpty",        __LINE__, "ValueError", "T-V002", {"empty"}, [] { Tensor().to_vector<float>(); }},
  {"ItemOfEmpty",      __LINE__, "ValueError", "T-V002", {"empty"}, [] { Tensor().item<float>(); }},
  {"NumberChanged",    __LINE__, "TraceError", "T-T005", {"constant"}, [] { double k = 1; auto step = compile([&](Tensor x) { return x * k++; }); step(f({4})); step(f({4})); }},
  {"LoopChanged",      __LINE__, "TraceError", "T-T005", {"no more", "mul"}, [] { int n = 0; auto step = compile([&](Tensor x) { for (int k = 0; k < n; ++k) x = x * x; ++n; return x; }); step(f({4})); step(f({4})); }},
  {"MemberChanged",    __LINE__, "TraceError", "T-T007", {"into a State", "f32[4]"}, [] { Tensor sum = f({4}); auto step = compile([&](Tensor x) { sum = sum + x; return sum; }); step(f({4})); step(f({4})); }},
  {"MemberReturned",   __LINE__, "TraceError", "T-T007", {"into a State", "argument 0"}, [] { Tensor last = f({4}); auto step = compile([&](Tensor x) { Tensor was = last; last = x; return was; }); step(f({4})); step(f({4})); }},
  {"CounterChanged",   __LINE__, "TraceError", "T-T007", {"result of add", "into a State"}, [] { Tensor n = f({4}); auto step = compile([&](Tensor x) { n = n + 1; return x * n; }); step(f({4})); step(f({4})); }},
  {"StateChanged",     __LINE__, "TraceError", "T-T006", {"other States", "host state"}, [] { State a("a", f({4})), b("b", f({4})); int n = 0; auto step = compile([&](Tensor x) { (n++ ? a : b).assign(x); }); step(f({4})); step(f({4})); }},
  {"ResultChanged",    __LINE__, "TraceError", "T-T005", {"constant", "value = 1", "value = 2"}, [] { float k = 0; auto step = compile([&](Tensor) { return ++k; }); step(f({4})); step(f({4})); }},
  {"PrecisionName",    __LINE__, "ValueError", "T-V145", {"'bf16'", "f32, tf32 or bf16_mixed"}, [] { compile([](Tensor x) { return x; }, {.precision = "bf16"}); }},
  {"PrecisionResidual",__LINE__, "ValueError", "T-V146", {"f16"}, [] { compile([](Tensor x) { return x; }, {.precision = precision::bf16_mixed({.residual = f16})}); }},
  {"PrecisionStrict",  __LINE__, "ValueError", "T-V147", {"tf32"}, [] { compile([](Tensor x) { return x; }, {.strict = true, .precision = "tf32"}); }},
  {"IndexInRun",       __LINE__, "ValueError", "T-V040", {"4"}, [] { gather(f({4, 2}), i({3}) + 4).to_vector<float>(); }},
};
// clang-format on

INSTANTIATE_TEST_SUITE_P(Arguments, Mistakes, ::testing::ValuesIn(arguments), name_of);
INSTANTIATE_TEST_SUITE_P(Elementwise, Mistakes, ::testing::ValuesIn(elementwise), name_of);
INSTANTIATE_TEST_SUITE_P(Structure, Mistakes, ::testing::ValuesIn(structure), name_of);
INSTANTIATE_TEST_SUITE_P(Indexing, Mistakes, ::testing::ValuesIn(indexing), name_of);
INSTANTIATE_TEST_SUITE_P(Reductions, Mistakes, ::testing::ValuesIn(reductions), name_of);
INSTANTIATE_TEST_SUITE_P(Contractions, Mistakes, ::testing::ValuesIn(contractions), name_of);
INSTANTIATE_TEST_SUITE_P(Values, Mistakes, ::testing::ValuesIn(values), name_of);

TEST(MistakesInModules, NameThePathAndTheParameter) {
  const State weight("layers.0.up.weight", f({768, 2048}));
  std::string what;
  {
    ScopeGuard model("model", Loc::here());
    ScopeGuard layer("layers.0", Loc::here());
    try {
      matmul(f({8, 512}), weight.value());
    } catch (const ShapeError& error) {
      what = error.what();
    }
  }
  EXPECT_NE(what.find(" in model.layers.0\n"), std::string::npos) << what;
}

TEST(MistakesInModules, RecordedParametersShowTheirName) {
  const State weight("layers.0.up.weight", f({768, 2048}));
  try {
    compile([&](Tensor x) { return matmul(x, weight); })(f({8, 512}));
    FAIL();
  } catch (const ShapeError& error) {
    EXPECT_EQ(error.text().operands.at(1).second, "f32[768, 2048] layers.0.up.weight");
  }
}

}  // namespace
}  // namespace tessera::testing
