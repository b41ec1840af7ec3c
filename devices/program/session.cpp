#include "program/session.hpp"

#include "program/talk.hpp"

#include <algorithm>
#include <array>

#include <busbar/core/error.hpp>

namespace busbar::program {
namespace {

SocketOptions socket_options(const MessageOptions& options) {
  SocketOptions socket;
  socket.name = options.command;
  place(socket, options);
  return socket;
}

}  // namespace

Session::Session(SocketType type, const MessageOptions& options)
    : context_({.log = library_log()}),
      name_(subject(options)),
      socket_(context_, type, socket_options(options)) {
  socket_.on_event([this](const SocketEvent& event) {
    if (event.kind == SocketEvent::Kind::not_resolved) unresolved_ = event.cause;
  });
  say_bound(options, socket_.bound());
}

void Session::wait(short events, int readable, int output,
                   std::optional<std::chrono::milliseconds> timeout) {
  const Clock& clock = context_.clock();
  if (maintain_at_ <= clock.now()) maintain_at_ = socket_.maintain();
  std::array<zmq::pollitem_t, 5> items{{{socket_.raw().handle(), 0, events, 0},
                                        {socket_.monitor().handle(), 0, ZMQ_POLLIN, 0},
                                        {nullptr, signals(), ZMQ_POLLIN, 0},
                                        {nullptr, 0, 0, 0},
                                        {nullptr, 0, 0, 0}}};
  int count = 3;
  const auto add = [&](int descriptor, short what) {
    if (descriptor >= 0) items[static_cast<std::size_t>(count++)] = {nullptr, descriptor, what, 0};
  };
  add(readable, ZMQ_POLLIN);
  add(output, ZMQ_POLLERR);
  auto most = std::chrono::ceil<std::chrono::milliseconds>(maintain_at_ - clock.now());
  most = std::clamp(most, std::chrono::milliseconds{0}, std::chrono::milliseconds{1000});
  if (timeout) most = std::min(most, std::max(*timeout, std::chrono::milliseconds{0}));
  set_broken(false);
  if (zmq_poll(items.data(), count, most.count()) <= 0) return;
  if (items[1].revents != 0) maintain_at_ = socket_.maintain();
  if (items[2].revents != 0) take_signals();
  const auto& last = items[static_cast<std::size_t>(count - 1)];
  set_broken(output >= 0 && (last.revents & ZMQ_POLLERR) != 0);
}

bool Session::has_peer() { return any_connected(socket_.peers()); }

Absence Session::absence() { return program::absence(socket_.peers(), unresolved_); }

void Session::give_up(const std::string& cause, const std::string& remedy) {
  program::give_up(name_, absence(), cause, remedy);
}

}  // namespace busbar::program
