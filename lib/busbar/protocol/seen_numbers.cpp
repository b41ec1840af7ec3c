#include "busbar/protocol/seen_numbers.hpp"

namespace busbar::protocol {

bool SeenNumbers::contains(std::uint64_t number) const noexcept {
  return number <= highest_ && (is_behind(number) || seen_.test(number % size));
}

bool SeenNumbers::was_refused(std::uint64_t number) const noexcept {
  return number <= highest_ && !is_behind(number) && refused_.test(number % size);
}

bool SeenNumbers::insert(std::uint64_t number) noexcept {
  if (contains(number)) return false;
  if (number > highest_ && number - highest_ >= size) {
    seen_.reset();
    refused_.reset();
    highest_ = number;
  }
  while (highest_ < number) {
    ++highest_;
    seen_.reset(highest_ % size);
    refused_.reset(highest_ % size);
  }
  seen_.set(number % size);
  return true;
}

void SeenNumbers::refuse(std::uint64_t number) noexcept {
  insert(number);
  if (!is_behind(number)) refused_.set(number % size);
}

void SeenNumbers::erase(std::uint64_t number) noexcept {
  if (number > highest_ || is_behind(number)) return;
  seen_.reset(number % size);
  refused_.reset(number % size);
}

}  // namespace busbar::protocol
