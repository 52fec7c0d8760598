#include "tests/bench/peer_process.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <stdexcept>

namespace tessera::bench {

PeerProcess::PeerProcess(const std::string& script) {
  int down[2], up[2];
  // closed on exec, so that a peer started later holds no end of this one's
  if (pipe2(down, O_CLOEXEC) != 0 || pipe2(up, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  std::signal(SIGPIPE, SIG_IGN);  // a peer that has ended shows in the empty answer
  pid_ = fork();
  if (pid_ == 0) {
    dup2(down[0], STDIN_FILENO), dup2(up[1], STDOUT_FILENO);
    execlp("python3", "python3", script.c_str(), nullptr);
    _exit(127);
  }
  close(down[0]), close(up[1]);
  to_ = down[1], from_ = up[0];
}

PeerProcess::~PeerProcess() {
  close(to_), close(from_);
  if (pid_ > 0) waitpid(pid_, nullptr, 0);
}

std::string PeerProcess::ask(const std::string& line) {
  std::string message = line + "\n", answer;
  if (write(to_, message.data(), message.size()) != static_cast<ssize_t>(message.size())) return "";
  for (char c; read(from_, &c, 1) == 1 && c != '\n';) answer += c;
  return answer;
}

}  // namespace tessera::bench
