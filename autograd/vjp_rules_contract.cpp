// One rule for matmul, convolution and all their gradients. A contraction is Σ a·b over all letters that a relation
// allows, so ∂loss/∂a is the same sum with a's word and the result's word exchanged and the relations as they are:
//   y = contract(a, b, "nchw,kcrs->nkpq")   ∂a = contract(g, b, "nkpq,kcrs->nchw")   ∂b = contract(a, g, "nchw,nkpq->kcrs")

#include <string>

#include <tessera/autograd/vjp_rules.h>
#include <tessera/core/einsum.h>
#include <tessera/core/error.h>

namespace tessera::pullback {

Tensor contract(const Vjp& v, int i) {
  const ContractAttrs& attrs = v.as<ContractAttrs>();
  const std::optional<Einsum> words = parse_einsum(attrs.einsum);
  check_internal(words.has_value(), "a recorded contraction has an einsum string");
  const std::string &mine = i == 0 ? words->a : words->b, &other = i == 0 ? words->b : words->a;

  std::string related;
  for (const WindowRelation& w : attrs.windows) related += {w.in, w.out, w.tap};
  // A letter that stands here alone was summed away alone: the gradient is constant along it.
  std::string word;
  Dims places;
  std::vector<LetterExtent> extents;
  for (size_t d = 0; d < mine.size(); ++d) {
    const char c = mine[d];
    const bool elsewhere = (words->out + other).find(c) != std::string::npos;
    if (!elsewhere && related.find(c) == std::string::npos) continue;
    word += c;
    places.push_back(static_cast<int64_t>(d));
    if (!elsewhere) extents.push_back({c, v.shape(i).dims()[d]});
  }
  const Einsum back = i == 0 ? Einsum{words->out, words->b, word} : Einsum{words->a, words->out, word};
  const Tensor part = i == 0 ? tessera::contract(v.g, v.x(1), back.str(), attrs.windows, extents)
                             : tessera::contract(v.x(0), v.g, back.str(), attrs.windows, extents);
  return broadcast_in_dim(part, v.shape(i), places);
}

}  // namespace tessera::pullback
