/// Threads, or an Error that says why there is none.
#pragma once

#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <busbar/core/error.hpp>

namespace busbar::detail {

/// Throws Error (refused): the system starts no more.
template <class Thread = std::thread, class Body>
Thread start_thread(const std::string& owner, Body body) {
  try {
    return Thread{std::move(body)};
  } catch (const std::system_error& error) {
    throw Error(ErrorKind::refused, "start a thread of '" + owner + "'", error.what(),
                "use fewer threads, or raise the limits on threads and memory (ulimit -u, -v)");
  }
}

}  // namespace busbar::detail
