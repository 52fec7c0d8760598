#pragma once
// An exponential moving average of parameters: what diffusion models sample from.
//   optim::Ema ema(model.parameters(), 0.999);
//   … opt.step(…); ema.update();              inside the compiled step
//   { auto averaged = ema.use(); sample(); }   the averages stand in for the parameters meanwhile

#include <memory>
#include <vector>

#include <tessera/core/ops.h>
#include <tessera/core/state.h>

namespace tessera::optim {

class Ema {
 public:
  // Starts at the parameters' values. ValueError unless 0 ≤ decay ≤ 1.
  Ema(std::vector<State*> parameters, double decay, Loc at = Loc::here());
  Ema(const Ema&) = delete;
  Ema& operator=(const Ema&) = delete;

  void update(Loc at = Loc::here());   // average ← decay·average + (1 − decay)·parameter
  std::vector<State*> states() const;  // named "<parameter>.ema"

  class [[nodiscard]] Use {
   public:
    explicit Use(Ema& ema);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    Ema& ema_;
    std::vector<Tensor> trained_;
  };
  Use use() { return Use(*this); }

 private:
  std::vector<State*> parameters_;
  double decay_;
  std::vector<std::unique_ptr<State>> averages_;
};

}  // namespace tessera::optim
