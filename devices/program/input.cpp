#include "program/input.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <busbar/core/error.hpp>
#include <busbar/core/limits.hpp>

namespace busbar::program {
namespace {

constexpr std::size_t chunk = 256u << 10;

/// 0 where it is not known beforehand. Throws Error where `file` cannot be read.
std::uint64_t size_of(const std::string& file) {
  if (file == "-") return 0;
  struct stat found {};
  int failure = ::access(file.c_str(), R_OK) != 0 || ::stat(file.c_str(), &found) != 0 ? errno : 0;
  if (S_ISDIR(found.st_mode)) failure = EISDIR;
  if (failure != 0)
    throw Error{ErrorKind::usage, "open " + file, std::strerror(failure), "name a file to read"};
  return S_ISREG(found.st_mode) ? static_cast<std::uint64_t>(found.st_size) : 0;
}

}  // namespace

Input::Input(std::vector<std::string> files, bool whole) : files_(std::move(files)), whole_(whole) {
  if (files_.empty()) files_.emplace_back("-");
  for (const std::string& file : files_) bytes_total_ += size_of(file);
  open_next();
}

Input::~Input() {
  if (descriptor_ > STDIN_FILENO) ::close(descriptor_);
}

bool Input::open_next() {
  if (descriptor_ > STDIN_FILENO) ::close(descriptor_);
  descriptor_ = -1;
  if (next_file_ == files_.size()) return false;
  line_ = 0;
  at_end_ = false;
  const std::string& file = files_[next_file_++];
  descriptor_ = file == "-" ? STDIN_FILENO : ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) throw Error{ErrorKind::usage, "open " + file, std::strerror(errno)};
  return true;
}

const std::string& Input::file() const { return files_[next_file_ == 0 ? 0 : next_file_ - 1]; }

std::string Input::name() const { return file() == "-" ? "stdin" : file(); }

std::string Input::place() const {
  if (whole_) return name();
  return (file() == "-" ? "line " : file() + ":") + std::to_string(line_);
}

bool Input::take_line(std::string& into) {
  if (whole_) return false;
  const std::size_t end = buffer_.find('\n', scanned_);
  if (end == std::string::npos) {
    scanned_ = buffer_.size();
    return false;
  }
  into.assign(buffer_, begin_, end - begin_);
  begin_ = scanned_ = end + 1;
  ++line_;
  return true;
}

bool Input::take_rest(std::string& into) {
  const bool there = whole_ || begin_ < buffer_.size();
  if (there) into.assign(buffer_, begin_);
  buffer_.clear();
  begin_ = scanned_ = 0;
  ++line_;
  return there;
}

/// item: read some; end: this file is at its end.
Input::State Input::fill() {
  pollfd waiting{descriptor_, POLLIN, 0};
  if (::poll(&waiting, 1, 0) == 0) return State::wait;
  buffer_.erase(0, begin_);
  scanned_ -= begin_;
  begin_ = 0;
  if (buffer_.size() > limits::message_bytes) {
    ++line_;
    throw Error{ErrorKind::usage, "read " + place(), "longer than 64 MiB",
                "send it in smaller messages"};
  }
  const std::size_t before = buffer_.size();
  buffer_.resize(before + chunk);
  const ssize_t got = ::read(descriptor_, buffer_.data() + before, chunk);
  const int failure = errno;
  buffer_.resize(before + static_cast<std::size_t>(got > 0 ? got : 0));
  if (got > 0) {
    bytes_read_ += static_cast<std::uint64_t>(got);
    return State::item;
  }
  if (got == 0) return State::end;
  if (failure == EAGAIN || failure == EINTR) return State::wait;
  if (failure == EBADF)
    throw Error{ErrorKind::usage, "read stdin", "standard input is closed", "give --file FILE"};
  throw Error{ErrorKind::usage, "read " + name(), std::strerror(failure),
              "give lines on stdin, or --file FILE"};
}

Input::State Input::next(std::string& into) {
  while (true) {
    if (at_end_ && !open_next()) return State::end;
    if (take_line(into)) return State::item;
    const State state = fill();
    if (state == State::wait) return state;
    if (state == State::item) continue;
    at_end_ = true;  // the next file is opened later, so that `place` still names this one
    if (take_rest(into)) return State::item;
  }
}

}  // namespace busbar::program
