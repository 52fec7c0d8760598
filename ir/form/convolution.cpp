#include <tessera/ir/form/convolution.h>

#include <algorithm>

#include <tessera/ir/tsr/Einsum.h>

namespace tessera::ir {

namespace {

constexpr size_t most_windows = 3;

bool has(const std::string& word, char letter) { return word.find(letter) != std::string::npos; }

}  // namespace

mlir::Value tensor_of(tsr::ContractOp op, size_t tensor) { return tensor == 2 ? op.getY() : op->getOperand(tensor); }

std::optional<Convolution> read_convolution(tsr::ContractOp op) {
  const Einsum words = *parse_einsum(std::string_view(op.getEinsum()));
  const std::vector<WindowRelation> windows = tsr::relations_of(op.getWindows());
  if (windows.empty() || windows.size() > most_windows) return std::nullopt;
  Convolution made{.word = {words.a, words.b, words.out}};
  auto sole = [&](char letter) -> std::optional<size_t> {
    std::optional<size_t> found;
    for (size_t t = 0; t < 3; ++t) {
      if (!has(made.word[t], letter)) continue;
      if (found) return std::nullopt;
      found = t;
    }
    return found;
  };
  std::string spatial;
  for (const WindowRelation& w : windows) {
    const std::optional<size_t> over = sole(w.in), places = sole(w.out), filter = sole(w.tap);
    if (!over || !places || !filter || over == places || over == filter || places == filter) return std::nullopt;
    if (!spatial.empty() && (*over != made.over || *places != made.places)) return std::nullopt;
    made.over = *over, made.places = *places, made.filter = *filter;
    made.largest_stride = std::max(made.largest_stride, w.stride);
    made.taps *= tsr::shape_of(tensor_of(op, *filter))[made.word[*filter].find(w.tap)];
    spatial += {w.in, w.out, w.tap};
  }
  std::array<std::string, 3> outer, inner;
  for (size_t t = 0; t < 3; ++t)
    for (char letter : made.word[t]) {
      const bool in_over = has(made.word[made.over], letter), in_places = has(made.word[made.places], letter),
                 in_filter = has(made.word[made.filter], letter);
      if (has(spatial, letter)) inner[t] += letter;
      else if (in_over && in_places && !in_filter) outer[t] += letter;
      else if (in_over && in_filter && !in_places && (!made.over_channel || made.over_channel == letter))
        made.over_channel = letter;
      else if (in_places && in_filter && !in_over && (!made.places_channel || made.places_channel == letter))
        made.places_channel = letter;
      else return std::nullopt;
    }
  if (!made.over_channel || !made.places_channel) return std::nullopt;
  for (size_t t : {made.over, made.places})
    made.wanted[t] = outer[t] + inner[t] + (t == made.over ? made.over_channel : made.places_channel);
  made.wanted[made.filter] = made.places_channel + inner[made.filter] + made.over_channel;
  return made;
}

std::optional<Patches> read_patches(tsr::ContractOp op, const Convolution& conv, const std::string& filter) {
  if (conv.over == 2) return std::nullopt;
  const std::vector<WindowRelation> windows = tsr::relations_of(op.getWindows());
  auto extent = [&](size_t tensor, char letter) {
    return tsr::shape_of(tensor_of(op, tensor))[conv.word[tensor].find(letter)];
  };
  Patches made;
  std::string apart;
  for (char letter : conv.word[conv.over]) {
    const auto w = std::ranges::find(windows, letter, &WindowRelation::in);
    if (w == windows.end()) {
      apart += letter, made.apart.push_back(extent(conv.over, letter));
      continue;
    }
    const int64_t taps = extent(conv.filter, w->tap), count = extent(conv.places, w->out);
    if (w->stride != taps || w->dilation != 1 || w->pad != 0 || extent(conv.over, letter) != taps * count)
      return std::nullopt;
    apart += {w->out, w->tap}, made.apart.append({count, taps});
    made.elements *= taps, made.line = taps;
  }
  const int64_t channels = extent(conv.over, conv.over_channel);
  made.elements *= channels, made.line *= channels;
  for (const std::string& letters : {conv.wanted[conv.places], filter})
    std::ranges::copy_if(letters, std::back_inserter(made.word), [&](char c) { return c != conv.places_channel; });
  for (char letter : made.word) made.order.push_back(static_cast<int64_t>(apart.find(letter)));
  return made;
}

}  // namespace tessera::ir
