#include "busbar/protocol/header.hpp"

#include <cstring>

#include <msgpack.hpp>

#include <busbar/core/limits.hpp>

namespace busbar::protocol {

namespace {

constexpr std::uint32_t fields = 6;  // and the headers as a seventh

struct Buffer {
  char* at;
  void write(const char* data, std::size_t size) {
    std::memcpy(at, data, size);
    at += size;
  }
};

struct Appender {
  std::string& to;
  void write(const char* data, std::size_t size) { to.append(data, size); }
};

template <class Stream>
void write_fields(Stream& stream, const Header& header) {
  stream.write(&header_signature, 1);
  msgpack::packer<Stream> packer{stream};
  packer.pack_array(fields + (header.headers.empty() ? 0 : 1));
  packer.pack(header_version);
  packer.pack(header.publisher);
  packer.pack(header.stream);
  packer.pack(header.sequence);
  packer.pack(header.time);
  packer.pack(header.batch);
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

/// The header but for its user headers, in front of which `reader` stands afterwards.
std::optional<Header> read_fields(MsgpackReader& reader, std::uint32_t& elements) {
  elements = reader.array().value_or(0);
  if (elements < fields || reader.unsigned_integer() != header_version) return std::nullopt;
  const auto publisher = reader.unsigned_integer();
  const auto stream = reader.unsigned_integer();
  const auto sequence = reader.unsigned_integer();
  const auto time = reader.unsigned_integer();
  const auto batch = reader.unsigned_integer();
  if (!publisher || !stream || !sequence || !time || !batch) return std::nullopt;
  if (*stream > UINT32_MAX || *batch > UINT32_MAX) return std::nullopt;
  if (*sequence == 0 || *sequence > UINT64_MAX - UINT32_MAX) return std::nullopt;
  return Header{.publisher = *publisher,
                .stream = static_cast<std::uint32_t>(*stream),
                .sequence = *sequence,
                .time = *time,
                .batch = static_cast<std::uint32_t>(*batch)};
}

}  // namespace

std::size_t encode_short(const Header& header, char (&into)[short_header_max]) noexcept {
  Buffer buffer{into};
  write_fields(buffer, header);
  return static_cast<std::size_t>(buffer.at - into);
}

std::string encode(const Header& header) {
  std::string frame;
  Appender appender{frame};
  write_fields(appender, header);
  if (!header.headers.empty()) write_headers(appender, header.headers);
  return frame;
}

std::optional<Header> decode_header(std::string_view frame) {
  if (frame.empty() || frame.front() != header_signature) return std::nullopt;
  MsgpackReader reader{frame.substr(1)};
  std::uint32_t elements = 0;
  auto header = read_fields(reader, elements);
  if (header && elements > fields && !read_headers(reader, header->headers)) return std::nullopt;
  return header;
}

std::uint32_t messages_announced(std::string_view frame) noexcept {
  if (frame.empty() || frame.front() != header_signature) return 1;
  MsgpackReader reader{frame.substr(1)};
  std::uint32_t elements = 0;
  const auto header = read_fields(reader, elements);
  return header ? header->messages() : 1;
}

bool fits(const Headers& headers) noexcept {
  std::size_t bytes = 0;
  for (const auto& [name, value] : headers) {
    bytes += bytes_of(name, value);
    if (bytes > limits::header_bytes) return false;
  }
  return true;
}

void append_record(std::string& batch, std::string_view payload, const Headers& headers) {
  Appender appender{batch};
  msgpack::packer<Appender> packer{appender};
  if (!headers.empty()) {
    packer.pack_array(2);
    write_headers(appender, headers);
  }
  packer.pack_bin(static_cast<std::uint32_t>(payload.size()));
  batch.append(payload);
}

std::optional<std::string_view> BatchReader::next_with_headers(Headers& headers) {
  if (reader_.array() != 2u || !read_headers(reader_, headers)) return std::nullopt;
  return reader_.bytes();
}

}  // namespace busbar::protocol
