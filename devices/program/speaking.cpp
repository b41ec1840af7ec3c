#include "program/speaking.hpp"

#include "program/command.hpp"
#include "program/duration.hpp"
#include "program/send_lines.hpp"
#include "program/show.hpp"

#include <algorithm>

#include <busbar/core/error.hpp>

namespace busbar::program {
namespace {

std::string with_losses(std::string cause, const Losses& losses) {
  const auto add = [&](std::uint64_t messages, const std::string& why) {
    if (messages > 0) cause += (cause.empty() ? "" : "; ") + counted(messages, "message") + why;
  };
  add(losses.left_out, " left out, as peers did not read");
  add(losses.lost, " lost, as the connection was gone");
  return cause;
}

}  // namespace

Speaking::Speaking(const PeerCommand& command)
    : messages_(command.messages),
      target_(command.targets.at(0)),
      whispers_(command.action == "whisper"),
      present_(command),
      input_(command.messages.files, command.messages.whole) {}

int Speaking::run() {
  const auto unsent = send_lines(
      present_.waiter(), input_, messages_,
      [this](const Letter& letter, const std::string& place) { return send(letter, place); },
      [this] { await_peer(); });
  flush();
  const Losses found = losses();
  present_.end();
  check(found, unsent);
  return exit_ok;
}

bool Speaking::is_there() {
  const auto all = present_->peers();
  if (whispers_) return (to_ = addressee(all)).has_value();
  return std::any_of(all.begin(), all.end(), [&](const KnownPeer& known) {
    return std::find(known.groups.begin(), known.groups.end(), target_) != known.groups.end();
  });
}

/// By name, or by id. Throws Error where several have the name.
std::optional<PeerId> Speaking::addressee(const std::vector<KnownPeer>& all) const {
  std::optional<PeerId> found;
  const auto id = PeerId::parse(target_);
  for (const KnownPeer& known : all) {
    if (known.id == id) return id;
    if (known.name != target_) continue;
    if (found)
      present_.give_up("several peers are called '" + printable(target_) + "'",
                       "give the id that `busbar peer list` shows", ErrorKind::usage);
    found = known.id;
  }
  return found;
}

void Speaking::await_peer() {
  const bool there = present_.await([this] { return is_there(); }, messages_.patience());
  if (!there && !present_.waiter().asked_to_end())
    present_.give_up((whispers_ ? "no peer '" : "nobody in the group '") + printable(target_) +
                         "' within " + format_duration(messages_.patience()),
                     "start one, or give a longer --timeout");
  lost_before_ = present_->ledger().undeliverable;
}

bool Speaking::send(const Letter& letter, const std::string& place) {
  present_->drain([](PeerEvent&) {});
  if (whispers_) return whisper(letter.payload, place);
  // What those in it miss who do not read is told at the end.
  if (present_->shout(target_, letter.payload) > 0 || is_there()) return true;
  give_up(place + " was not sent: the group is empty", "start one again");
}

bool Speaking::whisper(const std::string& payload, const std::string& place) {
  SendResult result = SendResult::full;
  const auto sent = [&] {
    result = present_->whisper(*to_, payload);
    return result != SendResult::full;
  };
  present_.await(sent, messages_.patience());
  if (result == SendResult::sent) return true;
  if (present_.waiter().asked_to_end()) return false;
  give_up(place + " was not sent: the peer " +
              (result == SendResult::no_peer ? "has left" : "does not read"),
          "start it again");
}

void Speaking::flush() {
  const auto give_up_at = std::chrono::steady_clock::now() + messages_.patience();
  while (!in_time([this] { present_->flush(tick); })) {
    present_.waiter().wait(std::chrono::milliseconds{0});
    if (present_.waiter().asked_to_stop_at_once() || std::chrono::steady_clock::now() >= give_up_at)
      give_up("not all was sent", "is the peer reading? Or give a longer --timeout");
  }
}

Losses Speaking::losses() {
  const PeerLedger ledger = present_->ledger();
  // A whisper that found no room was tried again.
  return {whispers_ ? 0 : ledger.overflow, ledger.undeliverable - lost_before_};
}

void Speaking::give_up(const std::string& cause, const std::string& remedy) {
  present_.give_up(with_losses(cause, losses()), remedy);
}

void Speaking::check(const Losses& losses, const std::optional<std::string>& unsent) const {
  const std::string cause =
      with_losses(unsent ? "ended by a signal; nothing sent from " + *unsent + " on" : "", losses);
  if (cause.empty()) return;
  const bool gone = !unsent && losses.left_out == 0;
  present_.give_up(cause, unsent || gone ? "start it again" : "let them read, or send it again",
                   gone ? ErrorKind::unreachable : ErrorKind::timeout);
}

}  // namespace busbar::program
