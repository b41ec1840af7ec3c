#include "busbar/protocol/request_codec.hpp"

#include <array>
#include <cstring>

#include <msgpack.hpp>

#include <busbar/protocol/field_reader.hpp>
#include <busbar/protocol/header.hpp>

namespace busbar::protocol {

namespace {

enum Kind : std::uint8_t { request = 0, failure = 1, cancel = 2, taken = 3, reply = 4, batch = 5 };
constexpr std::uint64_t idempotent = 1;  // flags
constexpr std::uint64_t tell_me = 2;
constexpr std::uint64_t wanted = 4;

/// Signature, array, version and kind; four integers, flags; a method.
constexpr std::size_t longest = 4 + 4 * 9 + 2 + 2 + method_bytes;

/// Written on the stack: frames of up to 33 bytes cost libzmq no allocation either.
class Writer {
 public:
  Writer(std::uint32_t elements, Kind kind, const RequestKey& key) : packer_(*this) {
    write(&request_signature, 1);
    packer_.pack_array(elements);
    add(request_version);
    add(kind);
    add(key.requester);
    add(key.number);
  }
  void add(std::uint64_t number) { packer_.pack(number); }
  void add(std::string_view text) {
    packer_.pack_str(static_cast<std::uint32_t>(text.size()));
    packer_.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
  }
  Frame frame(std::string_view behind = {}) const {
    Frame made{size_ + behind.size()};
    std::memcpy(made.data(), bytes_.data(), size_);
    if (!behind.empty()) std::memcpy(made.data<char>() + size_, behind.data(), behind.size());
    return made;
  }

  void write(const char* data, std::size_t size) {
    std::memcpy(bytes_.data() + size_, data, size);
    size_ += size;
  }

 private:
  std::array<char, longest> bytes_;
  std::size_t size_ = 0;
  msgpack::packer<Writer> packer_;
};

class Reader : public FieldReader {
 public:
  using FieldReader::FieldReader;

  bool key(RequestKey& into) noexcept {
    return number(into.requester) && number(into.number) && into.requester != 0 && into.number != 0;
  }
};

std::optional<Correlation> read_request(Reader& in) noexcept {
  RequestHead head;
  std::uint64_t left = 0;
  std::uint64_t flags = 0;
  if (!in.key(head.key) || !in.number(left, deadline_max.count()) || !in.number(head.sent) ||
      !in.number(flags) || !in.text(head.method, method_bytes)) {
    return std::nullopt;
  }
  head.left = std::chrono::milliseconds{left};
  head.idempotent = (flags & idempotent) != 0;
  head.tell_me = (flags & tell_me) != 0;
  head.wanted = (flags & wanted) != 0;
  return head;
}

std::optional<Correlation> read_failure(Reader& in) noexcept {
  FailureHead head;
  std::uint64_t status = 0;
  if (!in.key(head.key) || !in.number(status, 255) || status == 0 || !in.number(head.kind, 255)) {
    return std::nullopt;
  }
  // One that is not known yet is a failure all the same.
  const bool known = status <= static_cast<std::uint64_t>(FailureStatus::forgotten);
  head.status = known ? static_cast<FailureStatus>(status) : FailureStatus::failed;
  return head;
}

std::optional<Correlation> read_taken(Reader& in) noexcept {
  TakenHead head;
  std::uint64_t direct = 0;
  if (!in.key(head.key) || !in.number(direct)) return std::nullopt;
  head.direct = direct == 1;
  return head;
}

std::optional<Correlation> read_batch(Reader& in) noexcept {
  BatchHead head;
  if (!in.key(head.key) || !in.number(head.count, batch_max) || head.count == 0)
    return std::nullopt;
  return head;
}

template <class Head>
std::optional<Correlation> read_key(Reader& in) noexcept {
  Head head;
  if (!in.key(head.key)) return std::nullopt;
  return head;
}

std::optional<Correlation> read(std::uint64_t kind, Reader& in) noexcept {
  switch (kind) {
    case request:
      return read_request(in);
    case failure:
      return read_failure(in);
    case cancel:
      return read_key<CancelHead>(in);
    case taken:
      return read_taken(in);
    case reply:
      return read_key<ReplyHead>(in);
    case batch:
      return read_batch(in);
    default:
      return std::nullopt;
  }
}

}  // namespace

Frame encode(const RequestHead& head) {
  Writer out{8, request, head.key};
  out.add(static_cast<std::uint64_t>(head.left.count()));
  out.add(head.sent);
  out.add((head.idempotent ? idempotent : 0u) | (head.tell_me ? tell_me : 0u) |
          (head.wanted ? wanted : 0u));
  out.add(head.method);
  return out.frame();
}

Frame encode(const ReplyHead& head, std::string_view payload) {
  return Writer{4, reply, head.key}.frame(payload);
}

Frame encode(const FailureHead& head, std::string_view reason) {
  Writer out{6, failure, head.key};
  out.add(static_cast<std::uint64_t>(head.status));
  out.add(head.kind);
  return out.frame(reason);
}

Frame encode(const CancelHead& head) { return Writer{4, cancel, head.key}.frame(); }

Frame encode(const TakenHead& head) {
  Writer out{5, taken, head.key};
  out.add(head.direct ? 1u : 0u);
  return out.frame();
}

Frame encode(const BatchHead& head, std::string_view records) {
  Writer out{5, batch, head.key};
  out.add(head.count);
  return out.frame(records);
}

void append_request(std::string& records, const Frame& correlation, const Frame& payload) {
  append_record(records, text(correlation));
  append_record(records, text(payload));
}

std::optional<Correlation> decode_correlation(std::string_view frame,
                                              std::string_view& behind) noexcept {
  if (frame.empty() || frame.front() != request_signature) return std::nullopt;
  Reader in{frame.substr(1)};
  std::uint64_t version = 0;
  std::uint64_t kind = 0;
  if (!in.number(version) || version != request_version || !in.number(kind)) return std::nullopt;
  const auto head = read(kind, in);
  return in.skip_rest(behind) ? head : std::nullopt;
}

}  // namespace busbar::protocol
