#include <tessera/codegen/cuda/contract/sums_of_products.h>

#include <algorithm>
#include <iterator>
#include <map>

#include <fmt/format.h>

namespace tessera::cuda {
namespace {

using Values = std::vector<int>;
using Sum = std::vector<Product>;

Values in_both(const Values& x, const Values& y) {
  Values both;
  std::ranges::set_intersection(x, y, std::back_inserter(both));
  return both;
}
Values in_all(const Sum& sum) {
  Values all = sum.front().values;
  for (const Product& product : sum) all = in_both(all, product.values);
  return all;
}

Sum divided(Sum sum, const Values& by) {
  for (Product& product : sum) {
    Values left;
    std::ranges::set_difference(product.values, by, std::back_inserter(left));
    product.values = std::move(left);
  }
  return sum;
}

// How many products each value stands in.
std::map<int, int> counts(const Sum& sum) {
  std::map<int, int> found;
  for (const Product& product : sum) {
    Values once = product.values;
    once.erase(std::unique(once.begin(), once.end()), once.end());
    for (int value : once) ++found[value];
  }
  return found;
}

class Text {
 public:
  explicit Text(const std::function<std::string(int)>& name_of) : name_of_(name_of) {}

  std::string of(const Sum& sum) const {
    if (sum.size() == 1) return product(sum.front());
    if (const Values all = in_all(sum); !all.empty()) return product({1, all}) + " * " + of(divided(sum, all));
    const std::map<int, int> found = counts(sum);
    const auto most = std::ranges::max_element(found, {}, [](const auto& one) { return one.second; });
    if (most == found.end() || most->second < 2) return one_by_one(sum);
    Sum with, without;
    for (const Product& one : sum) (std::ranges::count(one.values, most->first) > 0 ? with : without).push_back(one);
    const Values common = in_all(with);
    return fmt::format("::fmaf({}, {}, {})", product({1, common}), of(divided(with, common)), of(without));
  }

 private:
  // Nothing stands in several. What is no product comes last, and is added first.
  std::string one_by_one(Sum sum) const {
    std::ranges::stable_partition(sum, [](const Product& one) { return parts(one) > 1; });
    std::string text = product(sum.back());
    sum.pop_back();
    for (; !sum.empty(); sum.pop_back()) {
      Product rest = sum.back();
      const std::string first = is_number(rest) ? number(rest.factor) : name_of_(rest.values.front());
      if (parts(rest) == 1) {
        text = fmt::format("({} + {})", first, text);
        continue;
      }
      if (rest.factor != 1) rest.factor = 1;
      else rest.values.erase(rest.values.begin());
      text = fmt::format("::fmaf({}, {}, {})", first, product(rest), text);
    }
    return text;
  }

  static bool is_number(const Product& one) { return one.factor != 1 || one.values.empty(); }  // or begins with one
  static size_t parts(const Product& one) { return one.values.size() + (is_number(one) ? 1 : 0); }

  std::string product(const Product& one) const {
    std::string text = is_number(one) ? number(one.factor) : "";
    for (int value : one.values) text += (text.empty() ? "" : " * ") + name_of_(value);
    return text;
  }

  // As many digits as an f32 has, and a point.
  static std::string number(double x) {
    const std::string digits = fmt::format("{}", static_cast<float>(x));
    return digits + (digits.find_first_of(".e") == std::string::npos ? ".f" : "f");
  }

  const std::function<std::string(int)>& name_of_;
};

}  // namespace

std::optional<Sum> joined(const Sum& sum) {
  Sum made;
  for (const Product& one : sum) {
    const auto alike = std::ranges::find(made, one.values, &Product::values);
    if (alike == made.end()) made.push_back(one);
    else if ((alike->factor < 0) != (one.factor < 0)) return std::nullopt;
    else alike->factor += one.factor;
  }
  return made;
}

bool share_values(const Sum& sum) {
  return std::ranges::any_of(counts(sum), [](const auto& one) { return one.second > 1; });
}

std::string factored_text(const Sum& sum, const std::function<std::string(int)>& name_of) {
  return Text(name_of).of(sum);
}

}  // namespace tessera::cuda
