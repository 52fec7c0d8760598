#pragma once
// dropout() as a layer, for Seq and for printing.

#include <tessera/nn/functional.h>
#include <tessera/nn/module.h>

namespace tessera::nn {

struct Dropout;
struct DropoutOptions {
  using Layer = Dropout;
  double p;
};
struct Dropout : Module<Dropout> {
  double p;

  Dropout(ModuleBase* parent, MemberName name, DropoutOptions o) : Module(parent, std::move(name)), p(o.p) {}
  Tensor forward(Tensor x) { return dropout(x, p); }
  std::string details() const override { return std::to_string(p); }
};

}  // namespace tessera::nn
