#include <tessera/codegen/cuda/contract/contraction.h>

#include <algorithm>

#include <tessera/core/error.h>

namespace tessera::cuda {

using codegen::Access;

namespace {

using Dims = std::vector<size_t>;

ContractOperand operand_of(mlir::Value value, const codegen::Form& form) {
  ContractOperand operand;
  while (mlir::Operation* op = value.getDefiningOp()) {
    check_internal(op->getNumOperands() == 1, "an operand of a contraction is computed of several values");
    operand.widening.insert(operand.widening.begin(), op);
    value = op->getOperand(0);
  }
  operand.argument = mlir::cast<mlir::BlockArgument>(value).getArgNumber();
  operand.access = form.in[operand.argument];
  return operand;
}

// Descending strides: the innermost dim takes the smallest steps.
void sort_by(Dims& dims, const std::vector<const Access*>& keys) {
  std::stable_sort(dims.begin(), dims.end(), [&](size_t x, size_t y) {
    for (const Access* key : keys) {
      const int64_t at_x = std::abs(key->stride[x]), at_y = std::abs(key->stride[y]);
      if (at_x != at_y) return at_x > at_y;
    }
    return false;
  });
}

bool is_unit(const Dims& dims, const Access& access) {
  return std::ranges::any_of(dims, [&](size_t d) { return access.stride[d] == 1; });
}

class Reader {
 public:
  Reader(fuse::KernelOp kernel, Joined joined) : form_(codegen::read_form(kernel)), joined_(joined) {
    c_.kernel_op = kernel;
    for (auto contract : form_.body->getOps<fuse::ContractOp>()) {
      c_.contract_op = contract;
      c_.a = operand_of(contract.getLhs(), form_);
      c_.b = operand_of(contract.getRhs(), form_);
    }
  }

  Contraction read() {
    sort_dims();
    int at = 0;
    for (auto [side, dims] : {std::pair{&c_.batch, &batch_}, {&c_.m, &m_}, {&c_.n, &n_}, {&c_.k, &k_}}) {
      if (dims == &batch_) join_neighbours(*dims, true);
      else if (joined_ != Joined::never) join_neighbours(*dims, joined_ == Joined::where_all_alike);
      *side = {at, at + static_cast<int>(dims->size())};
      at = side->end;
      order_.insert(order_.end(), dims->begin(), dims->end());
    }
    for (size_t d : order_) c_.extent.push_back(form_.extent[d]);
    c_.a.access = ordered(c_.a.access), c_.b.access = ordered(c_.b.access);
    for (const Access& access : form_.in) c_.in.push_back(ordered(access));
    for (const Access& access : form_.out) c_.out.push_back(ordered(access));
    for (const Access& access : form_.index) c_.index.push_back(ordered(access));
    return std::move(c_);
  }

 private:
  void sort_dims() {
    codegen::DimSet over = 0;
    for (int64_t d : mlir::cast<fuse::ContractOp>(c_.contract_op).getOver()) over |= codegen::bit(static_cast<int>(d));
    for (size_t d = 0; d < form_.extent.size(); ++d) {
      if (form_.extent[d] == 1) continue;
      const bool in_a = c_.a.access.stride[d] != 0, in_b = c_.b.access.stride[d] != 0;
      if (codegen::has(over, static_cast<int>(d))) k_.push_back(d);
      else if (in_a && in_b) batch_.push_back(d);
      else if (in_a) m_.push_back(d);
      else n_.push_back(d);  // also what neither has: the product repeats along it
    }
    const Access& result = form_.out.front();
    if (is_unit(m_, result)) {
      std::swap(m_, n_);
      std::swap(c_.a, c_.b);
    }
    sort_by(batch_, {&result});
    sort_by(m_, {&result, &c_.a.access});
    sort_by(n_, {&result, &c_.b.access});
    sort_by(k_, {is_unit(k_, c_.a.access) ? &c_.a.access : &c_.b.access, &c_.b.access, &c_.a.access});
  }

  // Adds the outer of two dims to the inner one where every access walks them as one, that of operands too or not.
  void join_neighbours(Dims& dims, bool of_operands) {
    for (size_t i = dims.size(); i-- > 1;) {
      const size_t outer = dims[i - 1], inner = dims[i];
      bool alike = true;
      auto look = [&](const Access& access) {
        if (access.linear()) alike &= access.stride[outer] == access.stride[inner] * form_.extent[inner];
        else alike = false;
      };
      for (size_t k = 0; k < form_.in.size(); ++k)
        if (of_operands || (k != c_.a.argument && k != c_.b.argument)) look(form_.in[k]);
      for (const Access& access : form_.out) look(access);
      for (const Access& access : form_.index) look(access);
      if (!alike) continue;
      form_.extent[inner] *= form_.extent[outer];
      dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(i) - 1);
    }
  }

  Access ordered(const Access& access) const {
    check_internal(access.linear(), "an access of a contraction is not linear");
    Access made;
    made.base = access.base;
    for (size_t d : order_) made.stride.push_back(access.stride[d]);
    return made;
  }

  codegen::Form form_;
  Joined joined_;
  Contraction c_;
  Dims batch_, m_, n_, k_, order_;
};

}  // namespace

int64_t Contraction::size(Side side) const {
  int64_t points = 1;
  for (int d = side.begin; d < side.end; ++d) points *= extent[static_cast<size_t>(d)];
  return points;
}

Contraction read_contraction(fuse::KernelOp kernel, Joined joined) { return Reader(kernel, joined).read(); }

std::optional<int64_t> stride_along(const Contraction& c, const Access& access, Side side) {
  if (side.count() == 0) return std::nullopt;
  const auto last = static_cast<size_t>(side.end) - 1;
  int64_t reach = access.stride[last] * c.extent[last];
  for (int d = side.end - 1; d-- > side.begin;) {
    if (access.stride[static_cast<size_t>(d)] != reach) return std::nullopt;
    reach *= c.extent[static_cast<size_t>(d)];
  }
  return access.stride[last];
}

int64_t run_along(const Contraction& c, const Access& access, Side side) {
  int64_t run = 1;
  for (int d = side.end; d-- > side.begin;) {
    if (access.stride[static_cast<size_t>(d)] != run) break;
    run *= c.extent[static_cast<size_t>(d)];
  }
  return run;
}

}  // namespace tessera::cuda
