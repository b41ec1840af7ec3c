/// Receiving and sending whole messages on a bare socket: the one hot path of all that moves
/// frames.
#pragma once

#include <cerrno>

#include <zmq.h>

#include <busbar/core/limits.hpp>
#include <busbar/core/multipart.hpp>

namespace busbar::detail {

enum class Received { message, none, too_many_frames, closed };

/// Receives one message into the slots of `into`. One with more frames than limits::frames is read
/// to its end and thrown away. `flags`: ZMQ_DONTWAIT or 0.
inline Received receive_frames(void* socket, Multipart& into, int flags) {
  into.clear();
  bool too_many = false;
  while (true) {
    Frame& frame = into.grow();
    while (zmq_msg_recv(frame.handle(), socket, flags) < 0) {
      if (errno == EINTR) continue;
      into.clear();
      return errno == EAGAIN ? Received::none : Received::closed;
    }
    if (!frame.more()) break;
    if (into.size() == limits::frames) {
      too_many = true;
      into.pop_back();
    }
  }
  if (!too_many) return Received::message;
  into.clear();
  return Received::too_many_frames;
}

/// Sends all frames. 0: sent, and `message` is empty. Else the errno of zmq_msg_send(3): EAGAIN,
/// EHOSTUNREACH and the like leave the message as it was; EPIPE: the peer went away in the middle
/// of it and the message is lost.
inline int send_frames(void* socket, Multipart& message, int flags) {
  const std::size_t last = message.size() - 1;
  for (std::size_t i = 0; i <= last; ++i) {
    const int more = i < last ? ZMQ_SNDMORE : 0;
    while (zmq_msg_send(message[i].handle(), socket, flags | more) < 0) {
      if (errno == EINTR) continue;
      if (i == 0 || errno == ETERM) return errno;
      message.clear();
      return EPIPE;
    }
  }
  message.mark_sent();
  return 0;
}

/// Sending looks for news of room at most once a millisecond; asking for events does so always, and
/// answers them.
inline int hear_of_room(void* output) {
  int events = 0;
  std::size_t size = sizeof events;
  zmq_getsockopt(output, ZMQ_EVENTS, &events, &size);
  return events;
}

/// For an XPUB that refuses a message as long as one of its subscribers is full: lossy for this
/// one, it serves the others. It does not say whom it left out. The message is gone.
inline void send_to_those_with_room(void* output, Multipart& message) {
  const auto refuse_when_full = [output](int value) {
    zmq_setsockopt(output, ZMQ_XPUB_NODROP, &value, sizeof value);
  };
  refuse_when_full(0);
  send_frames(output, message, ZMQ_DONTWAIT);
  refuse_when_full(1);
  message.clear();
}

}  // namespace busbar::detail
