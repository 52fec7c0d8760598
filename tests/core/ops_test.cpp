// What ops infer: dtypes, shapes and the nodes they insert. The values of composed ops are read on the default executor.
#include <cmath>
#include <limits>

#include <gmock/gmock.h>

#include <tessera/core/error.h>
#include <tessera/core/ops.h>
#include <tessera/core/random.h>

namespace tessera {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

Tensor of(DType dtype, Shape shape) { return zeros(std::move(shape), dtype); }
Tensor f(Shape shape) { return of(f32, std::move(shape)); }
std::string type(const Tensor& t) { return type_str(*t.node()); }
const Node& operand(const Tensor& t, size_t i) { return *t.node()->inputs[i]; }
template <class A> const A& attrs(const Tensor& t) { return std::get<A>(t.node()->attrs); }
// 0, 1, 2, … as data, so that no op simplifies it.
Tensor counting(Shape shape, DType dtype = f32) {
  std::vector<double> data(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<double>(i);
  return cast(tensor(data, shape), dtype);
}
std::vector<int64_t> values(const Tensor& t) { return t.to_vector<int64_t>(); }

// ---- sources ----

// What a draw is made of are several ops, all of them where the user asked for it.
TEST(Sources, DrawsAreAtTheCaller) {
  seed(3);
  const Loc here = Loc::here();
  std::vector<Tensor> draws = {uniform({2}, -1, 1), normal({2}), normal({2}, 1, 2), bernoulli({2}, 0.5),
                               randint({2}, 0, 9)};
  std::vector<const Node*> left;
  for (const Tensor& draw : draws) left.push_back(draw.node().get());
  while (!left.empty()) {
    const Node& node = *left.back();
    left.pop_back();
    if (node.op == Op::Random) continue;  // what it reads is the generator's
    EXPECT_EQ(std::string(node.at.file), here.file) << name(node.op) << " at line " << node.at.line;
    for (const NodePtr& input : node.inputs) left.push_back(input.get());
  }
}

TEST(Sources, DTypeAndShape) {
  EXPECT_EQ(type(zeros({2, 3})), "f32[2, 3]");
  EXPECT_EQ(type(full({2}, 7, i64)), "i64[2]");
  EXPECT_EQ(type(scalar(true, boolean)), "bool[]");
  EXPECT_EQ(type(ones_like(of(bf16, {4}))), "bf16[4]");
  EXPECT_EQ(type(full_like(of(i8, {4}), 3)), "i8[4]");
  EXPECT_EQ(type(iota({2, 3}, -1, f16)), "f16[2, 3]");
  EXPECT_EQ(type(arange(5)), "i32[5]");
  EXPECT_EQ(type(eye(3, boolean)), "bool[3, 3]");
  EXPECT_EQ(type(zeros({})), "f32[]");
  EXPECT_EQ(type(zeros({0, 3})), "f32[0, 3]");
}

TEST(Sources, ConstantsOfOneValueHaveOneSpelling) {
  EXPECT_EQ(attrs<ConstantAttrs>(full({2}, 3)).value, Number(3.0));
  EXPECT_EQ(attrs<ConstantAttrs>(full({2}, 3.0, i32)).value, Number(int64_t{3}));
}

TEST(Sources, Eye) { EXPECT_THAT(values(eye(2)), ElementsAre(1, 0, 0, 1)); }

// ---- dtypes ----

TEST(Promotion, TensorsMeet) {
  EXPECT_EQ(type(of(bf16, {2}) + of(bf16, {2})), "bf16[2]");
  EXPECT_EQ(type(of(bf16, {2}) + of(f16, {2})), "f32[2]");
  EXPECT_EQ(type(of(bf16, {2}) + of(f32, {2})), "f32[2]");
  EXPECT_EQ(type(of(i64, {2}) * of(f16, {2})), "f16[2]");
  EXPECT_EQ(type(of(boolean, {2}) * of(i8, {2})), "i8[2]");
  EXPECT_EQ(type(of(u32, {2}) * of(i32, {2})), "i64[2]");
  EXPECT_EQ(type(of(f32, {2}) < of(i64, {2})), "bool[2]");
  EXPECT_EQ(type(of(i32, {2}) & of(u8, {2})), "i32[2]");
}

TEST(Promotion, CastsAreNodes) {
  Tensor sum = of(bf16, {2}) + of(f32, {2});
  EXPECT_EQ(operand(sum, 0).op, Op::Cast);
  EXPECT_EQ(operand(sum, 0).dtype, f32);
  EXPECT_EQ(operand(sum, 1).op, Op::Constant);
}

TEST(Promotion, NumbersAreWeak) {
  EXPECT_EQ(type(of(bf16, {2}) * 2.5), "bf16[2]");
  EXPECT_EQ(type(2 * of(f16, {2})), "f16[2]");
  EXPECT_EQ(type(of(f64, {2}) + 1.0f), "f64[2]");
  EXPECT_EQ(type(of(u8, {2}) + 1), "u8[2]");
  EXPECT_EQ(type(of(i64, {2}) + 0.5), "f32[2]");
  EXPECT_EQ(type(of(boolean, {2}) * 0.5), "f32[2]");
  EXPECT_EQ(type(of(boolean, {2}) + 1), "i32[2]");
  EXPECT_EQ(type(where(of(boolean, {2}), of(i32, {2}), 0)), "i32[2]");
  EXPECT_EQ(type(where(of(boolean, {2}), of(i32, {2}), 0.5)), "f32[2]");
}

TEST(Promotion, BoolsStayBoolWhereABoolIsMeant) {
  EXPECT_EQ(type(of(boolean, {2}) & true), "bool[2]");
  EXPECT_EQ(type(of(boolean, {2}) & 2), "i32[2]");
  EXPECT_EQ(type(of(boolean, {2}) == true), "bool[2]");
  EXPECT_EQ(type(where(of(boolean, {2}), of(boolean, {2}), false)), "bool[2]");
  EXPECT_EQ(type(!of(boolean, {2})), "bool[2]");
  EXPECT_EQ(type(~of(i16, {2})), "i16[2]");
  EXPECT_EQ(type(of(boolean, {2}) && (of(f32, {3, 1}) > 0)), "bool[3, 2]");
}

TEST(Promotion, NumbersAlone) {
  EXPECT_EQ(type(exp(1)), "f32[]");
  EXPECT_EQ(type(maximum(1, 2)), "i32[]");
  EXPECT_EQ(type(maximum(1, int64_t{1} << 40)), "i64[]");
  EXPECT_EQ(type(maximum(1, 2.0)), "f32[]");
}

TEST(Promotion, FloatOpsTakeIntegers) {
  EXPECT_EQ(type(of(i32, {2}) / of(i32, {2})), "f32[2]");
  EXPECT_EQ(type(sqrt(of(u8, {2}))), "f32[2]");
  EXPECT_EQ(type(sigmoid(of(boolean, {2}))), "f32[2]");
  EXPECT_EQ(type(pow(of(i64, {2}), 2)), "f32[2]");
  EXPECT_EQ(type(floor_divide(of(i32, {2}), 2)), "i32[2]");
  EXPECT_EQ(type(is_finite(of(i32, {2}))), "bool[2]");
  EXPECT_EQ(type(softmax(of(i32, {2}), 0)), "f32[2]");
  EXPECT_EQ(type(variance(of(bf16, {2, 3}), {0})), "bf16[3]");
}

TEST(Promotion, SumsOfNarrowIntegersAreI32) {
  EXPECT_EQ(type(sum(of(u8, {4}))), "i32[]");
  EXPECT_EQ(type(sum(of(boolean, {4}))), "i32[]");
  EXPECT_EQ(type(prod(of(i16, {4}))), "i32[]");
  EXPECT_EQ(type(cumsum(of(boolean, {4}), 0)), "i32[4]");
  EXPECT_EQ(type(sum(of(u32, {4}))), "u32[]");
  EXPECT_EQ(type(sum(of(bf16, {4}))), "bf16[]");
  EXPECT_EQ(type(max(of(u8, {4}))), "u8[]");
  EXPECT_EQ(type(mean(of(i32, {4}))), "f32[]");
}

TEST(Promotion, StorageTypesMoveButDoNotCompute) {
  Tensor x = of(f8e4m3, {4, 2});
  EXPECT_EQ(type(reshape(x, {8})), "f8e4m3[8]");
  EXPECT_EQ(type(where(of(boolean, {2}), x, x)), "f8e4m3[4, 2]");
  EXPECT_EQ(type(concat({x, x}, 0)), "f8e4m3[8, 2]");
  EXPECT_EQ(type(cast(x, bf16)), "bf16[4, 2]");
}

// ---- elementwise ----

TEST(Elementwise, BroadcastsAreNodes) {
  Tensor sum = f({8, 1, 6}) + exp(f({7, 1}));
  EXPECT_EQ(type(sum), "f32[8, 7, 6]");
  EXPECT_EQ(operand(sum, 0).op, Op::Broadcast);  // also of zeros, which somebody may hold
  EXPECT_EQ(operand(sum, 1).op, Op::Broadcast);
  EXPECT_THAT(std::get<DimsAttrs>(operand(sum, 1).attrs).dims, ElementsAre(1, 2));
  for (const NodePtr& input : sum.node()->inputs) EXPECT_EQ(input->shape, sum.shape());
}

TEST(Elementwise, NumbersHaveTheFullShape) {
  Tensor scaled = exp(f({2, 3})) * 2;
  EXPECT_EQ(operand(scaled, 1).op, Op::Constant);
  EXPECT_EQ(operand(scaled, 1).shape, Shape({2, 3}));
}

TEST(Elementwise, EmptyTensorsBroadcast) { EXPECT_EQ(type(f({0, 3}) + f({1, 3})), "f32[0, 3]"); }

TEST(Elementwise, RecordsTheCallersLine) {
  const uint32_t line = __LINE__ + 1;
  Tensor sum = f({2}) + 1, root = sqrt(sum);
  EXPECT_EQ(sum.node()->at.line, line);
  EXPECT_EQ(root.node()->at.line, line);
  EXPECT_STREQ(root.node()->at.file, __FILE__);
}

TEST(Elementwise, Clamp) {
  EXPECT_THAT(values(clamp(counting({5}, i32), 1, 3)), ElementsAre(1, 1, 2, 3, 3));
  EXPECT_EQ(type(clamp(of(i32, {5}), 0, 1.5)), "f32[5]");
}

// ---- structure ----

TEST(Structure, NothingToDoIsNoNode) {
  Tensor x = counting({2, 3});
  EXPECT_EQ(reshape(x, {2, -1}).node(), x.node());
  EXPECT_EQ(broadcast_to(x, {2, 3}).node(), x.node());
  EXPECT_EQ(permute(x, {0, -1}).node(), x.node());
  EXPECT_EQ(slice(x, {{}, {0, 3}}).node(), x.node());
  EXPECT_EQ(pad(x, {{}, {}}).node(), x.node());
  EXPECT_EQ(concat({x}, 0).node(), x.node());
  EXPECT_EQ(cast(x, f32).node(), x.node());
  EXPECT_EQ(tile(x, {1, 1}).node(), x.node());
  EXPECT_EQ(reverse(x, {}).node(), x.node());
  EXPECT_EQ(sum(scalar(1)).node()->op, Op::Constant);
}

TEST(Structure, Shapes) {
  Tensor x = f({2, 3, 4});
  EXPECT_EQ(type(reshape(x, {-1, 6})), "f32[4, 6]");
  EXPECT_EQ(type(reshape(f({0, 3}), {0, 5})), "f32[0, 5]");
  EXPECT_EQ(type(flatten(x)), "f32[24]");
  EXPECT_EQ(type(flatten(x, 1)), "f32[2, 12]");
  EXPECT_EQ(type(flatten(x, 0, -2)), "f32[6, 4]");
  EXPECT_EQ(type(flatten(scalar(1))), "f32[1]");
  EXPECT_EQ(type(unsqueeze(x, -1)), "f32[2, 3, 4, 1]");
  EXPECT_EQ(type(unsqueeze(x, 0)), "f32[1, 2, 3, 4]");
  EXPECT_EQ(type(squeeze(unsqueeze(x, 1), -3)), "f32[2, 3, 4]");
  EXPECT_EQ(type(permute(x, {2, 0, -2})), "f32[4, 2, 3]");
  EXPECT_EQ(type(transpose(x)), "f32[2, 4, 3]");
  EXPECT_EQ(type(transpose(x, 0, -1)), "f32[4, 3, 2]");
  EXPECT_EQ(type(broadcast_to(f({3, 1}), {2, 3, 4})), "f32[2, 3, 4]");
  EXPECT_EQ(type(broadcast_in_dim(f({3}), {2, 3, 4}, {1})), "f32[2, 3, 4]");
  EXPECT_EQ(type(pad(x, {{1, 2}, {}, {0, 0, 1}})), "f32[5, 3, 7]");
  EXPECT_EQ(type(concat({x, f({2, 1, 4})}, -2)), "f32[2, 4, 4]");
  EXPECT_EQ(type(concat({f({2}), of(i32, {3})}, 0)), "f32[5]");
  EXPECT_EQ(type(stack({x, x}, -1)), "f32[2, 3, 4, 2]");
  EXPECT_EQ(type(tile(x, {2, 1, 0})), "f32[4, 3, 0]");
  EXPECT_EQ(type(reverse(x, {-1})), "f32[2, 3, 4]");
}

TEST(Structure, SlicesCountFromBothEnds) {
  Tensor x = counting({6}, i32);
  EXPECT_THAT(values(slice(x, 0, {1, 4})), ElementsAre(1, 2, 3));
  EXPECT_THAT(values(slice(x, 0, {-2})), ElementsAre(4, 5));
  EXPECT_THAT(values(slice(x, -1, {0, -1, 2})), ElementsAre(0, 2, 4));
  EXPECT_EQ(type(slice(x, 0, {3, 3})), "i32[0]");
  EXPECT_THAT(values(select(counting({2, 3}, i32), 1, -1)), ElementsAre(2, 5));
  EXPECT_EQ(type(slice(f({2, 3, 4}), {{1}, {0, 2}})), "f32[1, 2, 4]");
}

TEST(Structure, Split) {
  std::vector<Tensor> parts = split(counting({2, 4}, i32), 2, -1);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_THAT(values(parts[1]), ElementsAre(2, 3, 6, 7));
}

TEST(Structure, TileRepeatsEachDim) {
  EXPECT_THAT(values(tile(counting({2, 2}, i32), {2, 2})), ElementsAre(0, 1, 0, 1, 2, 3, 2, 3, 0, 1, 0, 1, 2, 3, 2, 3));
}

TEST(Structure, StackMakesANewDim) {
  EXPECT_THAT(values(stack({counting({2}, i32), ones({2}, i32)}, 1)), ElementsAre(0, 1, 1, 1));
}

TEST(Structure, SetReplacesASlice) {
  Tensor x = counting({2, 4}, i32);
  Tensor block = set(x, {{1}, {1, 3}}, 9);
  EXPECT_EQ(block.node()->op, Op::DynamicUpdateSlice);
  EXPECT_THAT(values(block), ElementsAre(0, 1, 2, 3, 4, 9, 9, 7));
  EXPECT_THAT(values(set(x, {{}, {1, 4, 2}}, counting({2, 1}, i32))), ElementsAre(0, 0, 2, 0, 4, 1, 6, 1));
  EXPECT_THAT(values(set(x, {}, 1)), ElementsAre(1, 1, 1, 1, 1, 1, 1, 1));
  EXPECT_EQ(set(x, {{1, 1}}, 5).node(), x.node());
  EXPECT_EQ(type(set(of(f32, {4}), {{0, 2}}, of(bf16, {2}))), "f32[4]");
}

// ---- indexing ----

TEST(Indexing, GatherReplacesTheDim) {
  EXPECT_EQ(type(gather(f({5, 6, 7}), of(i32, {2, 3}), 1)), "f32[5, 2, 3, 7]");
  EXPECT_EQ(type(gather(f({5, 6}), of(i64, {}), -1)), "f32[5]");
  EXPECT_THAT(values(gather(counting({3, 2}, i32), tensor({2, 0}))), ElementsAre(4, 5, 0, 1));
  EXPECT_THAT(values(gather(counting({3, 2}, i32), -1)), ElementsAre(4, 5));
}

TEST(Indexing, TakeAlongEveryDim) {
  Tensor x = counting({2, 3}, i32);
  EXPECT_THAT(values(take_along(x, tensor<int32_t>({2, 0, 1, 1}, {2, 2}), 1)), ElementsAre(2, 0, 4, 4));
  EXPECT_THAT(values(take_along(x, tensor<int64_t>({1, 0, 1}, {1, 3}), 0)), ElementsAre(3, 1, 5));
  EXPECT_THAT(values(take_along(counting({3}, i32), tensor({2, 2, 0}), 0)), ElementsAre(2, 2, 0));
}

TEST(Indexing, TakeAlongDoesNotReadTheNeighbour) {
  EXPECT_THROW(values(take_along(counting({2, 3}), tensor<int32_t>({3, 0}, {2, 1}), 1)), ValueError);
  EXPECT_THROW(values(take_along(counting({2, 3}), tensor<int32_t>({0, -1}, {2, 1}), 1)), ValueError);
}

TEST(Indexing, ScatterCastsUpdates) {
  Tensor added = scatter(f({3, 2}), tensor({1, 1}), of(bf16, {2, 2}), 0, ScatterMode::add);
  EXPECT_EQ(type(added), "f32[3, 2]");
  EXPECT_EQ(operand(added, 2).dtype, f32);
  EXPECT_THAT(values(scatter(of(i32, {3}), tensor({2, 0, 2}), 1, 0, ScatterMode::add)), ElementsAre(1, 0, 2));
}

TEST(Indexing, DynamicSlices) {
  Tensor x = counting({4, 4}, i32), row = scalar(2, i32), column = scalar(3, i64);
  Tensor cut = dynamic_slice(x, {row, column}, {2, 2});  // the column is moved to fit
  EXPECT_EQ(operand(cut, 1).dtype, i64);
  EXPECT_THAT(values(cut), ElementsAre(10, 11, 14, 15));
  EXPECT_EQ(dynamic_slice(x, {row, column}, {4, 4}).node(), x.node());
  EXPECT_THAT(values(slice(dynamic_update_slice(x, ones({1, 2}, i32), {row, column}), 0, {2, 3})),
              ElementsAre(8, 9, 1, 1));
}

TEST(Indexing, OneHot) {
  EXPECT_EQ(type(one_hot(of(i64, {2, 3}), 5, bf16)), "bf16[2, 3, 5]");
  EXPECT_THAT(values(one_hot(tensor({1, 0}), 3)), ElementsAre(0, 1, 0, 1, 0, 0));
}

// ---- reductions and scans ----

TEST(Reductions, Shapes) {
  Tensor x = f({2, 3, 4});
  EXPECT_EQ(type(sum(x)), "f32[]");
  EXPECT_EQ(type(sum(x, {}, true)), "f32[1, 1, 1]");
  EXPECT_EQ(type(mean(x, {-1, 0})), "f32[3]");
  EXPECT_EQ(type(max(x, {1}, true)), "f32[2, 1, 4]");
  EXPECT_EQ(type(variance(x, {1, 2}, true)), "f32[2, 1, 1]");
  EXPECT_EQ(type(argmax(x, -1)), "i64[2, 3]");
  EXPECT_EQ(type(logsumexp(x, 1)), "f32[2, 4]");
  EXPECT_EQ(type(log_softmax(x, 1)), "f32[2, 3, 4]");
  EXPECT_EQ(type(any(x, {0})), "bool[3, 4]");
  EXPECT_EQ(type(argsort(x)), "i64[2, 3, 4]");
  EXPECT_THAT(attrs<ReduceAttrs>(sum(x, {-1, 0})).dims, ElementsAre(0, 2));
}

TEST(Reductions, OfNothing) {
  EXPECT_THAT(values(sum(f({0, 2}), {0})), ElementsAre(0, 0));
  EXPECT_EQ(prod(f({0})).item<float>(), 1);
  EXPECT_EQ(any(of(boolean, {0})).item<uint8_t>(), 0);
  EXPECT_EQ(all(of(boolean, {0})).item<uint8_t>(), 1);
  EXPECT_TRUE(std::isnan(mean(f({0})).item<float>()));
}

// The sum of these does not fit: f16 ends at 65504, bf16 has 8 bits.
TEST(Reductions, MeansOfNarrowFloatsAreSummedInF32) {
  for (DType dtype : {f16, bf16}) {
    Tensor x = cast(full({1000, 100}, 3.0), dtype);
    EXPECT_EQ(mean(x, {1}).dtype(), dtype);
    EXPECT_EQ(mean(x).item<float>(), 3);
    EXPECT_THAT(values(mean(x, {0}, true)), Each(3));
  }
}

TEST(Reductions, Truth) {
  Tensor x = tensor<float>({0, 2, 0, 0}, {2, 2});
  EXPECT_THAT(values(any(x, {1})), ElementsAre(1, 0));
  EXPECT_THAT(values(all(x, {0})), ElementsAre(0, 0));
  EXPECT_EQ(mean(x).item<float>(), 0.5f);
}

TEST(Reductions, LogSoftmaxIsNormalised) {
  const Tensor total = logsumexp(log_softmax(counting({2, 3}), 0), 0);
  for (float x : total.to_vector<float>()) EXPECT_NEAR(x, 0, 1e-6);
}

TEST(Sorting, SortAndTopk) {
  Tensor x = tensor<float>({3, 1, 2, 5, 6, 4}, {2, 3});
  EXPECT_THAT(values(sort(x)), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(values(sort(x, 0, true)), ElementsAre(5, 6, 4, 3, 1, 2));
  auto [top, where_from] = topk(x, 2);
  EXPECT_THAT(values(top), ElementsAre(3, 2, 6, 5));
  EXPECT_THAT(values(where_from), ElementsAre(0, 2, 1, 0));
  EXPECT_EQ(type(where_from), "i64[2, 2]");
}

// ---- contraction ----

TEST(Contraction, MatmulRanks) {
  EXPECT_EQ(type(matmul(f({2, 3}), f({3, 4}))), "f32[2, 4]");
  EXPECT_EQ(type(matmul(f({3}), f({3, 4}))), "f32[4]");
  EXPECT_EQ(type(matmul(f({2, 3}), f({3}))), "f32[2]");
  EXPECT_EQ(type(matmul(f({3}), f({3}))), "f32[]");
  EXPECT_EQ(type(matmul(f({5, 2, 3}), f({3, 4}))), "f32[5, 2, 4]");
  EXPECT_EQ(type(matmul(f({3}), f({5, 3, 4}))), "f32[5, 4]");
  EXPECT_EQ(type(matmul(f({7, 1, 2, 3}), f({5, 3, 4}))), "f32[7, 5, 2, 4]");
  EXPECT_EQ(type(matmul(f({1, 2, 3}), f({1, 3, 4}))), "f32[1, 2, 4]");
  EXPECT_EQ(type(matmul(of(bf16, {2, 3}), f({3, 2}))), "f32[2, 2]");
  EXPECT_EQ(type(matmul(of(i8, {2, 3}), of(i8, {3, 2}))), "i8[2, 2]");
}

TEST(Contraction, MatmulStretchesByLetters) {
  Tensor product = matmul(f({7, 1, 2, 3}), f({5, 3, 4}));
  EXPECT_EQ(attrs<ContractAttrs>(product).einsum, "ymk,zkn->yzmn");
  EXPECT_EQ(operand(product, 0).shape, Shape({7, 2, 3}));
}

TEST(Contraction, MatmulValues) {
  Tensor a = counting({2, 2}, i32), b = counting({2, 2, 2}, i32);
  EXPECT_THAT(values(matmul(a, b)), ElementsAre(2, 3, 6, 11, 6, 7, 26, 31));
}

TEST(Contraction, Einsum) {
  EXPECT_EQ(type(einsum("bhqd,bhkd->bhqk", f({2, 3, 4, 5}), f({2, 3, 6, 5}))), "f32[2, 3, 4, 6]");
  EXPECT_EQ(attrs<ContractAttrs>(einsum(" ij , j -> i ", f({2, 3}), f({3}))).einsum, "ij,j->i");
  EXPECT_EQ(type(einsum(",->", f({}), f({}))), "f32[]");
  EXPECT_EQ(type(einsum("ij,->j", f({2, 3}), 2)), "f32[3]");
  EXPECT_EQ(type(contract(f({2}), f({3}), "i,j->ijk", {}, {{'k', 4}})), "f32[2, 3, 4]");
}

TEST(Contraction, ConvolutionInThreeDirections) {
  const WindowRelation h{.in = 'h', .out = 'p', .tap = 'r', .stride = 2, .pad = 1};
  const WindowRelation w{.in = 'w', .out = 'q', .tap = 's', .dilation = 2};
  Tensor x = f({2, 3, 9, 9}), k = f({8, 3, 3, 3});
  Tensor y = contract(x, k, "nchw,kcrs->nkpq", {h, w});
  EXPECT_EQ(type(y), "f32[2, 8, 5, 5]");
  EXPECT_EQ(type(contract(y, k, "nkpq,kcrs->nchw", {h, w}, {{'h', 9}, {'w', 9}})), "f32[2, 3, 9, 9]");
  EXPECT_EQ(type(contract(x, y, "nchw,nkpq->kcrs", {h, w}, {{'r', 3}, {'s', 3}})), "f32[8, 3, 3, 3]");
  // More padding at the high end is what an extent says.
  EXPECT_EQ(type(contract(f({8}), f({3}), "h,r->p", {{'h', 'p', 'r', 2}}, {{'p', 4}})), "f32[4]");
}

TEST(Windows, PoolingAndItsTranspose) {
  const WindowAttrs pool{.dims = {-2, -1}, .size = {3, 2}, .stride = {2, 2}};
  Tensor windows = window(f({1, 8, 8}), pool);
  EXPECT_EQ(type(windows), "f32[1, 3, 4, 3, 2]");
  EXPECT_THAT(attrs<WindowAttrs>(windows).dims, ElementsAre(1, 2));
  EXPECT_THAT(attrs<WindowAttrs>(windows).dilation, ElementsAre(1, 1));
  EXPECT_EQ(type(fold(windows, {1, 8, 8}, pool)), "f32[1, 8, 8]");
  EXPECT_THAT(values(max(window(counting({5}, i32), {.dims = {0}, .size = {3}, .stride = {2}}), {-1})),
              ElementsAre(2, 4));
}

}  // namespace
}  // namespace tessera
