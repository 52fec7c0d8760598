// A byte-level GPT on the King James Bible, or on any UTF-8 text: the whole step (forward, backward, clipping, AdamW) is
// one compiled program. Prints bits per byte on the last tenth of the text, beside what xz makes of it, and a sample.

#include <unistd.h>

#include <cmath>
#include <cstdio>

#include <fmt/format.h>

#include <tessera/nn/models/gpt.h>
#include <tessera/tessera.h>

#include "examples/command_line.h"
#include "examples/run.h"

using namespace tessera;

namespace {

struct Flags {
  examples::RunFlags run{.steps = 1200, .out = "runs/gpt"};
  std::string text, prompt = "And God said";
  int64_t batch = 16, sample = 400;
  double lr = 3e-3;
};

// Mean bits per byte of a text. Windows overlap by half and only their second halves count: every byte is guessed from
// at least half a context of what stands before it.
double bits_per_byte(nn::Gpt& model, const std::string& text, int64_t batch) {
  const int64_t context = model.options.context, half = context / 2;
  data::TextSet set(text, context, half);
  auto evaluate = compile(
      [&](Tensor x, Tensor y) {
        return nn::cross_entropy(slice(model(x), 1, {half, context}), slice(y, 1, {half, context}));
      },
      {.name = "evaluate"});
  data::Loader loader(set, {.batch = std::min(batch, set.size()), .shuffle = false, .drop_last = true});
  double total = 0;
  for (auto& [x, y] : loader) total += evaluate(x, y).item<double>();
  return total / static_cast<double>(loader.batches()) / std::log(2.0);
}

std::string xz_bits_per_byte(const std::string& text) {
  std::string path = fmt::format("{}/tessera-{}.txt", std::filesystem::temp_directory_path().string(), ::getpid());
  examples::write_text(path, text);
  FILE* pipe = ::popen(("xz -9 --stdout " + path + " 2>/dev/null | wc -c").c_str(), "r");
  long bytes = 0;
  if (pipe && std::fscanf(pipe, "%ld", &bytes) != 1) bytes = 0;
  if (pipe) ::pclose(pipe);
  std::filesystem::remove(path);
  return bytes ? fmt::format("{:.3f}", 8.0 * static_cast<double>(bytes) / static_cast<double>(text.size()))
               : "not installed";
}

// Draws bytes one by one from the model at the given temperature.
std::string continue_text(nn::Gpt& model, std::string text, int64_t count, double temperature) {
  const int64_t context = model.options.context;
  auto next = compile(
      [&](Tensor ids, Tensor last) {
        Tensor logits = model(ids);  // [1, context, 256]; only the row of the last byte is wanted
        Tensor row = reshape(gather(logits, reshape(last, Shape{1}), 1), {256});
        // Gumbel's trick: the argmax of logits plus −log(−log u) is a draw from their softmax.
        Tensor u = uniform({256}, 1e-7, 1.0);
        return argmax(row / temperature - log(-log(u)), 0);
      },
      {.name = "sample"});
  for (int64_t i = 0; i < count; ++i) {
    auto used = std::min<int64_t>(context, static_cast<int64_t>(text.size()));
    std::vector<int32_t> ids(static_cast<size_t>(context), 0);
    for (int64_t k = 0; k < used; ++k)
      ids[static_cast<size_t>(k)] = static_cast<uint8_t>(text[text.size() - static_cast<size_t>(used - k)]);
    text += static_cast<char>(next(tensor(ids, {1, context}), used - 1).item<int32_t>());
  }
  return text;
}

void train(const Flags& flags) {
  nn::Gpt model;
  optim::AdamW opt(model.parameters(), {.beta2 = 0.95, .weight_decay = 0.03});

  // All data first: a text that is too short must not be found out after the training.
  auto [training, validation] = data::split(flags.text.empty() ? data::king_james() : data::read_text(flags.text), 0.9);
  const size_t least = static_cast<size_t>(model.options.context) + 1;
  if (training.size() < least || validation.size() < least)
    throw ValueError(
        {.code = "T-V144",
         .fault = fmt::format("{} is too short: nine tenths are for training, one for testing, and a window is "
                              "{} bytes",
                              flags.text, least),
         .hint = fmt::format("give at least {} bytes", 11 * least)});
  // Windows overlap by half, so that every byte is seen with context on its left.
  data::TextSet set(training, model.options.context, model.options.context / 2);
  data::Loader loader(set, {.batch = flags.batch, .seed = flags.run.seed, .drop_last = true});
  examples::Run run(flags.run, flags.batch, {.model = &model, .optimizer = &opt}, "bytes");

  auto step = compile(
      [&](Tensor x, Tensor y, Tensor lr) {
        nn::Training on;
        Tensor loss = nn::cross_entropy(model(x), y);
        opt.step(optim::clip_grad_norm(grad(loss, model.parameters()), 1.0).grads, lr);
        return loss;
      },
      {.name = "train_gpt", .precision = Precision(flags.run.precision)});
  auto schedule = optim::cosine(
      {.peak = flags.lr, .warmup = std::min<int64_t>(200, flags.run.steps / 6), .total = flags.run.steps + 1});
  fmt::print("{} parameters, {} bytes of text, batch {}×{}\n", model.parameter_count(), training.size(), flags.batch,
             model.options.context);
  run.train(loader, schedule, static_cast<double>(flags.batch * model.options.context), step,
            [&](const data::TextBatch& batch, double lr) { return step(batch.tokens, batch.targets, lr); });

  double bits = bits_per_byte(model, validation, flags.batch);
  fmt::print("last tenth of the text: {:.3f} bits per byte (xz -9 of it: {})\n\n", bits, xz_bits_per_byte(validation));
  std::string sample = continue_text(model, flags.prompt, flags.sample, 0.8);
  examples::write_text(run.path("sample.txt"), sample);
  fmt::print("{}\n", sample);
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  examples::CommandLine line("Trains a byte-level GPT and prints a sample.", flags.run);
  line.add("--text", flags.text, "a UTF-8 file; default: the King James Bible (Debian bible-kjv-text)");
  line.add("--batch", flags.batch, "windows per step", {examples::positive});
  line.add("--lr", flags.lr, "peak learning rate", {examples::positive});
  line.add("--prompt", flags.prompt, "what the sample continues");
  line.add("--sample", flags.sample, "bytes to sample", {examples::not_negative});
  return line.run(argc, argv, [&] { train(flags); });
}
