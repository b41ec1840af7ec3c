#include "program/output.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <iostream>
#include <unistd.h>
#include <utility>

namespace busbar::program {

Output::Output(const std::string& file)
    : descriptor_(STDOUT_FILENO), name_(file.empty() ? "stdout" : file) {
  if (file.empty()) return;
  descriptor_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0)
    throw Error{ErrorKind::usage, "open " + file, std::strerror(errno), "name a file to write"};
}

Output::~Output() {
  if (descriptor_ != STDOUT_FILENO) ::close(descriptor_);
}

void Output::begin() {
  if (std::exchange(begun_, true)) return;
  // A pipe or a device cannot be cut, and need not be.
  if (descriptor_ != STDOUT_FILENO && ::ftruncate(descriptor_, 0) != 0 && errno != EINVAL)
    throw Error{ErrorKind::refused, "write " + name_, std::strerror(errno)};
}

bool Output::flush() {
  std::size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t wrote = ::write(descriptor_, buffer_.data() + done, buffer_.size() - done);
    if (wrote >= 0) {
      done += static_cast<std::size_t>(wrote);
    } else if (errno == EPIPE) {
      return false;
    } else if (errno != EINTR) {
      throw Error{ErrorKind::refused, "write " + name_,
                  errno == EBADF ? "it is closed" : std::strerror(errno)};
    }
  }
  buffer_.clear();
  return true;
}

StandardOutput::StandardOutput() : before_(std::cout.rdbuf(this)) {}

StandardOutput::~StandardOutput() { std::cout.rdbuf(before_); }

void StandardOutput::finish() {
  std::cout.flush();
  if (failure_) throw Error{*failure_};
}

StandardOutput::int_type StandardOutput::overflow(int_type character) {
  if (!traits_type::eq_int_type(character, traits_type::eof()))
    output_.buffer() += traits_type::to_char_type(character);
  return traits_type::not_eof(character);
}

std::streamsize StandardOutput::xsputn(const char* text, std::streamsize size) {
  output_.buffer().append(text, static_cast<std::size_t>(size));
  return size;
}

int StandardOutput::sync() {
  try {
    if (!failure_) (void)output_.flush();
  } catch (const Error& error) {
    failure_ = error;
  }
  output_.buffer().clear();
  return failure_ ? -1 : 0;
}

void occupy_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) != -1) continue;
    // The lowest free number is the one that is missing.
    (void)::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

}  // namespace busbar::program
