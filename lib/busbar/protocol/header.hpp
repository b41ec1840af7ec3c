/// The header of a pattern's message, and the records of a batch. lib/WIRE.md specifies both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <busbar/core/limits.hpp>
#include <busbar/protocol/msgpack_reader.hpp>

namespace busbar {

/// What a user gives along with a payload: names and values, at most limits::header_bytes in all.
using Headers = std::vector<std::pair<std::string, std::string>>;

namespace protocol {

/// The first byte of every header. Neither UTF-8 nor msgpack has it anywhere, so that a header ends
/// the topic in front of it.
inline constexpr char header_signature = '\xC1';
inline constexpr std::uint64_t header_version = 1;

/// Says which message this is.
struct Header {
  std::uint64_t publisher = 0;  ///< Drawn at random when a publisher starts.
  std::uint32_t stream = 0;     ///< Which of the publisher's numbered sequences.
  std::uint64_t sequence = 0;   ///< Of the (first) message in its stream; the first of all is 1.
  std::uint64_t time = 0;       ///< When it was sent: microseconds since 1970, UTC.
  std::uint32_t batch = 0;      ///< 0: one message. Else the payload is a batch of so many.
  Headers headers = {};         ///< Of one message; those of a batch are in its records.

  std::uint32_t messages() const noexcept { return batch == 0 ? 1 : batch; }
};

/// A header without user headers: every number is written in its full width, so it is written and
/// read without a look at each, and the place for one can be kept before its numbers are known.
inline constexpr std::size_t short_header_size = 40;
/// Writes a header without user headers; answers its size.
std::size_t encode_short(const Header& header, char (&into)[short_header_size]) noexcept;
std::string encode(const Header& header);
/// Empty: no header, or one that is broken or of another version. What is behind it is not read.
std::optional<Header> decode_header(std::string_view bytes);
/// How many messages are behind the header that `bytes` begin with; 1 where it is none.
std::uint32_t messages_behind(std::string_view bytes) noexcept;
/// A header at the beginning of `bytes`, which then begin behind it; `bytes` stay where it is none.
std::optional<Header> take_header(std::string_view& bytes);

/// What headers count for: their bytes, and some more for each.
std::size_t size_of(const Headers& headers) noexcept;
/// Whether headers fit in a message: at most limits::header_bytes.
inline bool fits(const Headers& headers) noexcept {
  return size_of(headers) <= limits::header_bytes;
}

/// Writes one record of a batch: a msgpack binary, or an array of a map and a binary.
void append_record(std::string& batch, std::string_view payload, const Headers& headers = {});

/// Reads a batch record by record; views refer to the batch.
class BatchReader {
 public:
  explicit BatchReader(std::string_view batch) noexcept : reader_(batch) {}
  bool at_end() const noexcept { return reader_.at_end(); }
  /// The payload of the next record, and its headers in `headers`. Empty: the rest is broken.
  std::optional<std::string_view> next(Headers& headers) {
    std::string_view payload;
    if (!next(payload, headers)) return std::nullopt;
    return payload;
  }
  /// The same where it is hot; see MsgpackReader::bytes.
  bool next(std::string_view& payload, Headers& headers) {
    headers.clear();
    return reader_.bytes(payload) || next_with_headers(payload, headers);
  }

 private:
  bool next_with_headers(std::string_view& payload, Headers& headers);

  MsgpackReader reader_;
};

}  // namespace protocol
}  // namespace busbar
