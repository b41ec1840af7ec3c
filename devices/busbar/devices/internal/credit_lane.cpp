#include "busbar/devices/internal/credit_lane.hpp"

#include <algorithm>

#include <busbar/core/internal/frames.hpp>
#include <busbar/core/internal/random_id.hpp>

namespace busbar::detail {

using protocol::Verdict;

namespace {

bool to_inproc(const SideOptions& side) {
  return side.bind.empty() && side.connect.front().transport() == Transport::inproc;
}

}  // namespace

bool CreditLane::Side::receive(protocol::Address& from, Multipart& into) {
  if (receive_frames(socket.raw().handle(), into, ZMQ_DONTWAIT) != Received::message) return false;
  from.clear();
  if (routed) from = text(into.pop_front());
  return true;
}

bool CreditLane::Side::send(const protocol::Address& to, Multipart& frames) {
  if (routed) frames.push_front(to);
  return send_frames(socket.raw().handle(), frames, ZMQ_DONTWAIT) == 0;
}

CreditLane::CreditLane(Hops& hops, const DeviceOptions& first, const DeviceOptions& last,
                       Socket& frontend, Socket& backend)
    : hops_(hops),
      frontend_{frontend, type_of(first.frontend) == SocketType::router},
      backend_{backend, type_of(last.backend) == SocketType::router},
      most_waiting_(static_cast<std::size_t>(std::max(first.frontend.queue, 1))),
      intake_({.name = hops.front()->name, .credit = 0, .draw = random_id}),
      dispatcher_({.id = random_id(), .attempts_max = 1, .tell_done = true}) {
  using Kind = SocketEvent::Kind;
  frontend.on_event([this](const SocketEvent& event) {
    if (frontend_.routed) return;
    if (event.kind == Kind::connected) intake_.connected({});
    if (event.kind == Kind::disconnected) intake_.disconnected({});
  });
  backend.on_event([this](const SocketEvent& event) {
    if (event.kind == Kind::disconnected && backend_.routed) dispatcher_.probe();
    if (event.kind == Kind::disconnected && !backend_.routed) dispatcher_.disconnected({}, now_);
    if (event.kind == Kind::connected && !backend_.routed) dispatcher_.connected({});
  });
  // No monitor tells of these.
  if (to_inproc(first.frontend)) intake_.connected({});
  if (to_inproc(last.backend)) dispatcher_.connected({});
}

std::size_t CreditLane::burst(TimePoint now, std::size_t most, bool takes) {
  now_ = now;
  for (std::size_t i = 0; i < most && backend_.receive(from_, frames_); ++i) {
    dispatcher_.on_message(from_, frames_, now);
  }
  for (std::size_t i = 0; i < most && frontend_.receive(from_, frames_); ++i) {
    intake_.on_message(from_, frames_, now);
  }
  if (intake_.next_deadline() <= now) intake_.on_time(now);
  if (dispatcher_.next_deadline() <= now) dispatcher_.on_time(now);
  const std::uint64_t credit = std::min<std::uint64_t>(dispatcher_.credit(), most_waiting_);
  intake_.set_credit(takes ? static_cast<std::uint32_t>(credit) : 0);
  std::size_t taken = 0;
  while (takes && taken < most && dispatcher_.counts().waiting < most_waiting_ && take()) ++taken;
  for (const std::uint64_t number : dispatcher_.take_done()) answer(number, Verdict::done, {});
  send_all();
  for (const protocol::Job& job : dispatcher_.take_given_up()) {
    answer(job.number, job.suspect ? Verdict::died : Verdict::failed, job.failure);
  }
  send_all();
  book();
  return taken;
}

bool CreditLane::take() {
  auto item = intake_.take();
  if (item) pass(std::move(*item));
  return item.has_value();
}

/// Through the stages of all devices; what ends there is done.
void CreditLane::pass(protocol::Intake::Item item) {
  Multipart message{item.payload};
  Weight weight{message.bytes()};
  for (std::size_t i = 0; i < hops_.size(); ++i) {
    if (!hops_[i]->forward(message, weight)) {
      intake_.settle(item.ticket, Verdict::done);
      return;
    }
    if (i + 1 == hops_.size()) break;
    weight.sent_by(hops_[i]->backend);
  }
  const std::uint32_t earlier = item.attempt > 1 ? item.attempt - 1 : 0;
  const std::uint64_t number = dispatcher_.push({.time = item.header.time,
                                                 .payload = std::move(message[0]),
                                                 .headers = std::move(item.header.headers),
                                                 .earlier = earlier});
  hops_.back()->backend.sent_bytes += weight.bytes;
  if (item.ticket != 0) tickets_[number] = item.ticket;
}

void CreditLane::answer(std::uint64_t number, Verdict verdict, std::string_view reason) {
  const auto ticket = tickets_.find(number);
  if (ticket == tickets_.end()) return;
  intake_.settle(ticket->second, verdict, reason);
  tickets_.erase(ticket);
}

void CreditLane::send_all() {
  while (dispatcher_.next(out_)) {
    if (!backend_.send(out_.to, out_.frames)) dispatcher_.unreachable(out_.to, now_);
  }
  while (intake_.next(out_)) {
    if (!frontend_.send(out_.to, out_.frames)) intake_.unreachable(out_.to);
  }
}

void CreditLane::book() {
  const protocol::DispatcherCounts counts = dispatcher_.counts();
  SideLedger& book = hops_.back()->backend;
  book.sent = counts.pushed - counts.waiting;
  book.held = counts.waiting;
}

std::uint64_t CreditLane::leave() {
  const std::vector<protocol::Job> left = dispatcher_.take_waiting();
  for (const protocol::Job& job : left) answer(job.number, Verdict::returned, {});
  SideLedger& book = hops_.back()->backend;
  book.sent = dispatcher_.counts().pushed - left.size();
  book.held = 0;
  hops_.back()->frontend[Cause::abandoned] += left.size();
  dispatcher_.leave();
  intake_.leave();
  send_all();
  return left.size();
}

}  // namespace busbar::detail
