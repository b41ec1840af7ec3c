#include "program/filter.hpp"

#include "program/duration.hpp"
#include "program/talk.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <busbar/core/clock.hpp>
#include <busbar/core/error.hpp>

namespace busbar::program {
namespace {

constexpr std::chrono::milliseconds patience{1000};
constexpr std::chrono::milliseconds tick{20};  // how late an interruption is seen

std::array<int, 2> pipe_or_throw(const std::string& name) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw Error{ErrorKind::refused, "start " + name, std::strerror(errno)};
  return ends;
}

/// Our signals are blocked for signalfd, and SIGPIPE ignored; the child shall have neither. In a
/// group of its own, what the shell starts can be killed with it.
int spawn(const std::string& command, int in, int out, pid_t& child) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t broken_pipe;
  sigemptyset(&none);
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &broken_pipe);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::string shell = "/bin/sh";
  std::string flag = "-c";
  std::string text = command;
  std::array<char*, 4> arguments{shell.data(), flag.data(), text.data(), nullptr};
  const int failure =
      ::posix_spawn(&child, shell.c_str(), &files, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return failure;
}

}  // namespace

Filter::Filter(const std::string& command) : name_("command '" + printable(command) + "'") {
  const auto to = pipe_or_throw(name_);
  const auto from = pipe_or_throw(name_);
  const int failure = spawn(command, to[0], from[1], child_);
  ::close(to[0]);
  ::close(from[1]);
  in_ = to[1];
  out_ = from[0];
  ::fcntl(in_, F_SETFL, O_NONBLOCK);
  ::fcntl(out_, F_SETFL, O_NONBLOCK);
  if (failure != 0) throw Error{ErrorKind::refused, "start " + name_, std::strerror(failure)};
}

Filter::~Filter() {
  end_of_input();
  std::array<char, 4096> rest{};
  pollfd waiting{out_, POLLIN, 0};
  // Its stdout ends when it does.
  const Clock& clock = Clock::steady();
  const TimePoint end = after(clock.now(), patience);
  for (auto left = patience; left.count() > 0 && !out_of_step_;
       left = left_until(end, clock.now())) {
    if (::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) break;
    if (::read(out_, rest.data(), rest.size()) <= 0) break;
  }
  ::kill(-child_, SIGKILL);  // before waitpid: until then the number is not another's
  ::waitpid(child_, nullptr, 0);
  ::close(out_);
}

void Filter::end_of_input() {
  if (in_ >= 0) ::close(in_);
  in_ = -1;
}

/// Both ways at once: a filter may answer before it has read all of a long line.
void Filter::exchange(const std::string& line, std::size_t& written, int wait_ms) {
  std::array<pollfd, 2> waiting{
      {{out_, POLLIN, 0}, {written < line.size() ? in_ : -1, POLLOUT, 0}}};
  (void)::poll(waiting.data(), waiting.size(), wait_ms);
  if (waiting[1].revents != 0) {
    const ssize_t wrote = ::write(in_, line.data() + written, line.size() - written);
    if (wrote > 0) written += static_cast<std::size_t>(wrote);
    if (wrote < 0 && errno == EPIPE) throw Error{ErrorKind::refused, name_, "it has ended"};
  }
  if (waiting[0].revents != 0) read_some();
}

void Filter::read_some() {
  std::array<char, 65536> chunk{};
  const ssize_t got = ::read(out_, chunk.data(), chunk.size());
  if (got > 0) buffer_.append(chunk.data(), static_cast<std::size_t>(got));
  if (got == 0) throw Error{ErrorKind::refused, name_, "it has ended"};
}

/// What it writes unasked would be taken for the next answer.
void Filter::check_silent() const {
  if (buffer_.empty()) return;
  throw Error{ErrorKind::refused, name_, "it wrote more than one line for a request",
              "have it answer each line with one line; with --json that may hold several"};
}

bool Filter::ready() {
  try {
    if (out_of_step_) return false;
    read_some();
    check_silent();
  } catch (const Error& error) {
    warn(error.what());
    out_of_step_ = true;
  }
  return !out_of_step_;
}

std::string Filter::answer(std::string line, std::chrono::milliseconds timeout,
                           const std::function<bool()>& interrupted) {
  out_of_step_ = true;  // until it has answered
  line += '\n';
  std::size_t written = 0;
  std::size_t scanned = 0;
  const auto give_up_at = std::chrono::steady_clock::now() + timeout;
  while (true) {
    const std::size_t end = buffer_.find('\n', scanned);
    if (end != std::string::npos && written == line.size()) {
      std::string answer = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      check_silent();
      out_of_step_ = false;
      return answer;
    }
    scanned = end == std::string::npos ? buffer_.size() : end;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(give_up_at - std::chrono::steady_clock::now());
    if (left.count() <= 0)
      throw Error{ErrorKind::timeout, name_, "no answer within " + format_duration(timeout),
                  "does it flush after each line? (stdbuf -oL)"};
    if (interrupted()) throw Error{ErrorKind::timeout, name_, "no answer before the end"};
    exchange(line, written, static_cast<int>(std::min(left, tick).count()));
  }
}

}  // namespace busbar::program
