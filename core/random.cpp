#include <tessera/core/random.h>

#include <cmath>
#include <numbers>
#include <unordered_map>

#include <tessera/core/error.h>
#include <tessera/core/hash.h>
#include <tessera/core/trace.h>

namespace tessera {

// Draws recorded so far, by module path.
struct RandomPoint::Calls {
  std::unordered_map<std::string, uint64_t> by_path;
};

namespace {

thread_local std::unordered_map<std::string, uint64_t> calls_of_thread;

Tensor draw(RandomKind kind, DType dtype, Shape shape, Loc at) {
  ScopePtr scope = current_scope();
  std::string path = scope ? scope->path() : "";
  uint64_t stream = stream_of(path, calls_of_thread[path]++);
  if (!Trace::current()) stream = combine(stream, hash_text("eager"));
  RandomAttrs attrs{kind, stream};
  Generator& g = generator();
  return Tensor(record(Op::Random, attrs, {g.seed.value().node(), g.step.value().node()}, dtype, std::move(shape), at));
}

}  // namespace

std::array<uint32_t, 4> philox(uint64_t key, uint64_t counter_low, uint64_t counter_high) {
  auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
  auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
  uint32_t k0 = low(key), k1 = high(key);
  std::array<uint32_t, 4> c{low(counter_low), high(counter_low), low(counter_high), high(counter_high)};
  for (int round = 0; round < 10; ++round) {
    uint64_t p0 = uint64_t{0xD2511F53} * c[0], p1 = uint64_t{0xCD9E8D57} * c[2];
    c = {high(p1) ^ c[1] ^ k0, low(p1), high(p0) ^ c[3] ^ k1, low(p0)};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return c;
}

uint32_t random_bits(uint64_t seed, uint64_t stream, uint64_t step, uint64_t element) {
  return philox(seed ^ stream, element / 4, step)[element % 4];
}
float random_uniform(uint64_t seed, uint64_t stream, uint64_t step, uint64_t element) {
  return static_cast<float>(random_bits(seed, stream, step, element) >> 8) * 0x1p-24f;
}
uint64_t stream_of(std::string_view path, uint64_t call) { return combine(hash_text(path), call); }

Generator& generator() {
  thread_local Generator of_thread;
  return of_thread;
}

void seed(uint64_t value, Loc at) {
  if (Trace::current())
    throw TraceError({.code = "T-T004",
                      .fault = "seed() is called while compile() records",
                      .at = at,
                      .hint = "seed before the first call"});
  generator().seed.assign(scalar(static_cast<int64_t>(value), i64));
  generator().step.assign(scalar(int64_t{0}, i64));
  restart_random_calls();
}

RandomPoint RandomPoint::capture() {
  RandomPoint point;
  point.scope_ = current_scope();
  point.calls_ = std::make_shared<const Calls>(Calls{calls_of_thread});
  return point;
}
void RandomPoint::restore() const {
  exchange_scope(scope_);
  if (calls_) calls_of_thread = calls_->by_path;
  else calls_of_thread.clear();
}
void restart_random_calls() { calls_of_thread.clear(); }

RandomReplay::RandomReplay(const RandomPoint& point) : outer_(RandomPoint::capture()) { point.restore(); }
RandomReplay::~RandomReplay() { outer_.restore(); }

Tensor random_bits(Shape shape, Loc at) { return draw(RandomKind::bits, u32, std::move(shape), at); }

static Tensor affine(Tensor x, double scale, double shift, Loc at) {
  return Operand(Operand(std::move(x), at) * Operand(scale, at), at) + Operand(shift, at);
}

Tensor uniform(Shape shape, double low, double high, Loc at) {
  Tensor u = draw(RandomKind::uniform, f32, std::move(shape), at);
  if (low == 0 && high == 1) return u;
  return affine(std::move(u), high - low, low, at);
}

// Box & Muller, 1958: √(−2 ln u) · cos 2πv with u in (0, 1].
Tensor normal(Shape shape, double mean, double std, Loc at) {
  Tensor u = Operand(1.0, at) - Operand(uniform(shape, 0, 1, at), at);
  Tensor v = uniform(std::move(shape), 0, 1, at);
  Tensor radius = sqrt({Operand(-2.0, at) * Operand(log({u, at}), at), at});
  Tensor z = Operand(radius, at) * Operand(cos({Operand(v, at) * Operand(2 * std::numbers::pi, at), at}), at);
  if (mean == 0 && std == 1) return z;
  return affine(std::move(z), std, mean, at);
}

Tensor bernoulli(Shape shape, Operand probability, Loc at) {
  return Operand(uniform(std::move(shape), 0, 1, at), at) < probability;
}

// The 32 random bits modulo the range; the bias is at most range / 2³².
Tensor randint(Shape shape, int64_t low, int64_t high, DType dtype, Loc at) {
  if (high <= low || high - low > int64_t{1} << 31)
    throw ValueError(
        {.code = "T-V003",
         .fault = "randint needs low < high ≤ low + 2^31, got " + std::to_string(low) + " and " + std::to_string(high),
         .at = at});
  Tensor bits = cast(Operand(random_bits(std::move(shape), at), at), i64);
  Tensor in_range = remainder(Operand(bits, at), Operand(high - low, at));
  return cast({Operand(in_range, at) + Operand(low, at), at}, dtype);
}

}  // namespace tessera
