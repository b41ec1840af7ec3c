#include "busbar/protocol/job.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace busbar::protocol {

std::size_t bytes_of(std::string_view payload, const Headers& headers) noexcept {
  std::size_t sum = payload.size();
  for (const auto& [name, value] : headers) sum += name.size() + value.size();
  return sum;
}

void Parcel::add(std::string_view payload, const Headers& headers) {
  if (messages() == 1) {  // no lone one, so there will be more like it
    marks_.reserve(messages_max);
    records_.reserve(std::min(messages_max * records_.size(), bytes_max));
  }
  append_record(records_, payload, headers);
  const std::size_t sum = before(messages()).bytes + bytes_of(payload, headers);
  marks_.push_back({static_cast<std::uint32_t>(records_.size()), static_cast<std::uint32_t>(sum)});
}

std::size_t Parcel::bytes(std::uint32_t begin, std::uint32_t end) const noexcept {
  return before(end).bytes - before(begin).bytes;
}

std::string_view Parcel::records(std::uint32_t begin, std::uint32_t end) const noexcept {
  const std::size_t from = before(begin).records;
  return std::string_view{records_}.substr(from, before(end).records - from);
}

Job Parcel::job(std::uint32_t index) const {
  Job made{.number = first + index, .time = time};
  BatchReader reader{records(index, index + 1)};
  const std::string_view payload = reader.next(made.headers).value_or("");
  if (!payload.empty()) made.payload = Frame{payload.data(), payload.size()};
  return made;
}

Lot Lot::split(std::uint32_t count) {
  assert(!job && count < messages());
  Lot head{.parcel = parcel, .begin = begin, .end = begin + count};
  begin += count;
  return head;
}

}  // namespace busbar::protocol
