#pragma once
// How a contraction is laid on blocks and threads. Decided by shapes and dtypes alone, so every host and card gets the
// same kernels and the same bits.
//
// A block has a tile of M × N sums. It walks K in steps; operands come from memory to shared memory several steps ahead.
// Where there are few tiles and K is long, K is cut into parts of equal length, each a block's own; a kernel of rows adds
// them in their order.

#include <string>

#include <tessera/codegen/cuda/contract/contraction.h>

namespace tessera::cuda {

// How an operand's tile comes to shared memory, where it lies as it does in memory: along K or along its rows.
struct Staging {
  bool along_k = true;
  int width = 1;          // neighbours that move at once
  mlir::Type element;     // in shared memory
  bool converts = false;  // elements pass through registers, where they are widened
};

// What multiplies. `fma`: single values, every type. On tensor cores: `tf32x3`, f32 as three products of tf32, within
// roundings of f32; `tf32`, f32 rounded to tf32; `half`, bf16 or f16; all with sums in f32.
enum class Engine { fma, tf32x3, tf32, half };

struct ContractSchedule {
  Engine engine = Engine::fma;
  int tile_m = 64, tile_n = 64, step = 16;  // of a block
  int per_m = 4, per_n = 4;                 // sums of a thread; of a warp, where tensor cores multiply
  int threads = 256, stages = 3;
  int residents = 2;  // blocks that share a multiprocessor at least: said, or ptxas guesses and spills
  Staging a, b;
  int64_t parts = 1, part = 0;  // how many, and K of one: a multiple of `step`
  int width = 1;                // neighbours along N that the epilogue takes at once
  int64_t tiles_m = 1, tiles_n = 1, batch = 1;
  double clocks = 0;  // estimated

  int64_t blocks() const { return tiles_m * tiles_n * batch * parts; }
};

// How f32 is multiplied: a choice of the program, not of the shapes. `on_tensor_cores`: as three products of tf32; `as_tf32`:
// as one.
enum class F32Products { on_tensor_cores, as_tf32, by_fma };

ContractSchedule schedule_contraction(const Contraction& c, F32Products f32);

// The 16-bit float whose values the operand has, widened or not; null if it is none.
mlir::Type half_type(const Contraction& c, const ContractOperand& operand);

// Neighbours along N that an epilogue takes at once: vectors must not cross from one row of the last dim to the next.
int epilogue_width(const Contraction& c);

std::string schedule_text(const ContractSchedule& s);  // in a line for people

}  // namespace tessera::cuda
