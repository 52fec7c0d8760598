#include <tessera/core/raise_dims.h>

#include <algorithm>

#include <tessera/core/einsum.h>

namespace tessera {

int DimFactors::add(int64_t extent, From from) {
  factors_.push_back({extent, from});
  return static_cast<int>(factors_.size()) - 1;
}

DimFactors::Lists DimFactors::fresh(const Shape& shape, From from) {
  Lists out;
  for (int64_t n : shape) out.push_back(n == 1 ? List{} : List{add(n, from)});
  return out;
}

void DimFactors::mark(const List& list, From from) {
  for (int factor : expanded(list)) factors_[static_cast<size_t>(factor)].from = from;
}

void DimFactors::split(int factor, int64_t major) {
  const Factor whole = factors_[static_cast<size_t>(factor)];
  const int first = add(major, whole.from), second = add(whole.extent / major, whole.from);
  factors_[static_cast<size_t>(factor)].major = first;
  factors_[static_cast<size_t>(factor)].minor = second;
}

void DimFactors::expand(int factor, List& out) const {
  const Factor& f = factors_[static_cast<size_t>(factor)];
  if (f.major < 0) {
    out.push_back(factor);
    return;
  }
  expand(f.major, out);
  expand(f.minor, out);
}

DimFactors::List DimFactors::expanded(const List& list) const {
  List out;
  for (int factor : list) expand(factor, out);
  return out;
}

std::optional<DimFactors::Lists> DimFactors::regroup(const Lists& lists, const Shape& shape) {
  List left;  // minor first
  for (const List& list : lists)
    for (int factor : expanded(list)) left.insert(left.begin(), factor);
  Lists out;
  for (int64_t n : shape) {
    List dim;
    while (n > 1) {
      if (left.empty()) return std::nullopt;
      const int64_t extent = factors_[static_cast<size_t>(left.back())].extent;
      if (extent > n) {
        if (extent % n != 0) return std::nullopt;
        const int whole = left.back();
        split(whole, n);
        left.back() = factors_[static_cast<size_t>(whole)].minor;
        left.push_back(factors_[static_cast<size_t>(whole)].major);
        continue;
      }
      if (n % extent != 0) return std::nullopt;
      n /= extent;
      dim.push_back(left.back());
      left.pop_back();
    }
    out.push_back(std::move(dim));
  }
  return out;
}

std::optional<DimFactors::Lists> DimFactors::through(const Step& step, const Lists& operand) {
  const Node& node = *step.node;
  switch (node.op) {
    case Op::Reshape: return regroup(operand, node.shape);
    case Op::Transpose: {
      Lists out;
      for (int64_t dim : std::get<DimsAttrs>(node.attrs).dims) out.push_back(operand[static_cast<size_t>(dim)]);
      return out;
    }
    case Op::Broadcast: {
      Lists out = fresh(node.shape, From::elsewhere);
      const Dims& dims = std::get<DimsAttrs>(node.attrs).dims;
      for (size_t d = 0; d < dims.size(); ++d)
        if (!operand[d].empty()) out[static_cast<size_t>(dims[d])] = operand[d];
      return out;
    }
    case Op::Contract: {
      const Einsum words = *parse_einsum(std::get<ContractAttrs>(node.attrs).einsum);
      const std::string& word = step.operand == 0 ? words.a : words.b;
      Lists out = fresh(node.shape, From::elsewhere);
      for (size_t d = 0; d < out.size(); ++d)
        if (const size_t at = word.find(words.out[d]); at != std::string::npos) out[d] = operand[at];
      return out;
    }
    default: return operand;  // point by point
  }
}

bool DimFactors::divides(const Lists& divisor, const Lists& value) {
  for (size_t d = 0; d < value.size(); ++d) {
    List a = expanded(value[d]), b = expanded(divisor[d]);
    for (size_t i = 0; i < a.size(); ++i) {
      // Cut the coarser one.
      const int64_t n = factors_[static_cast<size_t>(a[i])].extent, m = factors_[static_cast<size_t>(b[i])].extent;
      if (n != m) {
        if (std::max(n, m) % std::min(n, m) != 0) return false;
        split(n > m ? a[i] : b[i], std::min(n, m));
        a = expanded(value[d]), b = expanded(divisor[d]);
      }
      const From of_value = factors_[static_cast<size_t>(a[i])].from,
                 of_divisor = factors_[static_cast<size_t>(b[i])].from;
      if (of_value == From::kept ? a[i] != b[i] : of_divisor != From::elsewhere) return false;
    }
  }
  return true;
}

bool DimFactors::has_all(const Lists& value, const Lists& dims) const {
  List have;
  for (const List& list : value)
    for (int factor : expanded(list)) have.push_back(factor);
  for (const List& list : dims)
    for (int factor : expanded(list))
      if (std::find(have.begin(), have.end(), factor) == have.end()) return false;
  return true;
}

}  // namespace tessera
