#include "program/sender.hpp"

#include "program/duration.hpp"
#include "program/show.hpp"

#include <atomic>
#include <memory>

#include <busbar/core/error.hpp>

namespace busbar::program {
namespace {

using std::chrono::steady_clock;

// Global: libzmq's threads give frames back for as long as the context lives, and longer than any
// object of ours.
std::atomic<std::uint64_t> frames_out{0};

void give_back(void*, void* hint) {
  delete static_cast<std::string*>(hint);
  frames_out.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace

Frame tracked_frame(std::string bytes) {
  auto owned = std::make_unique<std::string>(std::move(bytes));
  Frame frame{owned->data(), owned->size(), &give_back, owned.get()};
  (void)owned.release();
  frames_out.fetch_add(1, std::memory_order_relaxed);
  return frame;
}

void Sender::await_peer() {
  const auto give_up_at = steady_clock::now() + patience_;
  while (!session_.has_peer()) {
    if (session_.asked_to_end()) return;
    if (steady_clock::now() >= give_up_at)
      session_.give_up("no peer within " + format_duration(patience_),
                       "start the other end, or give a longer --timeout");
    session_.wait(0, tick);
  }
}

void Sender::wait_for_room(steady_clock::time_point& give_up_at) {
  const auto now = steady_clock::now();
  if (session_.has_peer() && !session_.asked_to_end()) give_up_at = now + patience_;
  if (now >= give_up_at)
    session_.give_up("no room for another message after " + counted(sent_, "message") +
                         ", and no peer for " + format_duration(patience_),
                     "start the other end, or give a longer --timeout");
  // A ROUTER always says that there is room.
  if (session_.socket().type() != SocketType::router)
    session_.wait(ZMQ_POLLOUT, tick);
  else
    session_.wait(0, std::chrono::milliseconds{1});
}

Sender::Outcome Sender::send(Multipart& message, const std::string& place) {
  auto give_up_at = steady_clock::now() + patience_;
  while (true) {
    switch (session_.socket().send(message)) {
      case SendResult::sent:
        ++sent_;
        return Outcome::sent;
      case SendResult::no_peer:
        return Outcome::no_peer;
      case SendResult::too_large:
        throw Error{ErrorKind::usage, "send " + place,
                    std::to_string(message.bytes()) + " bytes are more than 64 MiB",
                    "send it in smaller messages"};
      case SendResult::full:
        break;
    }
    if (session_.asked_to_stop_at_once()) return Outcome::ended;
    wait_for_room(give_up_at);
  }
}

void Sender::finish() {
  std::uint64_t left = frames_out.load();
  auto give_up_at = steady_clock::now() + patience_;
  while (left > 0 && !session_.asked_to_stop_at_once() && steady_clock::now() < give_up_at) {
    session_.wait(0, std::chrono::milliseconds{1});
    const std::uint64_t now_left = frames_out.load();
    if (now_left < left) give_up_at = steady_clock::now() + patience_;
    left = now_left;
  }
  if (left > 0)
    session_.give_up(
        counted(left, "message") + " of " + std::to_string(sent_) + " not handed to the system",
        "start the other end, or give a longer --timeout");
}

}  // namespace busbar::program
