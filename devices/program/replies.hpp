/// The flow that req and call share: many requests at a time, each reply written in the order of
/// the lines.
#pragma once

#include "program/waiter.hpp"

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace busbar::program {

/// `Pending` has `ready()`, and `wait(timeout)`, which says the same after at most so long.
template <class Pending>
class Replies {
 public:
  /// False: nobody reads what we write.
  using Write = std::function<bool(Pending& pending, const std::string& place)>;

  Replies(Waiter& waiter, std::size_t concurrency, Write write)
      : waiter_(waiter), concurrency_(concurrency), write_(std::move(write)) {}

  /// One more is asked, for the line at `place`. Writes what has come, and waits until another one
  /// may be asked. False: none is to be; see `unwritten`.
  bool add(Pending pending, const std::string& place) {
    out_.emplace_back(std::move(pending), place);
    while (out_.size() >= concurrency_ || (!out_.empty() && out_.front().first.ready()))
      if (!take()) return false;
    return true;
  }
  /// Waits for all, and writes them.
  void finish() {
    while (!unwritten_ && !out_.empty() && take()) {
    }
  }
  bool empty() const noexcept { return out_.empty(); }
  /// The first line whose reply was not written, because of a signal or as nobody reads.
  const std::optional<std::string>& unwritten() const noexcept { return unwritten_; }

 private:
  bool take() {
    auto& [pending, place] = out_.front();
    bool goes_on = true;
    while (goes_on && !pending.wait(tick)) {
      waiter_.wait(std::chrono::milliseconds{0});
      goes_on = !waiter_.asked_to_end();
    }
    if (!goes_on || !write_(pending, place)) {
      unwritten_ = place;
      return false;
    }
    out_.pop_front();
    return true;
  }

  Waiter& waiter_;
  const std::size_t concurrency_;
  Write write_;
  std::deque<std::pair<Pending, std::string>> out_;
  std::optional<std::string> unwritten_;
};

}  // namespace busbar::program
