/// A range-based for loop over what comes.
#pragma once

#include <chrono>
#include <cstddef>
#include <iterator>
#include <type_traits>
#include <utility>

namespace busbar::detail {

/// How long a loop waits for the next one where nothing else is said.
inline constexpr std::chrono::milliseconds unlimited = std::chrono::hours{24 * 365};

/// What such a loop needs, and no more. `Held` is a std::optional or a pointer: the next one, for
/// which `next` waits, or empty at the end. What is held is let go of before that.
template <class Source, class Held>
class Incoming {
 public:
  using Next = Held (*)(Source& source, std::chrono::milliseconds timeout);

  class Iterator {
   public:
    using value_type = std::remove_cvref_t<decltype(*std::declval<Held&>())>;
    using difference_type = std::ptrdiff_t;
    explicit Iterator(const Incoming& range) : range_(range) { ++*this; }
    Iterator& operator++() {
      held_ = Held{};
      held_ = range_.next_(*range_.source_, range_.timeout_);
      return *this;
    }
    void operator++(int) { ++*this; }
    auto& operator*() noexcept { return *held_; }
    auto& operator*() const noexcept { return *held_; }
    auto* operator->() noexcept { return &*held_; }
    auto* operator->() const noexcept { return &*held_; }
    bool operator==(std::default_sentinel_t) const noexcept { return !held_; }

   private:
    Incoming range_;
    Held held_{};
  };

  /// `source` must live as long as the range and its iterators.
  Incoming(Source& source, Next next, std::chrono::milliseconds timeout)
      : source_(&source), next_(next), timeout_(timeout) {}
  Iterator begin() const { return Iterator{*this}; }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  Source* source_;
  Next next_;
  std::chrono::milliseconds timeout_;
};

}  // namespace busbar::detail
