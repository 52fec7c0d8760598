// Softmax and logsumexp: shifted by the lane's maximum, with −∞ lanes defined.
#include <cmath>

#include <tessera/core/reference_ops.h>

namespace tessera::reference {
namespace {

struct Lane {
  double maximum;  // −∞ for a lane of −∞ alone, NaN if there is one
  double sum;      // Σ exp(x − maximum); 0 for a lane of −∞ alone
};

Lane summarize(const std::vector<double>& x, const Split& split, int64_t start) {
  Lane lane{neutral<double>(Op::Max), 0};
  for (int64_t i = 0; i < split.extent; ++i)
    lane.maximum = rows::propagate_max(lane.maximum, x[static_cast<size_t>(start + i * split.inner)]);
  if (lane.maximum == neutral<double>(Op::Max)) return lane;
  for (int64_t i = 0; i < split.extent; ++i)
    lane.sum += std::exp(x[static_cast<size_t>(start + i * split.inner)] - lane.maximum);
  return lane;
}

}  // namespace

void softmax(const Call& call) {
  const Split split(call.shape(), call.attrs<DimAttrs>().dim);
  std::vector<double> x = load<double>(call.operands[0]);
  each_lane(split, [&](int64_t start) {
    const Lane lane = summarize(x, split, start);
    for (int64_t i = 0; i < split.extent; ++i) {
      double& element = x[static_cast<size_t>(start + i * split.inner)];
      element = lane.sum == 0 ? 0 : std::exp(element - lane.maximum) / lane.sum;
    }
  });
  store(call, x);
}

void logsumexp(const Call& call) {
  const Split split(call.operands[0].shape, call.attrs<DimAttrs>().dim);
  const std::vector<double> x = load<double>(call.operands[0]);
  std::vector<double> result;
  each_lane(split, [&](int64_t start) {
    const Lane lane = summarize(x, split, start);
    // An infinite maximum is the result; the sum would be NaN or its logarithm −∞ − ∞.
    result.push_back(std::isinf(lane.maximum) ? lane.maximum : lane.maximum + std::log(lane.sum));
  });
  store(call, result);
}

}  // namespace tessera::reference
