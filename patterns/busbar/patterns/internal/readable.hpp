/// What other event loops wait on.
#pragma once

#include <optional>
#include <utility>

#include <busbar/core/internal/wake.hpp>

namespace busbar::detail {

/// A descriptor that is readable while there is something, from when it was first asked for.
class Readable {
 public:
  bool is_open() const noexcept { return wake_.has_value(); }
  int open() {
    if (!wake_) wake_.emplace();
    return wake_->descriptor();
  }
  /// No effect before `open`.
  void show(bool something) noexcept {
    if (!wake_ || std::exchange(shown_, something) == something) return;
    if (something) {
      wake_->signal();
    } else {
      wake_->clear();
    }
  }

 private:
  std::optional<Wake> wake_;
  bool shown_ = false;
};

}  // namespace busbar::detail
