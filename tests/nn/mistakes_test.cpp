// What users do wrong with files, data and modules, one mistake per line.
#include <tessera/core/error.h>
#include <tessera/core/ops.h>
#include <tessera/nn/containers.h>
#include <tessera/nn/data/images.h>
#include <tessera/nn/data/text.h>
#include <tessera/nn/io/chart.h>
#include <tessera/nn/io/checkpoint.h>
#include <tessera/nn/io/metrics.h>
#include <tessera/nn/io/safetensors.h>
#include <tessera/nn/io/weights.h>
#include <tessera/nn/layers/attention.h>
#include <tessera/nn/layers/linear.h>
#include <tessera/nn/layers/mlp.h>
#include <tessera/nn/optim/adam.h>
#include <tessera/nn/optim/ema.h>
#include <tessera/nn/optim/schedule.h>
#include <tessera/nn/optim/sgd.h>

#include "tests/nn/temporary_folder.h"
#include "tests/support/mistakes.h"

namespace tessera::testing {
namespace {

struct Plain : nn::Module<Plain> {
  nn::Linear up{this, "up", {4, 3}};
};

// A file with this content, which is gone after the call.
template <class F> void with_file(const char* name, const std::string& content, const F& use) {
  TemporaryFolder folder;
  use(folder.put(name, content));
}

// clang-format off
const Mistake files[] = {
  {"LoadMissing",     __LINE__, "FileError", "T-F101", {"absent.safetensors: no such file", "relative path"}, [] { Plain model; io::load(model, "absent.safetensors"); }},
  {"LoadAbsolute",    __LINE__, "FileError", "T-F101", {"/absent/x.safetensors: no such file", "spelling"}, [] { Plain model; io::load(model, "/absent/x.safetensors"); }},
  {"LoadOther",       __LINE__, "FileError", "T-F101", {"does not match: missing 2 (up.weight, up.bias)", ".rename"}, [] { Plain model; with_file("x", std::string("\2\0\0\0\0\0\0\0{}", 10), [&](const std::string& path) { io::load(model, path); }); }},
  {"TensorMissing",   __LINE__, "FileError", "T-F101", {"no tensor 'up'", "entries()"}, [] { with_file("x", std::string("\2\0\0\0\0\0\0\0{}", 10), [](const std::string& path) { io::SafetensorsFile(path).read("up"); }); }},
  {"NamedTwice",      __LINE__, "ValueError", "T-V130", {"two tensors called 'w'"}, [] { io::save_safetensors("never.safetensors", {{"w", ones({1})}, {"w", ones({1})}}); }},
  {"CheckpointStep",  __LINE__, "ValueError", "T-V131", {"step is -1"}, [] { io::save_checkpoint("never", -1, {}); }},
  {"TextMissing",     __LINE__, "FileError", "T-F101", {"absent.txt: no such file"}, [] { data::read_text("absent.txt"); }},
  {"TextCut",         __LINE__, "FileError", "T-F101", {"see byte 1", "cut off within a character"}, [] { with_file("x", "a\xC3", [](const std::string& path) { data::read_text(path); }); }},
  {"IdxMissing",      __LINE__, "FileError", "T-F101", {"absent.idx: no such file"}, [] { data::ImageSet("absent.idx", "absent.idx", 10); }},
  {"ClothesMissing",  __LINE__, "FileError", "T-F101", {"/absent: no such folder", "dataset-fashion-mnist"}, [] { data::fashion_mnist(data::Split::test, "/absent"); }},
  {"MetricMissing",   __LINE__, "FileError", "T-F101", {"absent.jsonl: no such file"}, [] { io::read_metric("absent.jsonl", "loss"); }},
};

const Mistake sets[] = {
  {"BatchOfNone",     __LINE__, "ValueError", "T-V140", {"no batch of 0 in a data set of 4"}, [] { data::TextSet set("abcdefghi", 2); data::Loader(set, {.batch = 0}); }},
  {"BatchTooLarge",   __LINE__, "ValueError", "T-V140", {"no batch of 8 in a data set of 4", ".drop_last"}, [] { data::TextSet set("abcdefghi", 2); data::Loader(set, {.batch = 8, .drop_last = true}); }},
  {"NoSuchPlace",     __LINE__, "ValueError", "T-V141", {"batch 3", "epochs of 2 batches"}, [] { data::TextSet set("abcdefghi", 2); data::Loader(set, {.batch = 2}).restore({.batch = 3}); }},
  {"TextTooShort",    __LINE__, "ValueError", "T-V142", {"3 bytes", "window of 8"}, [] { data::TextSet("abc", 8); }},
  {"SplitFraction",   __LINE__, "ValueError", "T-V143", {"not 1.5"}, [] { data::split("abc", 1.5); }},
};

const Mistake modules[] = {
  {"LayersOfOneName", __LINE__, "ValueError", "T-V105", {"already has a member called 'up'"}, [] { struct M : nn::Module<M> { nn::Linear up{this, "up", {4, 3}}, again{this, "up", {4, 3}}; } m; }},
  {"ParamsOfOneName", __LINE__, "ValueError", "T-V105", {"already has a member called 'a'"}, [] { struct M : nn::Module<M> { nn::Param a{this, "a", nn::init::ones({1})}, b{this, "a", nn::init::ones({1})}; } m; }},
  {"SubsOfOneName",   __LINE__, "ValueError", "T-V105", {"already has a member called 'up'"}, [] { struct M : nn::Module<M> { nn::Sub<Plain> up{this, "up"}, again{this, "up"}; } m; }},
  {"ListOfThatName",  __LINE__, "ValueError", "T-V105", {"already has a member called 'up'"}, [] { struct M : nn::Module<M> { nn::Linear up{this, "up", {4, 3}}; nn::List<Plain> list{this, "up", 2}; } m; }},
  {"EmplacedTwice",   __LINE__, "ValueError", "T-V105", {"already has a member called 'a'"}, [] { struct M : nn::Module<M> { nn::Param a{this, "a", nn::init::ones({1})}; std::optional<nn::Param> b; M() { b.emplace(this, nn::MemberName("a"), nn::init::ones({1})); } } m; }},
  {"Dotted",          __LINE__, "ValueError", "T-V104", {"'a.b'", "no dot"}, [] { struct M : nn::Module<M> { nn::Buffer b{this, "a.b", ones({1})}; } m; }},
  {"NoExtent",        __LINE__, "ValueError", "T-V112", {"up.weight", "[0, 4]"}, [] { struct M : nn::Module<M> { nn::Linear up{this, "up", {4, 0}}; } m; }},
  {"NoExtentWithin",  __LINE__, "ValueError", "T-V112", {"mlp.up.weight", "[0, 4]"}, [] { struct M : nn::Module<M> { nn::Mlp mlp{this, "mlp", {4, 0}}; } m; }},
  {"NoOwner",         __LINE__, "ValueError", "T-V103", {"'a'", "pass this"}, [] { struct M : nn::Module<M> { nn::Param a{nullptr, "a", nn::init::ones({1})}; } m; }},
  {"UnevenHeads",     __LINE__, "ValueError", "T-V110", {"10", "3 equal parts"}, [] { struct M : nn::Module<M> { nn::Attention a{this, "a", {.dim = 10, .heads = 3}}; } m; }},
};

const Mistake optimizers[] = {
  {"NoParameters",    __LINE__, "ValueError", "T-V120", {"without parameters", "frozen"}, [] { optim::SGD({}); }},
  {"AdamOfNothing",   __LINE__, "ValueError", "T-V120", {"without parameters", "frozen"}, [] { optim::Adam({}); }},
  {"AdamWOfNothing",  __LINE__, "ValueError", "T-V120", {"without parameters", "frozen"}, [] { optim::AdamW({}); }},
  {"NoSuchGroup",     __LINE__, "ValueError", "T-V121", {"'norm*'", "as up.weight"}, [] { Plain model; optim::AdamW(model.parameters()).group("norm*", {.weight_decay = 0}); }},
  {"GradientMissing", __LINE__, "ValueError", "T-V122", {"1 gradients for 2", "built with"}, [] { Plain model; optim::SGD(model.parameters()).step({ones({3, 4})}, 0.1); }},
  {"GradientSwapped", __LINE__, "ShapeError", "T-S109", {"f32[3]", "[3, 4]", "in the order of the parameters"}, [] { Plain model; optim::SGD(model.parameters()).step({ones({3}), ones({3, 4})}, 0.1); }},
  {"GradientTooWide", __LINE__, "DTypeError", "T-D002", {"bf16", "f32"}, [] { State w("w", zeros({3}, bf16)); optim::SGD({&w}).step({ones({3})}, scalar(0.1, bf16)); }},
  {"NesterovAlone",   __LINE__, "ValueError", "T-V123", {".momentum", ".dampening"}, [] { Plain model; optim::SGD(model.parameters(), {.nesterov = true}); }},
  {"WarmupTooLong",   __LINE__, "ValueError", "T-V124", {"9 and 9"}, [] { optim::cosine({.peak = 1, .warmup = 9, .total = 9}); }},
  {"NoTotal",         __LINE__, "ValueError", "T-V124", {"0 and 0"}, [] { optim::linear({.peak = 1}); }},
  {"WarmupNegative",  __LINE__, "ValueError", "T-V124", {"not -1", "the rate climbs"}, [] { optim::constant(1, -1); }},
  {"AverageOfMore",   __LINE__, "ValueError", "T-V125", {"not 1.5", "steps"}, [] { Plain model; optim::Ema(model.parameters(), 1.5); }},
};
// clang-format on

INSTANTIATE_TEST_SUITE_P(Optimizers, Mistakes, ::testing::ValuesIn(optimizers), name_of);
INSTANTIATE_TEST_SUITE_P(Modules, Mistakes, ::testing::ValuesIn(modules), name_of);
INSTANTIATE_TEST_SUITE_P(Files, Mistakes, ::testing::ValuesIn(files), name_of);
INSTANTIATE_TEST_SUITE_P(Sets, Mistakes, ::testing::ValuesIn(sets), name_of);

// Damage shows far below the call: the line is the call's own all the same.
template <class F> void expect_line(const F& use, uint32_t line) {
  try {
    use();
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_STREQ(error.text().at.file, Loc::here().file) << error.what();
    EXPECT_EQ(error.text().at.line, line) << error.what();
  }
}

TEST(DamagedFiles, NameTheLineOfTheCall) {
  TemporaryFolder folder;
  Plain model;
  const std::string path = folder.put("x.safetensors", "\5");
  expect_line([&] { io::load(model, path); }, __LINE__);
  folder.put("latest", "nonsense");
  expect_line([&] { io::load_checkpoint(folder / "", {.model = &model}); }, __LINE__);
  io::save_checkpoint(folder / "run", 1, {.model = &model});
  std::filesystem::resize_file(folder / "run/step-1/model.safetensors", 40);
  expect_line([&] { io::load_checkpoint(folder / "run", {.model = &model}); }, __LINE__);
  std::filesystem::resize_file(folder / "run/step-1/state.json", 9);
  expect_line([&] { io::load_checkpoint(folder / "run", {.model = &model}); }, __LINE__);
  expect_line([&] { io::line_chart({}); }, __LINE__);
}

TEST(DamagedFiles, AreForgottenAfterTheCall) {
  Plain model;
  EXPECT_THROW(io::load(model, "absent.safetensors"), FileError);
  EXPECT_FALSE(ValueError({.code = "T-V000", .fault = "of another place"}).text().at.known());
}

}  // namespace
}  // namespace tessera::testing
