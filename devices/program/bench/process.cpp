#include "program/bench/process.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <iostream>
#include <new>
#include <poll.h>
#include <signal.h>
#include <sstream>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <busbar/core/error.hpp>

namespace busbar::program::bench {
namespace {

constexpr int announce_ms = 10'000;

[[noreturn]] void fail(const std::string& what, const std::string& cause) {
  throw Error{ErrorKind::refused, "bench: " + what, cause};
}

void announce(int descriptor, const std::vector<std::string>& endpoints) {
  std::string text;
  for (const std::string& endpoint : endpoints) text += endpoint + ' ';
  text += '\n';
  if (::write(descriptor, text.data(), text.size()) < 0) _exit(1);
}

[[noreturn]] void be_child(const std::function<void(const Announce&)>& work, int descriptor,
                           pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) _exit(1);
  try {
    work([descriptor](const auto& endpoints) { announce(descriptor, endpoints); });
  } catch (const std::exception& error) {
    std::cerr << "busbar: bench: " << error.what() << std::endl;
  }
  _exit(1);
}

}  // namespace

SharedMemory::SharedMemory() {
  void* memory =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("share memory", std::strerror(errno));
  shared_ = new (memory) Shared{};
}

SharedMemory::~SharedMemory() { ::munmap(shared_, sizeof(Shared)); }

Process::Process(const std::function<void(const Announce&)>& work) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("make a pipe", std::strerror(errno));
  const pid_t parent = ::getpid();
  child_ = ::fork();
  if (child_ == 0) {
    ::close(ends[0]);
    be_child(work, ends[1], parent);
  }
  ::close(ends[1]);
  announced_ = ends[0];
  if (child_ < 0) fail("fork", std::strerror(errno));
}

Process::~Process() {
  ::close(announced_);
  if (child_ <= 0) return;
  ::kill(child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
}

std::vector<std::string> Process::endpoints() {
  std::string text;
  while (text.empty() || text.back() != '\n') {
    pollfd waiting{announced_, POLLIN, 0};
    std::array<char, 1024> chunk{};
    const int ready = ::poll(&waiting, 1, announce_ms);
    const ssize_t got = ready > 0 ? ::read(announced_, chunk.data(), chunk.size()) : 0;
    if (got <= 0) fail("start a process", "it did not say where it is bound");
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  std::istringstream words{text};
  std::vector<std::string> endpoints;
  for (std::string word; words >> word;) endpoints.push_back(word);
  return endpoints;
}

double Process::cpu_seconds() const {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(child_, &clock) != 0 || ::clock_gettime(clock, &used) != 0)
    fail("read a process' CPU time", "it has ended");
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

}  // namespace busbar::program::bench
