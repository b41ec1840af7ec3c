/// Which of a requester's numbers were seen.
#pragma once

#include <bitset>
#include <cstdint>

namespace busbar::protocol {

/// The numbers of a requester's that were held, or given back as never to be begun here; as far
/// back as the last 4,096: what is behind them counts as seen.
class SeenNumbers {
 public:
  bool contains(std::uint64_t number) const noexcept;
  bool was_refused(std::uint64_t number) const noexcept;
  /// Held. False: it was seen before, or may have been.
  bool insert(std::uint64_t number) noexcept;
  void refuse(std::uint64_t number) noexcept;
  /// Whether it was held nobody remembers.
  bool is_behind(std::uint64_t number) const noexcept {
    return number <= highest_ && highest_ - number >= size;
  }
  /// It was not begun, and may come again.
  void erase(std::uint64_t number) noexcept;

 private:
  static constexpr std::uint64_t size = 4096;
  std::bitset<size> seen_;
  std::bitset<size> refused_;  ///< Of those seen.
  std::uint64_t highest_ = 0;
};

}  // namespace busbar::protocol
