#ifndef TESSERA_TSR_OPS
#define TESSERA_TSR_OPS

include "tessera/ir/tsr/TsrDialect.td"
include "tessera/ir/tsr/TsrInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

// ---- types ----------------------------------------------------------------------------------------------------------

defvar Tsr_RealTypes = [F64, F32, F16, BF16];
defvar Tsr_IntegerTypes = [I64, I32, I16, I8, UI<32>, UI<8>];
class Tsr_TensorOf<list<Type> elements> : StaticShapeTensorOf<elements>;
def Tsr_Any : Tsr_TensorOf<Tsr_RealTypes # Tsr_IntegerTypes # [F8E4M3FN, F8E5M2, I1]>;
def Tsr_Numeric : Tsr_TensorOf<Tsr_RealTypes # Tsr_IntegerTypes>;
def Tsr_Float : Tsr_TensorOf<Tsr_RealTypes>;
def Tsr_Bits : Tsr_TensorOf<Tsr_IntegerTypes # [I1]>;
def Tsr_Bool : Tsr_TensorOf<[I1]>;
def Tsr_Index : Tsr_TensorOf<[I64, I32]>;
def Tsr_Position : Tsr_TensorOf<[I64]>;

// One of some words, as core/attrs.h spells them.
class Tsr_Word<list<string> words> : StringBasedAttr<
    CPred<!interleave(!foreach(w, words, "::llvm::cast<::mlir::StringAttr>($_self).getValue() == \"" # w # "\""),
                      " || ")>,
    "one of " # !interleave(words, ", ")>;
def Tsr_Number : AnyAttrOf<[F64Attr, I64Attr], "a number"> {
  let storageType = "::mlir::TypedAttr";
  let returnType = "::mlir::TypedAttr";
}

class Tsr_Op<string mnemonic, list<Trait> traits = []> : Op<TsrDialect, mnemonic, [Pure] # traits>;

// ---- elementwise ----------------------------------------------------------------------------------------------------
// The last three parameters name what one element becomes: an arith or math op, or a formula in Scalar.h, for floats,
// for signed and for unsigned integers. An op without a form for a family does not take its dtypes. bool is unsigned.

class Tsr_Elementwise<string mnemonic, string formula, string floats, string signed, string unsigned,
                      list<Trait> traits> : Tsr_Op<mnemonic, [DeclareOpInterfaceMethods<Tsr_ScalarBody>] # traits> {
  let summary = formula;
  let extraClassDefinition = [{
    ::mlir::Value $cppClass::emitScalar(::mlir::OpBuilder &b, ::mlir::Location at, ::mlir::ValueRange x) {
      using namespace ::mlir;
      return scalar::emit<}] # floats # ", " # signed # ", " # unsigned # [{>(b, at, getOperation(), x);
    }
  }];
}

class Tsr_Unary<string mnemonic, string formula, Type type, string floats, string signed = "scalar::None",
                string unsigned = signed>
    : Tsr_Elementwise<mnemonic, formula, floats, signed, unsigned, [SameOperandsAndResultType]> {
  let description = "```mlir\n%y = tsr." # mnemonic # " %x : tensor<4x"
                    # !if(!eq(type, Tsr_Bits), "i1", "f32") # ">\n```";
  let arguments = (ins type:$x);
  let results = (outs type:$y);
  let assemblyFormat = "$x attr-dict `:` type($y)";
}

class Tsr_Binary<string mnemonic, string formula, Type type, string floats, string signed = "scalar::None",
                 string unsigned = signed>
    : Tsr_Elementwise<mnemonic, formula, floats, signed, unsigned, [SameOperandsAndResultType]> {
  let description = "```mlir\n%y = tsr." # mnemonic # " %a, %b : tensor<4x"
                    # !if(!eq(type, Tsr_Bits), "i1", "f32") # ">\n```";
  let arguments = (ins type:$a, type:$b);
  let results = (outs type:$y);
  let assemblyFormat = "$a `,` $b attr-dict `:` type($y)";
}

class Tsr_Compare<string mnemonic, string formula, string floats, string signed, string unsigned>
    : Tsr_Elementwise<mnemonic, formula, "scalar::CompareF<arith::CmpFPredicate::" # floats # ">",
                      "scalar::CompareI<arith::CmpIPredicate::" # signed # ">",
                      "scalar::CompareI<arith::CmpIPredicate::" # unsigned # ">",
                      [TypesMatchWith<"operands have one type", "a", "b", "$_self">,
                       TypesMatchWith<"the result is bool", "a", "y", "::tessera::tsr::bool_like($_self)">]> {
  let description = "```mlir\n%y = tsr." # mnemonic # " %a, %b : tensor<4xf32>\n```";
  let arguments = (ins Tsr_Any:$a, Tsr_Any:$b);
  let results = (outs Tsr_Bool:$y);
  let assemblyFormat = "$a `,` $b attr-dict `:` type($a)";
}

// clang-format off
def Tsr_NegOp     : Tsr_Unary<"neg", "−x", Tsr_Numeric, "arith::NegFOp", "scalar::NegI">;
def Tsr_AbsOp     : Tsr_Unary<"abs", "|x|", Tsr_Numeric, "math::AbsFOp", "scalar::AbsI", "scalar::Same">;
def Tsr_ExpOp     : Tsr_Unary<"exp", "eˣ", Tsr_Float, "math::ExpOp">;
def Tsr_Exp2Op    : Tsr_Unary<"exp2", "2ˣ", Tsr_Float, "math::Exp2Op">;
def Tsr_LogOp     : Tsr_Unary<"log", "ln x", Tsr_Float, "math::LogOp">;
def Tsr_Log1pOp   : Tsr_Unary<"log1p", "ln(1 + x)", Tsr_Float, "math::Log1pOp">;
def Tsr_Expm1Op   : Tsr_Unary<"expm1", "eˣ − 1", Tsr_Float, "math::ExpM1Op">;
def Tsr_TanhOp    : Tsr_Unary<"tanh", "tanh x", Tsr_Float, "math::TanhOp">;
def Tsr_ErfOp     : Tsr_Unary<"erf", "2/√π ∫₀ˣ exp(−t²) dt", Tsr_Float, "math::ErfOp">;
def Tsr_SigmoidOp : Tsr_Unary<"sigmoid", "1 / (1 + e⁻ˣ)", Tsr_Float, "scalar::Sigmoid">;
def Tsr_SqrtOp    : Tsr_Unary<"sqrt", "√x", Tsr_Float, "math::SqrtOp">;
def Tsr_RsqrtOp   : Tsr_Unary<"rsqrt", "1 / √x", Tsr_Float, "math::RsqrtOp">;
def Tsr_RecipOp   : Tsr_Unary<"recip", "1 / x", Tsr_Float, "scalar::Recip">;
def Tsr_SinOp     : Tsr_Unary<"sin", "sin x", Tsr_Float, "math::SinOp">;
def Tsr_CosOp     : Tsr_Unary<"cos", "cos x", Tsr_Float, "math::CosOp">;
def Tsr_FloorOp   : Tsr_Unary<"floor", "⌊x⌋", Tsr_Numeric, "math::FloorOp", "scalar::Same">;
def Tsr_CeilOp    : Tsr_Unary<"ceil", "⌈x⌉", Tsr_Numeric, "math::CeilOp", "scalar::Same">;
def Tsr_RoundOp   : Tsr_Unary<"round", "nearest integer, ties to even", Tsr_Numeric, "math::RoundEvenOp", "scalar::Same">;
def Tsr_SignOp    : Tsr_Unary<"sign", "1, −1, or x where x is 0 or NaN", Tsr_Numeric, "scalar::SignF", "scalar::SignI", "scalar::SignU">;
def Tsr_NotOp     : Tsr_Unary<"not", "every bit flipped; of bool: logical", Tsr_Bits, "scalar::None", "scalar::Not">;

def Tsr_AddOp : Tsr_Binary<"add", "a + b", Tsr_Numeric, "arith::AddFOp", "arith::AddIOp">;
def Tsr_SubOp : Tsr_Binary<"sub", "a − b", Tsr_Numeric, "arith::SubFOp", "arith::SubIOp">;
def Tsr_MulOp : Tsr_Binary<"mul", "a · b", Tsr_Numeric, "arith::MulFOp", "arith::MulIOp">;
def Tsr_DivOp : Tsr_Binary<"div", "a / b", Tsr_Float, "arith::DivFOp">;
def Tsr_FloorDivOp : Tsr_Binary<"floor_div", "⌊a / b⌋; of integers by 0: 0", Tsr_Numeric, "scalar::FloorDivF", "scalar::FloorDivS", "scalar::FloorDivU">;
def Tsr_RemOp : Tsr_Binary<"rem", "a − b·⌊a / b⌋; of integers by 0: 0", Tsr_Numeric, "scalar::RemF", "scalar::RemI<scalar::FloorDivS>", "scalar::RemI<scalar::FloorDivU>">;
def Tsr_PowOp : Tsr_Binary<"pow", "aᵇ", Tsr_Float, "math::PowFOp">;
def Tsr_MinOp : Tsr_Binary<"min", "the smaller; NaN wins", Tsr_Numeric, "arith::MinimumFOp", "arith::MinSIOp", "arith::MinUIOp">;
def Tsr_MaxOp : Tsr_Binary<"max", "the larger; NaN wins", Tsr_Numeric, "arith::MaximumFOp", "arith::MaxSIOp", "arith::MaxUIOp">;
def Tsr_AndOp : Tsr_Binary<"and", "a ∧ b, bit by bit", Tsr_Bits, "scalar::None", "arith::AndIOp">;
def Tsr_OrOp  : Tsr_Binary<"or", "a ∨ b, bit by bit", Tsr_Bits, "scalar::None", "arith::OrIOp">;
def Tsr_XorOp : Tsr_Binary<"xor", "a ⊕ b, bit by bit", Tsr_Bits, "scalar::None", "arith::XOrIOp">;

def Tsr_EqualOp        : Tsr_Compare<"eq", "a = b", "OEQ", "eq", "eq">;
def Tsr_NotEqualOp     : Tsr_Compare<"ne", "a ≠ b", "UNE", "ne", "ne">;
def Tsr_LessOp         : Tsr_Compare<"lt", "a < b", "OLT", "slt", "ult">;
def Tsr_LessEqualOp    : Tsr_Compare<"le", "a ≤ b", "OLE", "sle", "ule">;
def Tsr_GreaterOp      : Tsr_Compare<"gt", "a > b", "OGT", "sgt", "ugt">;
def Tsr_GreaterEqualOp : Tsr_Compare<"ge", "a ≥ b", "OGE", "sge", "uge">;
// clang-format on

def Tsr_IsFiniteOp : Tsr_Elementwise<"is_finite", "neither infinite nor NaN", "scalar::IsFinite", "scalar::True",
    "scalar::True", [TypesMatchWith<"the result is bool", "x", "y", "::tessera::tsr::bool_like($_self)">]> {
  let description = "```mlir\n%y = tsr.is_finite %x : tensor<4xf32>\n```";
  let arguments = (ins Tsr_Any:$x);
  let results = (outs Tsr_Bool:$y);
  let assemblyFormat = "$x attr-dict `:` type($x)";
}

def Tsr_SelectOp : Tsr_Op<"select", [DeclareOpInterfaceMethods<Tsr_ScalarBody>,
    AllTypesMatch<["a", "b", "y"]>, AllShapesMatch<["condition", "a"]>]> {
  let summary = "condition ? a : b";
  let description = [{
    ```mlir
    %y = tsr.select %c, %a, %b : (tensor<4xi1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
  let arguments = (ins Tsr_Bool:$condition, Tsr_Any:$a, Tsr_Any:$b);
  let results = (outs Tsr_Any:$y);
  let assemblyFormat = "$condition `,` $a `,` $b attr-dict `:` functional-type(operands, results)";
}

def Tsr_CastOp : Tsr_Op<"cast", [DeclareOpInterfaceMethods<Tsr_ScalarBody>, AllShapesMatch<["x", "y"]>]> {
  let summary = "x in another dtype";
  let description = [{
    Float to float rounds to nearest even; float to integer truncates and saturates, NaN gives 0; to bool is `x ≠ 0`;
    integer to integer wraps. A cast is the user's word: nothing moves or removes it.

    ```mlir
    %y = tsr.cast %x : (tensor<4xf32>) -> tensor<4xbf16>
    ```
  }];
  let arguments = (ins Tsr_Any:$x);
  let results = (outs Tsr_Any:$y);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
}

// ---- sources --------------------------------------------------------------------------------------------------------

def Tsr_ConstantOp : Tsr_Op<"constant"> {
  let summary = "every element is `value`";
  let description = [{
    ```mlir
    %y = tsr.constant 2.5 -> tensor<4x3xf32>
    ```
  }];
  let arguments = (ins Tsr_Number:$value);
  let results = (outs Tsr_Any:$y);
  let assemblyFormat = "custom<Number>($value) attr-dict `->` type($y)";
}

class Tsr_Source<string mnemonic, string text> : Tsr_Op<mnemonic> { let summary = text; }

def Tsr_IotaOp : Tsr_Source<"iota", "each element is its index along `dim`"> {
  let description = [{
    (C1) `dim` is a dim of the result.
    ```mlir
    %y = tsr.iota dim 1 : tensor<4x3xi32>
    ```
  }];
  let arguments = (ins I64Attr:$dim);
  let results = (outs Tsr_Numeric:$y);
  let assemblyFormat = "`dim` $dim attr-dict `:` type($y)";
  let hasVerifier = 1;
}

def Tsr_RandomOp : Tsr_Source<"random", "counter-based draws (core/random.h)"> {
  let description = [{
    Element e is a function of seed, step, stream and e alone: f32 in [0, 1) or, of kind `bits`, 32 random bits.
    (C1) uniform gives f32, bits give ui32.
    ```mlir
    %y = tsr.random "uniform" %seed, %step stream 17 : (tensor<i64>, tensor<i64>) -> tensor<4x3xf32>
    ```
  }];
  let arguments = (ins Tsr_Word<["uniform", "bits"]>:$kind, 0DTensorOf<[I64]>:$seed, 0DTensorOf<[I64]>:$step,
                       I64Attr:$stream);
  let results = (outs Tsr_Any:$y);
  let assemblyFormat = "$kind $seed `,` $step `stream` $stream attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

// ---- identities -----------------------------------------------------------------------------------------------------

class Tsr_Identity<string mnemonic, string text> : Tsr_Op<mnemonic, [SameOperandsAndResultType]> {
  let summary = text;
  let description = "```mlir\n%y = tsr." # mnemonic # " %x : tensor<4xf32>\n```";
  let arguments = (ins Tsr_Any:$x);
  let results = (outs Tsr_Any:$y);
  let assemblyFormat = "$x attr-dict `:` type($y)";
}
def Tsr_StopGradientOp : Tsr_Identity<"stop_gradient", "x; it mattered to autograd alone">;
def Tsr_BarrierOp : Tsr_Identity<"barrier", "x; no kernel holds ops from both sides">;

// ---- structure ------------------------------------------------------------------------------------------------------

class Tsr_Structured<string mnemonic, string text, list<Trait> traits = []> : Tsr_Op<mnemonic, traits> {
  let summary = text;
  let results = (outs Tsr_Any:$y);
  let hasVerifier = 1;
}
def Tsr_BroadcastOp : Tsr_Structured<"broadcast", "operand dim i becomes result dim `dims[i]`; others repeat"> {
  let description = [{
    (C1) one result dim per operand dim, none twice. (C2) an operand extent is 1 or that of its result dim.
    (C3) the dtype stays.
    ```mlir
    %y = tsr.broadcast %x dims [1] : (tensor<8xf32>) -> tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Tsr_Any:$x, DenseI64ArrayAttr:$dims);
  let assemblyFormat = "$x `dims` $dims attr-dict `:` functional-type(operands, results)";
}

def Tsr_ReshapeOp : Tsr_Structured<"reshape", "the same elements in row-major order under another shape"> {
  let description = [{
    (C1) as many elements, of the same dtype.
    ```mlir
    %y = tsr.reshape %x : (tensor<4x6xf32>) -> tensor<8x3xf32>
    ```
  }];
  let arguments = (ins Tsr_Any:$x);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
}

def Tsr_TransposeOp : Tsr_Structured<"transpose", "result dim i is operand dim `dims[i]`"> {
  let description = [{
    (C1) `dims` is a permutation. (C2) extents and dtype follow.
    ```mlir
    %y = tsr.transpose %x dims [1, 0] : (tensor<4x6xf32>) -> tensor<6x4xf32>
    ```
  }];
  let arguments = (ins Tsr_Any:$x, DenseI64ArrayAttr:$dims);
  let assemblyFormat = "$x `dims` $dims attr-dict `:` functional-type(operands, results)";
}

def Tsr_SliceOp : Tsr_Structured<"slice", "[start, stop) by step, dim by dim"> {
  let description = [{
    (C1) one entry per dim, step > 0, 0 ≤ start ≤ stop ≤ extent. (C2) extents are ⌈(stop − start) / step⌉.
    ```mlir
    %y = tsr.slice %x start [0, 2] stop [4, 6] step [1, 2] : (tensor<4x6xf32>) -> tensor<4x2xf32>
    ```
  }];
  let arguments = (ins Tsr_Any:$x, DenseI64ArrayAttr:$start, DenseI64ArrayAttr:$stop, DenseI64ArrayAttr:$step);
  let assemblyFormat = [{
    $x `start` $start `stop` $stop `step` $step attr-dict `:` functional-type(operands, results)
  }];
}

def Tsr_PadOp : Tsr_Structured<"pad", "`value` before, after and between the elements of each dim"> {
  let description = [{
    (C1) one entry per dim, none negative. (C2) an extent n becomes low + n + (n − 1)·interior + high.
    ```mlir
    %y = tsr.pad %x low [1] high [2] interior [0] value 0.0 : (tensor<4xf32>) -> tensor<7xf32>
    ```
  }];
  let arguments = (ins Tsr_Any:$x, DenseI64ArrayAttr:$low, DenseI64ArrayAttr:$high, DenseI64ArrayAttr:$interior,
                       F64Attr:$value);
  let assemblyFormat = [{
    $x `low` $low `high` $high `interior` $interior `value` custom<Double>($value) attr-dict
    `:` functional-type(operands, results)
  }];
}

def Tsr_ConcatOp : Tsr_Structured<"concat", "operands one after the other along `dim`"> {
  let description = [{
    (C1) at least one operand; they differ in the extent of `dim` alone. (C2) that extent is their sum.
    ```mlir
    %y = tsr.concat %a, %b dim 0 : (tensor<4x3xf32>, tensor<2x3xf32>) -> tensor<6x3xf32>
    ```
  }];
  let arguments = (ins Variadic<Tsr_Any>:$parts, I64Attr:$dim);
  let assemblyFormat = "$parts `dim` $dim attr-dict `:` functional-type(operands, results)";
}

def Tsr_ReverseOp : Tsr_Structured<"reverse", "the order of elements turned round along `dims`",
                                   [SameOperandsAndResultType]> {
  let description = [{
    (C1) `dims` are dims of x, none twice.
    ```mlir
    %y = tsr.reverse %x dims [1] : tensor<4x6xf32>
    ```
  }];
  let arguments = (ins Tsr_Any:$x, DenseI64ArrayAttr:$dims);
  let assemblyFormat = "$x `dims` $dims attr-dict `:` type($y)";
}

// ---- indexing -------------------------------------------------------------------------------------------------------

def Tsr_GatherOp : Tsr_Structured<"gather", "x with `dim` replaced by the dims of `indices`"> {
  let description = [{
    y[.., i.., ..] = x[.., indices[i..], ..]. (C1) `dim` is a dim of x. (C2) the shape says so.
    ```mlir
    %y = tsr.gather %x, %i dim 0 : (tensor<100x8xf32>, tensor<4x5xi32>) -> tensor<4x5x8xf32>
    ```
  }];
  let arguments = (ins Tsr_Any:$x, Tsr_Index:$indices, I64Attr:$dim);
  let assemblyFormat = "$x `,` $indices `dim` $dim attr-dict `:` functional-type(operands, results)";
}

def Tsr_ScatterOp : Tsr_Structured<"scatter", "`base` with updates combined in at `indices`"> {
  let description = [{
    (C1) `dim` is a dim of base; updates have base's shape with `dim` replaced by the dims of `indices`. (C2) the result
    has base's type.
    ```mlir
    %y = tsr.scatter "add" %base, %i, %u dim 0
        : (tensor<100x8xf32>, tensor<5xi32>, tensor<5x8xf32>) -> tensor<100x8xf32>
    ```
  }];
  let arguments = (ins Tsr_Word<["set", "add", "max"]>:$mode, Tsr_Any:$base, Tsr_Index:$indices, Tsr_Any:$updates,
                       I64Attr:$dim);
  let assemblyFormat = [{
    $mode $base `,` $indices `,` $updates `dim` $dim attr-dict `:` functional-type(operands, results)
  }];
}

def Tsr_DynamicSliceOp : Tsr_Structured<"dynamic_slice", "a slice whose start is data, clamped to fit"> {
  let description = [{
    (C1) one scalar start per dim; the result fits into x.
    ```mlir
    %y = tsr.dynamic_slice %x[%i, %j] : (tensor<8x6xf32>, tensor<i32>, tensor<i32>) -> tensor<1x6xf32>
    ```
  }];
  let arguments = (ins Tsr_Any:$x, Variadic<0DTensorOf<[I64, I32]>>:$start);
  let assemblyFormat = "$x `[` $start `]` attr-dict `:` functional-type(operands, results)";
}

def Tsr_DynamicUpdateSliceOp : Tsr_Structured<"dynamic_update_slice", "x with `update` written over it"> {
  let description = [{
    (C1) one scalar start per dim, clamped so that update fits; the result has x's type.
    ```mlir
    %y = tsr.dynamic_update_slice %x, %u[%i, %j]
        : (tensor<8x6xf32>, tensor<1x6xf32>, tensor<i32>, tensor<i32>) -> tensor<8x6xf32>
    ```
  }];
  let arguments = (ins Tsr_Any:$x, Tsr_Any:$update, Variadic<0DTensorOf<[I64, I32]>>:$start);
  let assemblyFormat = "$x `,` $update `[` $start `]` attr-dict `:` functional-type(operands, results)";
}

// ---- reductions and scans -------------------------------------------------------------------------------------------

def Tsr_ReduceOp : Tsr_Structured<"reduce", "combine along `dims`, which leave the shape"> {
  let description = [{
    max and min pass NaN on. (C1) `dims` are sorted dims of x. (C2) shape and dtype follow.
    ```mlir
    %y = tsr.reduce "sum" %x dims [1] : (tensor<4x6xf32>) -> tensor<4xf32>
    ```
  }];
  let arguments = (ins Tsr_Word<["sum", "max", "min", "prod"]>:$kind, Tsr_Any:$x, DenseI64ArrayAttr:$dims);
  let assemblyFormat = "$kind $x `dims` $dims attr-dict `:` functional-type(operands, results)";
}

class Tsr_ArgExtreme<string mnemonic, string text> : Tsr_Structured<mnemonic, text> {
  let description = "The first of equals; NaN wins. (C1) `dim` is a dim of x and leaves the shape; the result is i64.\n"
                    "```mlir\n%y = tsr." # mnemonic # " %x dim 1 : (tensor<4x6xf32>) -> tensor<4xi64>\n```";
  let arguments = (ins Tsr_Any:$x, I64Attr:$dim);
  let assemblyFormat = "$x `dim` $dim attr-dict `:` functional-type(operands, results)";
}
def Tsr_ArgMaxOp : Tsr_ArgExtreme<"argmax", "where the largest is">;
def Tsr_ArgMinOp : Tsr_ArgExtreme<"argmin", "where the smallest is">;

def Tsr_ScanOp : Tsr_Structured<"scan", "running combination along `dim`, inclusive", [SameOperandsAndResultType]> {
  let description = [{
    (C1) `dim` is a dim of x.
    ```mlir
    %y = tsr.scan "sum" %x dim 1 reverse false : tensor<4x6xf32>
    ```
  }];
  let arguments = (ins Tsr_Word<["sum", "max", "prod"]>:$kind, Tsr_Any:$x, I64Attr:$dim, BoolAttr:$reverse);
  let assemblyFormat = "$kind $x `dim` $dim `reverse` $reverse attr-dict `:` type($y)";
}

def Tsr_ArgSortOp : Tsr_Structured<"argsort", "the stable order of elements along `dim`, NaN last"> {
  let description = [{
    (C1) `dim` is a dim of x; the result has x's shape and is i64.
    ```mlir
    %y = tsr.argsort %x dim 1 descending false : (tensor<4x6xf32>) -> tensor<4x6xi64>
    ```
  }];
  let arguments = (ins Tsr_Any:$x, I64Attr:$dim, BoolAttr:$descending);
  let assemblyFormat = "$x `dim` $dim `descending` $descending attr-dict `:` functional-type(operands, results)";
}

// ---- contraction and windows ----------------------------------------------------------------------------------------

def Tsr_ContractOp : Tsr_Structured<"contract", "sum of products: letters absent from the result are summed"> {
  let description = [{
    A window relation `"h = 2p + 1r - 1"` visits position h at stride 2, dilation 1, pad 1; positions outside the extent
    of h contribute nothing. With h in an operand this is a convolution, with h in the result its data gradient.
    (C1) the einsum reads letters , letters -> letters, one per dim. (C2) a letter has one extent. (C3) operands and
    result have one dtype. (C4) a relation names three letters of the einsum.
    ```mlir
    %y = tsr.contract "nchw,kcrs->nkpq" %x, %w windows ["h = 2p + 1r - 1", "w = 2q + 1s - 1"]
        : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<1x4x4x4xf32>
    ```
  }];
  let arguments = (ins StrAttr:$einsum, Tsr_Any:$a, Tsr_Any:$b, StrArrayAttr:$windows);
  let assemblyFormat = "$einsum $a `,` $b `windows` $windows attr-dict `:` functional-type(operands, results)";
}

class Tsr_Windowed<string mnemonic, string text> : Tsr_Structured<mnemonic, text> {
  let arguments = (ins Tsr_Any:$x, DenseI64ArrayAttr:$dims, DenseI64ArrayAttr:$size, DenseI64ArrayAttr:$stride,
                       DenseI64ArrayAttr:$dilation);
  let assemblyFormat = [{
    $x `dims` $dims `size` $size `stride` $stride `dilation` $dilation attr-dict `:` functional-type(operands, results)
  }];
}
def Tsr_WindowOp : Tsr_Windowed<"window", "`dims` cut into windows; the taps become trailing dims"> {
  let description = [{
    (C1) one size, stride and dilation per entry of `dims`, all positive. (C2) dim dims[i] of extent n becomes
    (n − dilation·(size − 1) − 1) / stride + 1 windows, and the sizes follow as trailing dims.
    ```mlir
    %y = tsr.window %x dims [1] size [3] stride [2] dilation [1] : (tensor<4x7xf32>) -> tensor<4x3x3xf32>
    ```
  }];
}
def Tsr_FoldOp : Tsr_Windowed<"fold", "the transpose of window: overlapping taps are added"> {
  let description = [{
    (C1) `window` with these attributes takes the result to the shape of x.
    ```mlir
    %y = tsr.fold %x dims [1] size [3] stride [2] dilation [1] : (tensor<4x3x3xf32>) -> tensor<4x7xf32>
    ```
  }];
}

// ---- normal forms ---------------------------------------------------------------------------------------------------

def Tsr_SoftmaxOp : Tsr_Structured<"softmax", "eˣ / Σ eˣ along `dim`", [SameOperandsAndResultType]> {
  let description = [{
    A lane with no finite entry gives 0. (C1) `dim` is a dim of x, which is float.
    ```mlir
    %y = tsr.softmax %x dim 1 : tensor<4x6xf32>
    ```
  }];
  let arguments = (ins Tsr_Float:$x, I64Attr:$dim);
  let assemblyFormat = "$x `dim` $dim attr-dict `:` type($y)";
}

def Tsr_LogSumExpOp : Tsr_Structured<"logsumexp", "ln Σ eˣ along `dim`, which leaves the shape"> {
  let description = [{
    A lane of −∞ alone gives −∞. (C1) `dim` is a dim of x.
    ```mlir
    %y = tsr.logsumexp %x dim 1 : (tensor<4x6xf32>) -> tensor<4xf32>
    ```
  }];
  let arguments = (ins Tsr_Float:$x, I64Attr:$dim);
  let assemblyFormat = "$x `dim` $dim attr-dict `:` functional-type(operands, results)";
}

def Tsr_VarianceOp : Tsr_Structured<"variance", "Σ (x − mean)² / N along `dims`, which leave the shape"> {
  let description = [{
    (C1) `dims` are sorted dims of x.
    ```mlir
    %y = tsr.variance %x dims [1] : (tensor<4x6xf32>) -> tensor<4xf32>
    ```
  }];
  let arguments = (ins Tsr_Float:$x, DenseI64ArrayAttr:$dims);
  let assemblyFormat = "$x `dims` $dims attr-dict `:` functional-type(operands, results)";
}

#endif
