#pragma once
// The training steps of the three example models that benchmarks time: forward, backward and AdamW in one compiled program,
// on random data of the shapes that the examples train on.

#include <cstdint>
#include <functional>
#include <string>

namespace tessera {
struct Program;
}

namespace tessera::bench {

struct TrainStep {
  std::function<void()> run;  // one step, until its loss is on the host; the first compiles, the second records again
  std::function<std::string(const char* stage)> text;  // Compiled::text
  std::function<const Program*()> program;
};

TrainStep gpt_step(int64_t batch = 16, int64_t context = 256, bool strict = false);
TrainStep vit_step();
TrainStep unet_step();

}  // namespace tessera::bench
