/// A test case of this executable, run in a process of its own that can be killed and stopped.
#pragma once

#include <csignal>
#include <spawn.h>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <utility>
#include <vector>

extern char** environ;

namespace busbar::testing {

/// The case is marked `doctest::skip()` and reads its settings from the environment.
class Process {
 public:
  Process(const std::string& test_case, std::vector<std::string> settings) {
    std::vector<std::string> arguments{"tests", "-tc=" + test_case, "--no-skip", "-m", "-nv"};
    std::vector<char*> argv = pointers(arguments);
    std::vector<char*> environment = pointers(settings);
    environment.pop_back();
    for (char** one = environ; *one != nullptr; ++one) environment.push_back(*one);
    environment.push_back(nullptr);
    if (posix_spawn(&id_, "/proc/self/exe", nullptr, nullptr, argv.data(), environment.data()) != 0)
      throw std::runtime_error("no process");
  }
  Process(Process&& other) noexcept : id_(std::exchange(other.id_, 0)) {}
  Process& operator=(Process&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~Process() { end(); }
  /// Killed, and gone when this returns: what it held is free for another one.
  void end() noexcept {
    if (id_ == 0) return;
    send(SIGKILL);
    waitpid(id_, nullptr, 0);
    id_ = 0;
  }
  void send(int signal) const noexcept { kill(id_, signal); }

 private:
  static std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (std::string& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
  }
  pid_t id_ = 0;
};

}  // namespace busbar::testing
