// What a requester makes of what servers say.
#include "busbar/protocol/requester_protocol.hpp"

#include <busbar/protocol/msgpack_reader.hpp>

namespace busbar::protocol {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds busy_pause{100};  // before a server that had no room is asked again

std::uint64_t requester_of(const Correlation& head) noexcept {
  return std::visit([](const auto& one) { return one.key.requester; }, head);
}

Outcome outcome_of(FailureStatus status) noexcept {
  switch (status) {
    case FailureStatus::failed:
    case FailureStatus::abandoned:
      return Outcome::failed;
    case FailureStatus::expired:
      return Outcome::expired;
    case FailureStatus::forgotten:
      return Outcome::lost;
    default:
      return Outcome::refused;
  }
}

bool is_answer(const Correlation& head) noexcept {
  return std::holds_alternative<ReplyHead>(head) || std::holds_alternative<FailureHead>(head);
}

}  // namespace

void RequesterProtocol::on_message(std::size_t server, Multipart& frames, TimePoint now) {
  servers_[server].heard = now;
  servers_[server].silent_until = {};
  servers_[server].unheard = 0;
  std::string_view behind;
  const auto head = frames.empty() ? std::nullopt : decode_correlation(frames.text(0), behind);
  if (!head || requester_of(*head) != options_.id) {
    ++counts_.malformed;
  } else if (const auto* taken = std::get_if<TakenHead>(&*head)) {
    servers_[server].known = true;
    servers_[server].direct = taken->direct;
  } else if (const auto* batch = std::get_if<BatchHead>(&*head)) {
    on_batch(server, batch->count, behind, now);
  } else if (std::holds_alternative<RequestHead>(*head) && frames.size() > 2 &&
             frames[1].size() == 0) {
    on_stock_reply(server, std::get<RequestHead>(*head).key, frames, now);
  } else if (!is_answer(*head)) {
    ++counts_.malformed;
  } else if (Finished* finished = answered(server, *head, now)) {
    finished->begin = frames[0].size() - behind.size();
    finished->body = std::move(frames[0]);
  }
}

RequesterProtocol::Finished* RequesterProtocol::answered(std::size_t server,
                                                         const Correlation& head, TimePoint now) {
  if (const auto* reply = std::get_if<ReplyHead>(&head)) return replied(server, reply->key, now);
  return failed(server, std::get<FailureHead>(head), now);
}

/// Each as if it had come by itself. What is broken is one message that is malformed.
void RequesterProtocol::on_batch(std::size_t server, std::uint32_t count, std::string_view records,
                                 TimePoint now) {
  MsgpackReader in{records};
  for (; count > 0; --count) {
    std::string_view answer;
    std::string_view behind;
    const auto head = in.bytes(answer) ? decode_correlation(answer, behind) : std::nullopt;
    if (!head || requester_of(*head) != options_.id || !is_answer(*head)) {
      ++counts_.malformed;
      return;
    }
    if (Finished* finished = answered(server, *head, now))
      finished->body.rebuild(behind.data(), behind.size());
  }
}

/// A stock REP gave the envelope back, and a body of one frame or more.
void RequesterProtocol::on_stock_reply(std::size_t server, const RequestKey& key, Multipart& frames,
                                       TimePoint now) {
  Finished* finished = replied(server, key, now);
  if (finished == nullptr) return;
  finished->body = std::move(frames[2]);
  for (std::size_t i = 3; i < frames.size(); ++i) finished->further.push_back(std::move(frames[i]));
}

RequesterProtocol::Finished* RequesterProtocol::replied(std::size_t server, const RequestKey& key,
                                                        TimePoint now) {
  Request* request = find(key.number);
  if (request == nullptr) {
    ++counts_.late;
    return nullptr;
  }
  // Of a third one or a copy nobody knows how long it took.
  if (server == request->first) {
    latency_.add(now - request->first_sent_at);
  } else if (server == request->last) {
    latency_.add(now - request->sent_at);
  }
  if ((request->out & bit(server)) != 0) take_back(server, *request);
  return &finish(key.number, *request, Outcome::replied);
}

RequesterProtocol::Finished* RequesterProtocol::failed(std::size_t server, const FailureHead& head,
                                                       TimePoint now) {
  Request* request = find(head.key.number);
  if (request == nullptr) {
    ++counts_.late;
    return nullptr;
  }
  if ((request->out & bit(server)) != 0) take_back(server, *request);
  if (head.status == FailureStatus::unavailable && ask_another(server, head.key.number, now))
    return nullptr;
  if (head.status == FailureStatus::expired && insist(server, head.key.number, now)) return nullptr;
  Finished& finished = finish(head.key.number, *request, outcome_of(head.status));
  finished.status = head.status;
  finished.kind = head.kind;
  return &finished;
}

/// It was never begun there. False: that is its end.
bool RequesterProtocol::ask_another(std::size_t server, std::uint64_t number, TimePoint now) {
  Request& request = *find(number);
  servers_[server].silent_until = after(now, busy_pause);
  request.refused |= bit(server);
  if (request.out != 0) return true;  // another one has it
  const std::size_t other = choose(request.allowed & ~request.refused, now);
  if (other != none) {
    send_to(other, number, request, now);
    return true;
  }
  request.refused = 0;
  return try_later(number, request, now);
}

bool RequesterProtocol::try_later(std::uint64_t number, Request& request, TimePoint now) {
  if (!request.idempotent) return false;
  request.attempt_until = after(now, busy_pause);
  schedule(number, request);
  return true;
}

/// It was late by the server's clock, and so not begun; by ours it is not: then the clocks differ,
/// and the server is told so once. False: that is its end.
bool RequesterProtocol::insist(std::size_t server, std::uint64_t number, TimePoint now) {
  Request& request = *find(number);
  if (request.deadline <= now) return false;
  // Said of that, or of one before.
  if ((request.wanted & bit(server)) != 0) return try_later(number, request, now);
  send_to(server, number, request, now, Attempt::wanted);
  return true;
}

}  // namespace busbar::protocol
