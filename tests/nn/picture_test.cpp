#include <fstream>

#include <gmock/gmock.h>

#include <tessera/core/error.h>
#include <tessera/nn/io/chart.h>
#include <tessera/nn/io/file.h>
#include <tessera/nn/io/image.h>

#include "tests/nn/near.h"
#include "tests/nn/temporary_folder.h"

namespace tessera::io {
namespace {

using tessera::testing::ramp;
using tessera::testing::TemporaryFolder;
using ::testing::ElementsAre;

TEST(ImageGrid, PlacesPicturesRowByRow) {
  Image grid = image_grid(ramp({3, 1, 1, 1}), {.columns = 2, .gap = 1, .high = 2});
  EXPECT_EQ(grid.width, 5);
  EXPECT_EQ(grid.height, 5);
  auto at = [&](int y, int x) { return grid.pixels[static_cast<size_t>(y * 5 + x)]; };
  EXPECT_EQ(at(1, 1), 0);
  EXPECT_EQ(at(1, 3), 128);
  EXPECT_EQ(at(3, 1), 255);
  EXPECT_EQ(at(3, 3), 255) << "no fourth picture: white";
  EXPECT_EQ(image_grid(ramp({1, 3, 2, 4}), {.gap = 0, .scale = 3}).width, 12);
  EXPECT_THROW(image_grid(ramp({1, 2, 2, 2})), ValueError);
  EXPECT_THROW(image_grid(ramp({2, 2})), ValueError);
}

TEST(Png, HasItsSignatureAndSize) {
  TemporaryFolder folder;
  write_png(folder / "grey.png", image_grid(ramp({4, 1, 8, 8}, 0, 0.01)));
  std::string bytes = read_file(folder / "grey.png");
  EXPECT_EQ(bytes.substr(0, 8), "\x89PNG\r\n\x1a\n");
  EXPECT_EQ(bytes[19], 22);  // width: 2 · 8 and three gaps of 2
  EXPECT_THROW(write_png(folder / "bad.png", {4, 4, 3, {}}), ValueError);
}

TEST(LineChart, DrawsItsSeries) {
  Chart chart{.title = "loss", .x_label = "step", .series = {{"train", {0, 1, 2, 3}, {4, 2, std::nan(""), 1}}}};
  Image image = line_chart(chart);
  EXPECT_EQ(image.width, 960);
  int coloured = 0;
  for (size_t i = 0; i < image.pixels.size(); i += 3)
    coloured += image.pixels[i] == 0 && image.pixels[i + 1] == 114 && image.pixels[i + 2] == 178;
  EXPECT_GT(coloured, 300);
  EXPECT_NO_THROW(line_chart({.series = {{"", {5}, {1}}}}));
  EXPECT_THROW(line_chart({}), ValueError);
  EXPECT_THROW(line_chart({.series = {{"", {5}, {}}}}), ValueError);
}

// Marks under the axis: dark runs in a row of pixels below it.
int marks(const Chart& chart) {
  const Image image = line_chart(chart);
  const auto row = static_cast<size_t>((image.height - 66 + 3) * image.width * 3);
  int count = 0;
  bool inside = false;
  for (size_t x = 0; x < static_cast<size_t>(image.width); ++x) {
    const bool dark = image.pixels[row + 3 * x] < 200;
    count += dark && !inside;
    inside = dark;
  }
  return count;
}

TEST(LineChart, OfAShortRunHasWholeSteps) {
  EXPECT_EQ(marks({.series = {{"", {0, 1, 2, 3}, {4, 2, 3, 1}}}}), 4);
  EXPECT_EQ(marks({.series = {{"", {7}, {1}}}}), 1);
  EXPECT_EQ(marks({.series = {{"", {0, 0.5, 3}, {4, 2, 1}}}}), 7) << "no steps: halves are fine";
}

TEST(Ticks, AreRound) {
  EXPECT_THAT(ticks(0, 3, 8), ElementsAre(0, 0.5, 1, 1.5, 2, 2.5, 3));
  EXPECT_THAT(ticks(0, 3, 8, true), ElementsAre(0, 1, 2, 3));

  EXPECT_THAT(ticks(0, 1, 5), ElementsAre(0, ::testing::DoubleEq(0.2), ::testing::DoubleEq(0.4),
                                          ::testing::DoubleEq(0.6000000000000001), ::testing::DoubleEq(0.8), 1));
  EXPECT_THAT(ticks(0, 2000, 8), ElementsAre(0, 200, 400, 600, 800, 1000, 1200, 1400, 1600, 1800, 2000));
  EXPECT_THAT(ticks(-3, 3, 3), ElementsAre(-2, 0, 2));
}

}  // namespace
}  // namespace tessera::io
