#include "busbar/protocol/header.hpp"

#include <algorithm>
#include <cstring>
#include <endian.h>

#include <msgpack.hpp>

#include <busbar/core/limits.hpp>

namespace busbar::protocol {

namespace {

constexpr std::uint32_t fields = 6;  // and the user's headers as a seventh

struct Appender {
  std::string& to;
  void write(const char* data, std::size_t size) { to.append(data, size); }
};

// msgpack's types in front of the numbers, and where they stand in a short header.
constexpr char array_of_fields = static_cast<char>(0x90 + fields);
constexpr char uint32_type = '\xce';
constexpr char uint64_type = '\xcf';
enum Place {
  elements_at = 1,
  version_at = 2,
  publisher_at = 3,
  stream_at = 12,
  sequence_at = 17,
  time_at = 26,
  batch_at = 35
};

void put64(char* at, std::uint64_t value) noexcept {
  value = htobe64(value);
  *at = uint64_type;
  std::memcpy(at + 1, &value, sizeof value);
}

void put32(char* at, std::uint32_t value) noexcept {
  value = htobe32(value);
  *at = uint32_type;
  std::memcpy(at + 1, &value, sizeof value);
}

std::uint64_t get64(const char* at) noexcept {
  std::uint64_t value = 0;
  std::memcpy(&value, at + 1, sizeof value);
  return be64toh(value);
}

std::uint32_t get32(const char* at) noexcept {
  std::uint32_t value = 0;
  std::memcpy(&value, at + 1, sizeof value);
  return be32toh(value);
}

void write_headers(Appender& stream, const Headers& headers) {
  msgpack::packer<Appender> packer{stream};
  packer.pack_map(static_cast<std::uint32_t>(headers.size()));
  for (const auto& [name, value] : headers) {
    packer.pack(name);
    packer.pack(value);
  }
}

std::size_t bytes_of(std::string_view name, std::string_view value) noexcept {
  constexpr std::size_t each = 16;
  return name.size() + value.size() + each;
}

bool read_headers(MsgpackReader& reader, Headers& into) {
  const auto size = reader.map();
  if (!size) return false;
  std::size_t bytes = 0;
  for (std::uint32_t i = 0; i < *size; ++i) {
    const auto name = reader.bytes();
    const auto value = name ? reader.bytes() : std::nullopt;
    if (!value || (bytes += bytes_of(*name, *value)) > limits::header_bytes) return false;
    into.emplace_back(*name, *value);
  }
  return true;
}

bool is_sequence(std::uint64_t number) noexcept {
  return number != 0 && number <= UINT64_MAX - UINT32_MAX;
}

inline std::optional<Header> checked(std::uint64_t publisher, std::uint64_t stream,
                                     std::uint64_t sequence, std::uint64_t time,
                                     std::uint64_t batch) {
  if (stream > UINT32_MAX || batch > UINT32_MAX || !is_sequence(sequence)) return std::nullopt;
  return Header{.publisher = publisher,
                .stream = static_cast<std::uint32_t>(stream),
                .sequence = sequence,
                .time = time,
                .batch = static_cast<std::uint32_t>(batch)};
}

/// As our own encoder writes it.
inline bool is_short(std::string_view bytes) noexcept {
  const char* const at = bytes.data();
  return bytes.size() >= short_header_size && at[0] == header_signature &&
         at[elements_at] == array_of_fields && at[version_at] == header_version &&
         at[publisher_at] == uint64_type && at[stream_at] == uint32_type &&
         at[sequence_at] == uint64_type && at[time_at] == uint64_type &&
         at[batch_at] == uint32_type && is_sequence(get64(at + sequence_at));
}

/// `bytes` then begin behind it.
inline std::optional<Header> take_short(std::string_view& bytes) noexcept {
  if (!is_short(bytes)) return std::nullopt;
  const char* const at = bytes.data();
  auto header = checked(get64(at + publisher_at), get32(at + stream_at), get64(at + sequence_at),
                        get64(at + time_at), get32(at + batch_at));
  if (header) bytes.remove_prefix(short_header_size);
  return header;
}

/// In any of msgpack's encodings.
std::optional<Header> read_header(MsgpackReader& reader) {
  const std::uint32_t elements = reader.array().value_or(0);
  if (elements < fields || reader.unsigned_integer() != header_version) return std::nullopt;
  const auto publisher = reader.unsigned_integer();
  const auto stream = reader.unsigned_integer();
  const auto sequence = reader.unsigned_integer();
  const auto time = reader.unsigned_integer();
  const auto batch = reader.unsigned_integer();
  if (!publisher || !stream || !sequence || !time || !batch) return std::nullopt;
  auto header = checked(*publisher, *stream, *sequence, *time, *batch);
  if (header && elements > fields && !read_headers(reader, header->headers)) return std::nullopt;
  for (std::uint32_t more = fields + 1; more < elements; ++more) {
    if (!reader.skip()) return std::nullopt;
  }
  return header;
}

}  // namespace

std::size_t encode_short(const Header& header, char (&into)[short_header_size]) noexcept {
  into[0] = header_signature;
  into[elements_at] = array_of_fields;
  into[version_at] = header_version;
  put64(into + publisher_at, header.publisher);
  put32(into + stream_at, header.stream);
  put64(into + sequence_at, header.sequence);
  put64(into + time_at, header.time);
  put32(into + batch_at, header.batch);
  return short_header_size;
}

std::string encode(const Header& header) {
  char fixed[short_header_size];
  std::string bytes{fixed, encode_short(header, fixed)};
  if (header.headers.empty()) return bytes;
  ++bytes[elements_at];
  Appender appender{bytes};
  write_headers(appender, header.headers);
  return bytes;
}

std::optional<Header> take_header(std::string_view& bytes) {
  if (bytes.empty() || bytes.front() != header_signature) return std::nullopt;
  if (auto header = take_short(bytes)) [[likely]]
    return header;
  MsgpackReader reader{bytes.substr(1)};
  auto header = read_header(reader);
  if (header) bytes = reader.left();
  return header;
}

std::optional<Header> decode_header(std::string_view bytes) { return take_header(bytes); }

std::uint32_t messages_behind(std::string_view bytes) noexcept {
  if (is_short(bytes)) [[likely]]
    return std::max<std::uint32_t>(1, get32(bytes.data() + batch_at));
  const auto header = decode_header(bytes);
  return header ? header->messages() : 1;
}

std::size_t size_of(const Headers& headers) noexcept {
  std::size_t bytes = 0;
  for (const auto& [name, value] : headers) bytes += bytes_of(name, value);
  return bytes;
}

void append_record(std::string& batch, std::string_view payload, const Headers& headers) {
  constexpr std::size_t short_binary = 256;
  if (headers.empty() && payload.size() < short_binary) [[likely]] {
    const char type_and_size[]{'\xc4', static_cast<char>(payload.size())};
    batch.append(type_and_size, sizeof type_and_size).append(payload);
    return;
  }
  Appender appender{batch};
  msgpack::packer<Appender> packer{appender};
  if (!headers.empty()) {
    packer.pack_array(2);
    write_headers(appender, headers);
  }
  packer.pack_bin(static_cast<std::uint32_t>(payload.size()));
  batch.append(payload);
}

bool BatchReader::next_with_headers(std::string_view& payload, Headers& headers) {
  return reader_.array() == 2u && read_headers(reader_, headers) && reader_.bytes(payload);
}

}  // namespace busbar::protocol
