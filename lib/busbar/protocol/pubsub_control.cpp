#include "busbar/protocol/pubsub_control.hpp"

#include <msgpack.hpp>

#include <busbar/core/error.hpp>
#include <busbar/core/limits.hpp>
#include <busbar/protocol/header.hpp>
#include <busbar/protocol/msgpack_reader.hpp>

namespace busbar::protocol {

namespace {

constexpr char control_signature = '\xBC';
// In this order, as libzmq repeats subscriptions: an inbox before what is answered into it.
constexpr char heads_letter = 'H';
constexpr char inbox_letter = 'I';
constexpr char presence_letter = 'P';
constexpr char fetch_letter = 'R';
constexpr std::size_t pattern_max = limits::topic_bytes - 25;
constexpr std::uint64_t raw_mark = 0xFF;  // else the size of what is behind the pattern's prefix
constexpr std::uint64_t sequence_max = UINT64_MAX / 2;
constexpr std::uint32_t positions_max = 100'000;  // more than a publisher has streams
constexpr std::uint32_t position_fields = 4;

enum ControlKind : std::uint8_t { welcome_kind, heads_kind, fetched_kind };

void put(std::string& to, std::uint64_t value, std::size_t size) {
  for (std::size_t i = size; i-- > 0;) to += static_cast<char>(value >> (8 * i));
}

/// Takes big-endian integers off the front; `good` turns false where there are too few bytes.
struct Taker {
  std::string_view left;
  bool good = true;

  std::uint64_t operator()(std::size_t size) {
    if (left.size() < size) good = false;
    std::uint64_t value = 0;
    for (std::size_t i = 0; good && i < size; ++i) {
      value = (value << 8) | static_cast<std::uint8_t>(left[i]);
    }
    left.remove_prefix(good ? size : 0);
    return value;
  }
};

std::string reserved(char letter) { return {reserved_byte, letter}; }

/// Writes a control frame field by field.
class Writer {
 public:
  Writer(ControlKind kind, std::uint32_t fields) {
    buffer_.write(&control_signature, 1);
    packer_.pack_array(2 + fields);
    (*this)(header_version)(static_cast<std::uint8_t>(kind));
  }
  template <class Value>
  Writer& operator()(const Value& value) {
    packer_.pack(value);
    return *this;
  }
  Writer& operator()(const std::vector<Position>& positions) {
    packer_.pack_array(position_fields * static_cast<std::uint32_t>(positions.size()));
    for (const Position& position : positions) {
      (*this)(position.stream)(position.first)(position.next)(position.topic);
    }
    return *this;
  }
  std::string str() const { return {buffer_.data(), buffer_.size()}; }

 private:
  msgpack::sbuffer buffer_;
  msgpack::packer<msgpack::sbuffer> packer_{buffer_};
};

/// Reads fields one after the other, and remembers whether one was missing.
struct Fields {
  MsgpackReader reader;
  bool good = true;

  std::uint64_t number(std::uint64_t max) {
    const auto value = reader.unsigned_integer();
    if (!value || *value > max) good = false;
    return good ? *value : 0;
  }
  std::uint32_t small() { return static_cast<std::uint32_t>(number(UINT32_MAX)); }
  std::string text() {
    const auto value = reader.bytes();
    if (!value || value->size() > limits::topic_bytes) good = false;
    return good ? std::string{*value} : std::string{};
  }
  std::vector<Position> positions() {
    std::vector<Position> read;
    const auto size = reader.array();
    if (!size || *size % position_fields != 0 || *size / position_fields > positions_max) {
      good = false;
    }
    for (std::uint32_t i = 0; good && i < *size; i += position_fields) {
      Position& position = read.emplace_back();
      position.stream = small();
      position.first = number(sequence_max);
      position.next = number(sequence_max);
      position.topic = text();
      if (position.first > position.next) good = false;
    }
    return read;
  }
};

}  // namespace

std::string inbox_topic(std::uint64_t inbox) {
  std::string topic = reserved(inbox_letter);
  put(topic, inbox, 8);
  return topic;
}

std::string_view heads_topic() noexcept {
  static constexpr char topic[]{reserved_byte, heads_letter};
  return {topic, sizeof topic};
}

std::string encode(const Presence& presence) {
  const TopicPattern& pattern = presence.pattern;
  const std::string text{pattern.is_raw() ? std::string{pattern.prefix()} : pattern.str()};
  const bool raw = pattern.is_raw() || text.size() > pattern_max;
  std::string topic = reserved(presence_letter);
  put(topic, presence.inbox, 8);
  put(topic, presence.number, 4);
  put(topic, presence.attempt, 2);
  put(topic, presence.publisher, 8);
  put(topic, raw ? raw_mark : text.size() - pattern.prefix().size(), 1);
  return topic.append(raw ? pattern.prefix().substr(0, pattern_max) : text);
}

std::string encode(const Fetch& fetch) {
  std::string topic = reserved(fetch_letter);
  put(topic, fetch.inbox, 8);
  put(topic, fetch.publisher, 8);
  put(topic, fetch.stream, 4);
  put(topic, fetch.first, 8);
  put(topic, fetch.last, 8);
  put(topic, fetch.attempt, 2);
  return topic;
}

namespace {

std::optional<Request> decode_presence(Taker take) {
  const std::uint64_t inbox = take(8);
  const auto number = static_cast<std::uint32_t>(take(4));
  const auto attempt = static_cast<std::uint16_t>(take(2));
  const std::uint64_t publisher = take(8);
  const std::uint64_t rest = take(1);
  if (!take.good || take.left.size() > pattern_max) return std::nullopt;
  const auto of = [&](TopicPattern pattern) {
    return Presence{inbox, number, attempt, publisher, std::move(pattern)};
  };
  if (rest == raw_mark) return of(TopicPattern::raw_prefix(take.left));
  try {
    return of(TopicPattern{take.left});
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<Request> decode_fetch(Taker take) {
  Fetch fetch;
  fetch.inbox = take(8);
  fetch.publisher = take(8);
  fetch.stream = static_cast<std::uint32_t>(take(4));
  fetch.first = take(8);
  fetch.last = take(8);
  fetch.attempt = static_cast<std::uint16_t>(take(2));
  const bool in_order = fetch.first > 0 && fetch.first <= fetch.last && fetch.last <= sequence_max;
  if (!take.good || !take.left.empty() || !in_order) return std::nullopt;
  return fetch;
}

}  // namespace

std::optional<Request> decode_request(std::string_view topic) {
  if (topic.size() < 2 || !is_reserved(topic)) return std::nullopt;
  const Taker take{topic.substr(2)};
  if (topic[1] == presence_letter) return decode_presence(take);
  if (topic[1] == fetch_letter) return decode_fetch(take);
  return std::nullopt;
}

std::string encode(const Welcome& welcome) {
  const auto keeps = static_cast<std::uint8_t>(welcome.keeps);
  return Writer{welcome_kind,
                5}(welcome.publisher)(welcome.name)(keeps)(welcome.presence)(welcome.positions)
      .str();
}

std::string encode(const Heads& heads) {
  return Writer{heads_kind, 2}(heads.publisher)(heads.positions).str();
}

std::string encode(const Fetched& fetched) {
  return Writer{fetched_kind, 4}(fetched.publisher)(fetched.stream)(fetched.last)(fetched.kept_from)
      .str();
}

bool is_control(std::string_view frame) noexcept { return frame.starts_with(control_signature); }

std::optional<Control> decode_control(std::string_view frame) {
  if (!is_control(frame)) return std::nullopt;
  Fields fields{MsgpackReader{frame.substr(1)}};
  const auto elements = fields.reader.array();
  if (!elements || fields.number(UINT64_MAX) != header_version) return std::nullopt;
  const std::uint64_t kind = fields.number(UINT8_MAX);
  const std::uint64_t publisher = fields.number(UINT64_MAX);
  std::optional<Control> control;
  if (kind == welcome_kind && *elements == 7) {
    Welcome welcome{.publisher = publisher, .name = fields.text(), .positions = {}};
    welcome.keeps = fields.number(1) == 1;
    welcome.presence = fields.small();
    welcome.positions = fields.positions();
    control = std::move(welcome);
  } else if (kind == heads_kind && *elements == 4) {
    control = Heads{publisher, fields.positions()};
  } else if (kind == fetched_kind && *elements == 6) {
    Fetched fetched{.publisher = publisher};
    fetched.stream = fields.small();
    fetched.last = fields.number(sequence_max);
    fetched.kept_from = fields.number(sequence_max);
    control = fetched;
  }
  return fields.good ? control : std::nullopt;
}

}  // namespace busbar::protocol
