/// Connections that outlive their socket until their peers have read to the end.
#pragma once

#include <cstdint>
#include <vector>

#include <busbar/core/clock.hpp>

namespace busbar::detail {

/// What a connection is known by for as long as the system runs, as its descriptor is used anew;
/// 0: it is closed.
std::uint64_t identity_of(int connection) noexcept;

/// TCP throws away what a closed connection has not carried yet as soon as its peer says anything,
/// and libzmq what an ipc connection still holds as soon as its other end is gone. So a connection
/// is closed for sending alone, and what its peer still says is read, until the peer closes it too.
class Farewell {
 public:
  Farewell() = default;
  Farewell(const Farewell&) = delete;
  Farewell& operator=(const Farewell&) = delete;
  /// Closes what is left.
  ~Farewell();

  /// Keeps a connection open though libzmq closes it, unless nobody ever spoke on it, or its
  /// descriptor has become another's.
  void keep(int connection, std::uint64_t identity);
  /// Once the socket is closed: waits until every peer has closed, at most until `end`.
  void wait(TimePoint end);

 private:
  struct Kept {
    int own;     ///< A descriptor of ours.
    int libzmq;  ///< Its own, which is closed when all is handed to the kernel.
    std::uint64_t identity;
  };
  void close_for_sending();

  std::vector<Kept> sending_;  ///< libzmq still sends.
  std::vector<int> read_;      ///< Closed for sending.
};

}  // namespace busbar::detail
