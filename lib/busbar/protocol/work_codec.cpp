#include "busbar/protocol/work_codec.hpp"

#include <cstring>
#include <utility>

#include <msgpack.hpp>

#include <busbar/protocol/field_reader.hpp>

namespace busbar::protocol {

namespace {

enum Kind : std::uint8_t { ready = 1, alive = 2, hand = 3, answer = 4, goodbye = 5 };

constexpr std::uint64_t expiry_max = 24u * 60 * 60 * 1000;

struct Appender {
  std::string to = {};
  void write(const char* data, std::size_t size) { to.append(data, size); }
};

struct Buffer {
  char* at;
  void write(const char* data, std::size_t size) {
    std::memcpy(at, data, size);
    at += size;
  }
};

/// The signature, and an array of version, kind and the numbers, with room for `more` elements.
template <class Stream, class... Numbers>
void begin(Stream& stream, Kind kind, std::uint32_t more, Numbers... numbers) {
  stream.write(&work_signature, 1);
  msgpack::packer<Stream> packer{stream};
  packer.pack_array(static_cast<std::uint32_t>(2 + sizeof...(numbers)) + more);
  packer.pack(work_version);
  packer.pack(static_cast<std::uint8_t>(kind));
  (packer.pack(static_cast<std::uint64_t>(numbers)), ...);
}

void write(Appender& to, const Ready& m) {
  begin(to, ready, 1, m.worker, m.session, m.credit, m.expiry.count(), m.registration, m.answers);
  msgpack::packer<Appender>{to}.pack(m.name);
}

void write(Appender& to, const Alive& m) {
  begin(to, alive, 0, m.pusher, m.session, m.registration, m.expiry.count(), m.handed);
}

template <class Stream>
void write(Stream& to, const Hand& m) {
  begin(to, hand, 0, m.registration, m.number, m.delivery, m.attempt);
}

void write(Appender& to, const Answer& m) {
  begin(to, answer, m.reason.empty() ? 1 : 2, m.pusher, m.registration, m.number, m.verdict);
  msgpack::packer<Appender> packer{to};
  packer.pack_array(static_cast<std::uint32_t>(2 * m.runs.size()));
  for (const Run& run : m.runs) {
    packer.pack(run.first);
    packer.pack(run.count);
  }
  if (!m.reason.empty()) packer.pack(m.reason);
}

void write(Appender& to, const Goodbye& m) { begin(to, goodbye, 0, m.who); }

class Fields : public FieldReader {
 public:
  using FieldReader::FieldReader;

  bool expiry(std::chrono::milliseconds& into) {
    std::uint64_t value = 0;
    if (!number(value, expiry_max)) return false;
    into = std::chrono::milliseconds{value};
    return true;
  }
  bool text(std::string& into) {
    std::string_view value;
    if (!FieldReader::text(value, work_text_bytes)) return false;
    into = value;
    return true;
  }
  bool runs(std::vector<Run>& into) {
    const auto size = left_ == 0 ? std::nullopt : reader_.array();
    if (!size || *size % 2 != 0) return false;
    --left_;
    for (std::uint32_t i = 0; i < *size; i += 2) {
      const auto first = reader_.unsigned_integer();
      const auto count = first ? reader_.unsigned_integer() : std::nullopt;
      if (!count || *count == 0 || *first > UINT64_MAX - *count) return false;
      into.push_back({*first, *count});
    }
    return true;
  }
};

bool read(Fields& in, Ready& m) {
  return in.number(m.worker) && in.number(m.session) && in.number(m.credit, UINT32_MAX) &&
         in.expiry(m.expiry) && in.number(m.registration) && in.number(m.answers) &&
         in.text(m.name) && m.worker != 0 && m.session != 0;
}

bool read(Fields& in, Alive& m) {
  return in.number(m.pusher) && in.number(m.session) && in.number(m.registration) &&
         in.expiry(m.expiry) && in.number(m.handed) && m.pusher != 0;
}

bool read(Fields& in, Hand& m) {
  return in.number(m.registration) && in.number(m.number) && in.number(m.delivery) &&
         in.number(m.attempt, UINT32_MAX) && m.number != 0 && m.delivery <= UINT64_MAX - UINT32_MAX;
}

bool read(Fields& in, Answer& m) {
  std::uint64_t verdict = 0;
  if (!in.number(m.pusher) || !in.number(m.registration) || !in.number(m.number) ||
      !in.number(verdict, 3) || !in.runs(m.runs)) {
    return false;
  }
  m.verdict = static_cast<Verdict>(verdict);
  return in.at_end() || in.text(m.reason);
}

bool read(Fields& in, Goodbye& m) { return in.number(m.who); }

template <class Message>
std::optional<WorkMessage> read_as(Fields& in) {
  Message message;
  if (!read(in, message)) return std::nullopt;
  return message;
}

}  // namespace

std::string encode(const WorkMessage& message) {
  Appender to;
  std::visit([&](const auto& one) { write(to, one); }, message);
  return std::move(to.to);
}

std::size_t encode_short(const Hand& message, char (&into)[short_hand_max]) noexcept {
  Buffer buffer{into};
  write(buffer, message);
  return static_cast<std::size_t>(buffer.at - into);
}

std::optional<WorkMessage> decode_work(std::string_view frame) {
  if (frame.empty() || frame.front() != work_signature) return std::nullopt;
  Fields in{frame.substr(1)};
  std::uint64_t version = 0;
  std::uint64_t kind = 0;
  if (!in.number(version) || version != work_version || !in.number(kind)) return std::nullopt;
  switch (kind) {
    case ready:
      return read_as<Ready>(in);
    case alive:
      return read_as<Alive>(in);
    case hand:
      return read_as<Hand>(in);
    case answer:
      return read_as<Answer>(in);
    case goodbye:
      return read_as<Goodbye>(in);
    default:
      return std::nullopt;
  }
}

void append(std::vector<Run>& runs, std::uint64_t first, std::uint64_t count) {
  if (!runs.empty() && runs.back().first + runs.back().count == first) {
    runs.back().count += count;
  } else {
    runs.push_back({first, count});
  }
}

}  // namespace busbar::protocol
