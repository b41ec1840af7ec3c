#include "program/output.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include <busbar/core/error.hpp>

namespace busbar::program {

Output::Output(const std::string& file)
    : descriptor_(STDOUT_FILENO), name_(file.empty() ? "stdout" : file) {
  if (file.empty()) return;
  descriptor_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0)
    throw Error{ErrorKind::usage, "open " + file, std::strerror(errno), "name a file to write"};
}

Output::~Output() {
  if (descriptor_ != STDOUT_FILENO) ::close(descriptor_);
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
      throw Error{ErrorKind::refused, "write " + name_, std::strerror(errno)};
    }
  }
  buffer_.clear();
  return true;
}

}  // namespace busbar::program
