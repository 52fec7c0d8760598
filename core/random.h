#pragma once
// Counter-based random numbers (D22). Element e of a draw is a pure function of (seed, stream, step, e):
//   Philox4x32-10 with key = seed ⊕ stream and counter = (e / 4, step), word e mod 4
// (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). The stream is a hash of the module path and
// of the call index in it, so a draw is the same on every backend, under recompute and after a resume. Draws outside of
// compile() have streams of their own: only a compiled step advances `step`, and the next one shall not repeat them.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <tessera/core/ops.h>
#include <tessera/core/state.h>

namespace tessera {

std::array<uint32_t, 4> philox(uint64_t key, uint64_t counter_low, uint64_t counter_high);
uint32_t random_bits(uint64_t seed, uint64_t stream, uint64_t step, uint64_t element);
// 24 bits: (bits >> 8) · 2⁻²⁴, in [0, 1).
float random_uniform(uint64_t seed, uint64_t stream, uint64_t step, uint64_t element);
uint64_t stream_of(std::string_view path, uint64_t call);

// The source of all draws of a program: two States, so that a checkpoint holds it and a compiled step advances it.
struct Generator {
  State seed{"rng.seed", scalar(int64_t{0}, i64)};
  State step{"rng.step", scalar(int64_t{0}, i64)};
};
Generator& generator();  // this thread's; compile() advances `step` by one per run of a step that drew from it
void seed(uint64_t value, Loc at = Loc::here());  // also resets step and the call counters

// Draws recorded while a RandomReplay lives repeat those that followed its capture: what recompute needs.
class RandomPoint {  // module scope and call counters at one moment of a recording
 public:
  static RandomPoint capture();
  void restore() const;

 private:
  struct Calls;
  ScopePtr scope_;
  std::shared_ptr<const Calls> calls_;
};
void restart_random_calls();  // number the draws of this thread from zero again: what a recording begins with

class RandomReplay {
 public:
  explicit RandomReplay(const RandomPoint&);
  ~RandomReplay();

 private:
  RandomPoint outer_;
};

Tensor uniform(Shape, double low = 0, double high = 1, Loc = Loc::here());  // f32
Tensor normal(Shape, double mean = 0, double std = 1, Loc = Loc::here());   // f32, Box–Muller
Tensor random_bits(Shape, Loc = Loc::here());                               // u32
Tensor bernoulli(Shape, Operand probability, Loc = Loc::here());            // bool: uniform < p
Tensor randint(Shape, int64_t low, int64_t high, DType = i32, Loc = Loc::here());

}  // namespace tessera
