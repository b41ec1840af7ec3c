/// Where services are, by name: what `peer://NAME` stands for.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>

namespace busbar::detail {

/// Asked by the sockets of a context, in their threads. Thread-safe.
class Services {
 public:
  /// Answers an endpoint; empty: not known. Must not use this object.
  using LookUp = std::function<std::string(const std::string& name)>;

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
  /// The first answer that there is; empty: nobody knows it.
  std::string find(const std::string& name) const {
    const std::scoped_lock lock(mutex_);
    for (const auto& [id, look_up] : look_ups_) {
      if (std::string found = look_up(name); !found.empty()) return found;
    }
    return {};
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::uint64_t, LookUp> look_ups_;
  std::uint64_t last_ = 0;
};

}  // namespace busbar::detail
