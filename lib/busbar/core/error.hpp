/// The one exception of Busbar: a set-up, a configuration or a call that failed.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace busbar {

/// Classed by what the caller can do about it; the values are the program's exit codes.
enum class ErrorKind {
  usage = 2,        ///< Correct the call or the configuration.
  unreachable = 3,  ///< Could not bind or connect: free the address, or start the peer.
  timeout = 4,      ///< Nothing happened in time: try again, or allow more time.
  refused = 5,      ///< A peer, a permission or a limit said no.
};

/// Names the operation with its subject, the cause, and what to do:
/// `bind tcp://127.0.0.1:5555: address already in use (another process listens there)`.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, std::string operation, std::string cause, std::string remedy = {});

  ErrorKind kind() const noexcept { return kind_; }
  /// What was tried, and on what: `bind tcp://127.0.0.1:5555`.
  const std::string& operation() const noexcept { return operation_; }
  const std::string& cause() const noexcept { return cause_; }
  /// What the caller can do; may be empty.
  const std::string& remedy() const noexcept { return remedy_; }

 private:
  ErrorKind kind_;
  std::string operation_;
  std::string cause_;
  std::string remedy_;
};

/// `text` with every byte that is not printable ASCII or well-formed UTF-8 escaped as `\xNN`, and
/// what is longer than `max` bytes cut there, with `…` behind it. Control characters of Unicode and
/// those that turn the direction of writing are escaped as well. What came from outside goes into a
/// log line or an Error only through this.
std::string printable(std::string_view text, std::size_t max = 120);

}  // namespace busbar
