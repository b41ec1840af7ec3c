#include <cassert>

#include <busbar/core/multipart.hpp>

namespace busbar {

Multipart::Multipart(std::initializer_list<std::string_view> frames) {
  for (const std::string_view frame : frames) push_back(frame);
}

Multipart& Multipart::operator=(Multipart&& other) noexcept {
  // Swapped, so that the slots of both stay in use.
  slots_.swap(other.slots_);
  std::swap(size_, other.size_);
  if (this != &other) other.clear();
  return *this;
}

void Multipart::add_slot() {
  constexpr std::size_t usual = 4;  // routing id or topic, header, payload
  if (slots_.empty()) slots_.reserve(usual);
  slots_.emplace_back();
}

void Multipart::push_back(Frame frame) { grow() = std::move(frame); }

void Multipart::push_front(Frame frame) {
  push_back(std::move(frame));
  for (std::size_t i = size_ - 1; i > 0; --i) slots_[i].swap(slots_[i - 1]);
}

Frame Multipart::pop_front() {
  assert(!empty());
  Frame first = std::move(slots_[0]);
  for (std::size_t i = 1; i < size_; ++i) slots_[i - 1].swap(slots_[i]);
  --size_;
  return first;
}

void Multipart::pop_back() {
  assert(!empty());
  slots_[--size_].rebuild();
}

Multipart Multipart::copy() {
  Multipart twin;
  twin.slots_.reserve(size_);
  for (Frame& frame : *this) twin.grow().copy(frame);
  return twin;
}

}  // namespace busbar
