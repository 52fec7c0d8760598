#pragma once
// A program that answers each line of text with one line: how a peer that lives in Python takes turns with us.

#include <string>

namespace tessera::bench {

class PeerProcess {
 public:
  explicit PeerProcess(const std::string& script);  // run by python3
  ~PeerProcess();
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  // "" once the peer has ended; what it says on stderr is the user's to read.
  std::string ask(const std::string& line);

 private:
  int to_ = -1, from_ = -1, pid_ = -1;
};

}  // namespace tessera::bench
