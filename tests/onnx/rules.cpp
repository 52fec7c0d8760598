#include "tests/onnx/rules.h"

namespace tessera::onnx_test {

const std::map<std::string, Rule>& rules() {
  static const RuleMap all = [] {
    RuleMap map;
    add_elementwise_rules(map);
    add_shape_rules(map);
    add_index_rules(map);
    add_reduce_rules(map);
    add_network_rules(map);
    add_loss_rules(map);
    return map;
  }();
  return all;
}

}  // namespace tessera::onnx_test
