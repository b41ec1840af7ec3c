/// Work as a pusher holds it: a message by itself, or many small ones packed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <busbar/core/multipart.hpp>
#include <busbar/protocol/header.hpp>

namespace busbar::protocol {

std::size_t bytes_of(std::string_view payload, const Headers& headers) noexcept;

/// One message from when it is pushed until it is done, given up, or lost.
struct Job {
  std::uint64_t number = 0;  ///< Set by Dispatcher::push.
  std::uint64_t time = 0;    ///< Microseconds since 1970, UTC.
  Frame payload = {};
  Headers headers = {};
  std::uint32_t attempts = 0;  ///< Ours.
  std::uint32_t earlier = 0;   ///< Attempts before it came to us.
  bool suspect = false;        ///< A worker died with it.
  std::uint64_t avoid = 0;     ///< The worker that had it last; 0: none.
  std::string failure = {};

  std::size_t bytes() const noexcept { return bytes_of(text(payload), headers); }
};

/// Small messages that were pushed one behind the other, as the records of a batch: none of them
/// costs an allocation, or is moved by itself.
class Parcel {
 public:
  /// No more is added to one that has reached either: its bytes go when its last message does.
  static constexpr std::size_t messages_max = 64;
  static constexpr std::size_t bytes_max = 16u << 10;

  explicit Parcel(std::uint64_t at) : time(at) {}
  bool is_full() const noexcept {
    return marks_.size() >= messages_max || records_.size() >= bytes_max;
  }
  void add(std::string_view payload, const Headers& headers);

  std::uint32_t messages() const noexcept { return static_cast<std::uint32_t>(marks_.size()); }
  /// The payloads and headers of the messages from `begin` to the one before `end`.
  std::size_t bytes(std::uint32_t begin, std::uint32_t end) const noexcept;
  std::size_t bytes() const noexcept { return bytes(0, messages()); }
  /// Their records.
  std::string_view records(std::uint32_t begin, std::uint32_t end) const noexcept;
  /// A copy of the message with that index, as it was pushed.
  Job job(std::uint32_t index) const;

  std::uint64_t first = 0;    ///< The number of its first message.
  std::uint64_t time;         ///< Of its first message, and told of all of them.
  std::uint32_t settled = 0;  ///< Messages that are not held any more, or by themselves.

 private:
  struct Mark {  ///< Up to the end of a message.
    std::uint32_t records;
    std::uint32_t bytes;
  };
  Mark before(std::uint32_t index) const noexcept {
    return index == 0 ? Mark{} : marks_[index - 1];
  }

  std::string records_;
  std::vector<Mark> marks_;
};

/// What is handled as one: a job, or messages of a parcel that follow each other.
struct Lot {
  std::unique_ptr<Job> job = {};
  std::shared_ptr<Parcel> parcel = {};  ///< Where there is no job; gone where nothing is kept.
  std::uint32_t begin = 0;              ///< Of its messages in the parcel,
  std::uint32_t end = 1;                ///< and behind the last of them.

  /// An empty parcel.
  static Lot open(std::uint64_t time) {
    return {.parcel = std::make_shared<Parcel>(time), .end = 0};
  }
  bool takes_more() const noexcept { return parcel && !parcel->is_full(); }
  /// Requires that it takes more, and is the end of its parcel.
  void add(std::string_view payload, const Headers& headers) {
    parcel->add(payload, headers);
    ++end;
  }

  std::uint32_t messages() const noexcept { return end - begin; }
  std::size_t bytes() const noexcept { return job ? job->bytes() : parcel->bytes(begin, end); }
  std::uint64_t number() const noexcept { return job ? job->number : parcel->first + begin; }
  std::uint64_t time() const noexcept { return job ? job->time : parcel->time; }
  /// Takes the first `count` messages off. Requires that there are more.
  Lot split(std::uint32_t count);
};

}  // namespace busbar::protocol
