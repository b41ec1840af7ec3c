/// Where services are, by name: what `peer://NAME` stands for.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include <busbar/core/error.hpp>

namespace busbar::detail {

/// Asked by the sockets of a context, in their threads. Thread-safe.
class Services {
 public:
  /// Answers an endpoint, empty: nobody offers it; or nothing: it is too early to tell. Must not
  /// use this object.
  using LookUp = std::function<std::optional<std::string>(const std::string& name)>;

  struct Answer {
    std::string endpoint = {};
    std::string cause = {};  ///< Why there is none.
  };

  std::uint64_t add(LookUp look_up) {
    const std::scoped_lock lock(mutex_);
    look_ups_.emplace(++last_, std::move(look_up));
    return last_;
  }
  /// When it returns the look-up is not called any more.
  void remove(std::uint64_t id) {
    const std::scoped_lock lock(mutex_);
    look_ups_.erase(id);
  }
  /// The first that there is. Nothing: it is too early to tell.
  std::optional<Answer> find(const std::string& name) const {
    const std::scoped_lock lock(mutex_);
    bool early = false;
    for (const auto& [id, look_up] : look_ups_) {
      const std::optional<std::string> found = look_up(name);
      if (found && !found->empty()) return Answer{.endpoint = *found};
      early |= !found;
    }
    if (early) return std::nullopt;
    const std::string quoted = "'" + printable(name) + "'";
    if (!look_ups_.empty()) return Answer{.cause = "no peer offers " + quoted};
    return Answer{.cause = "its context has no Peer that could find " + quoted};
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::uint64_t, LookUp> look_ups_;
  std::uint64_t last_ = 0;
};

}  // namespace busbar::detail
