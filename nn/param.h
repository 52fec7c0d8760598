#pragma once
// Param and Buffer: the States of a module. Declaring one as a member registers it:
//   nn::Param gate{this, "gate", nn::init::ones({8})};
// A Param is trained; a Buffer is only carried along (running statistics, tables, caches).
//
// A weight used in two places is one Param and a reference to it; it is saved once, under its owner's name.

#include <string>

#include <tessera/core/state.h>
#include <tessera/nn/init.h>
#include <tessera/nn/member_name.h>

namespace tessera::nn {

class ModuleBase;

class OwnedState : public State {
 public:
  const std::string& key() const { return key_; }  // its name within the module: "weight"; name() is the full path

 protected:
  OwnedState(ModuleBase& owner, const std::string& key, Tensor initial);
  ModuleBase& owner_;

 private:
  std::string key_;
};

class Param : public OwnedState {
 public:
  Param(ModuleBase* owner, MemberName name, const Init& init);
  ~Param() override;
  void initialize(const Init&);  // other first values, of the same shape, drawn from the same stream
  bool frozen = false;           // parameters() leaves it out; see ModuleBase::freeze
};

class Buffer : public OwnedState {
 public:
  // saved = false: recomputable, so files do not hold it.
  Buffer(ModuleBase* owner, MemberName name, Tensor initial, bool saved = true);
  ~Buffer() override;
  bool saved() const { return saved_; }

 private:
  bool saved_;
};

}  // namespace tessera::nn
