#pragma once
// Each family of ONNX ops adds its rules to one table.

#include "tests/onnx/model.h"

namespace tessera::onnx_test {

using RuleMap = std::map<std::string, Rule>;
void add_elementwise_rules(RuleMap&);
void add_shape_rules(RuleMap&);
void add_index_rules(RuleMap&);
void add_reduce_rules(RuleMap&);
void add_network_rules(RuleMap&);  // products, convolutions, pooling, norms
void add_loss_rules(RuleMap&);

inline int axis_of(int64_t axis, const Tensor& x) { return static_cast<int>(axis < 0 ? axis + x.rank() : axis); }

}  // namespace tessera::onnx_test
