// What a broker makes of what clients and workers say.
#include <busbar/core/limits.hpp>
#include <busbar/devices/internal/broker.hpp>
#include <busbar/protocol/pirate.hpp>

namespace busbar::detail {

namespace majordomo = protocol::majordomo;
namespace pirate = protocol::pirate;
using majordomo::Command;

namespace {

constexpr std::size_t bytes_max = limits::message_bytes + limits::header_bytes;

void book_received(SideLedger& side, const Multipart& frames) {
  ++side.received;
  side.received_bytes += frames.bytes();
}

/// Moves the frames from `first` on behind those of `to`.
void move_rest(Multipart& frames, std::size_t first, Multipart& to) {
  for (std::size_t i = first; i < frames.size(); ++i) to.push_back(std::move(frames[i]));
}

}  // namespace

// Majordomo

void Broker::on_message(Multipart& frames, TimePoint now) {
  if (frames.size() < 2) return refuse(frames);
  const auto message = majordomo::read(frames, 1, true);
  if (!message) return refuse(frames);
  if (message->role == majordomo::Role::client) return on_client(frames, *message, now);
  on_worker(frames, *message, now);
}

/// Malformed: a worker that sends such is none of ours any more.
void Broker::refuse(Multipart& frames) {
  const bool from_worker =
      frames.size() > 1 && majordomo::role_of(frames, 1) == majordomo::Role::worker;
  SideLedger& book = from_worker ? books_.workers : books_.clients;
  book_received(book, frames);
  ++book[Cause::malformed];
  if (from_worker) invalidate(find(frames.text(0)));
}

/// A valid command that was not due: the worker is told to start anew.
void Broker::violated(Multipart& frames, majordomo::Dialect dialect) {
  book_received(books_.workers, frames);
  ++books_.workers[Cause::malformed];
  tell(frames.text(0), dialect, Command::disconnect);
  invalidate(find(frames.text(0)));
}

void Broker::on_client(Multipart& frames, const Message& message, TimePoint now) {
  const std::size_t bytes = frames.bytes();
  ++books_.clients.received;
  books_.clients.received_bytes += bytes;
  if (bytes > bytes_max) {
    ++books_.clients[Cause::too_large];
    return;
  }
  if (frames.size() - message.body > majordomo::body_frames_max) {
    ++books_.clients[Cause::too_many_frames];
    return;
  }
  const std::string_view name = frames.text(message.subject);
  books_.services.count(name, 1, bytes);
  if (name.starts_with(majordomo::mmi_prefix)) return answer_mmi(frames, message);
  accept(service_named(name), frames, {message.dialect, message.body}, now);
}

/// As a worker would, and so it is booked.
void Broker::answer_mmi(Multipart& frames, const Message& message) {
  std::string_view code = "501";
  if (frames.text(message.subject) == majordomo::mmi_service) {
    const bool named = message.body < frames.size();
    const auto at = services_.find(named ? frames.text(message.body) : std::string_view{});
    const bool served = at != services_.end() && at->second.has_workers();
    code = served ? "200" : "404";
  }
  out_.clear();
  out_.push_back(std::move(frames[0]));
  put_head(out_, majordomo::Role::client, message.dialect, Command::final);
  out_.push_back(std::move(frames[message.subject]));
  out_.push_back(code);
  ++books_.workers.sent;
  ++books_.workers.received;
  ++books_.requests.answered;
  send_answer(out_, 1);
}

void Broker::on_worker(Multipart& frames, const Message& message, TimePoint now) {
  Worker* const worker = find(frames.text(0));
  if (worker != nullptr && worker->dialect.version != message.dialect.version) {
    return violated(frames, message.dialect);
  }
  switch (message.command) {
    case Command::ready:
      if (worker != nullptr) return violated(frames, message.dialect);
      return register_worker(frames, message, now);
    case Command::heartbeat:
      if (worker == nullptr) return tell(frames.text(0), message.dialect, Command::disconnect);
      worker->heard = now;
      worker->beats_at_work |= worker->busy();
      return;
    case Command::disconnect:
      return let_go(worker);
    default:
      if (worker == nullptr) return violated(frames, message.dialect);
      return on_answer(*worker, frames, message, now);
  }
}

void Broker::register_worker(Multipart& frames, const Message& message, TimePoint now) {
  const std::string_view name = frames.text(message.subject);
  if (name.starts_with(majordomo::mmi_prefix)) return violated(frames, message.dialect);
  Service& service = service_named(name);
  Worker* const worker = add_worker(frames.text(0), service, now);
  if (worker == nullptr) {
    drop_if_idle(service);
    return violated(frames, message.dialect);
  }
  worker->dialect = message.dialect;
  serve_held(service);
}

void Broker::on_answer(Worker& worker, Multipart& frames, const Message& message, TimePoint now) {
  const auto given = find_given(worker, frames.text(message.subject));
  if (given == worker.given.end()) return violated(frames, message.dialect);
  const bool gives_up = message.body == frames.size();
  if (gives_up && rules_.prefetch == 1) return refuse(frames);
  worker.heard = now;
  book_received(books_.workers, frames);
  if (gives_up) {
    books_.workers[Cause::abandoned] += 1 + drop_parts(*given);
    return take_back(worker, given, false);
  }
  const bool final = message.command == Command::final;
  const bool in_parts = given->asker.dialect.version == majordomo::Version::v02;
  if (!in_parts && (!final || given->parts_messages > 0 || given->parts_too_large)) {
    collect(*given, frames, message.body);
    if (!final) return;
  }
  if (given->broken) {
    ++books_.clients[Cause::overflow];
  } else if (!given->parts_too_large) {
    out_.clear();
    out_.push_back(std::move(frames[message.subject]));
    put_head(out_, majordomo::Role::client, given->asker.dialect, message.command);
    out_.push_back(worker.service->self->first);
    const bool collected = given->parts_messages > 0;
    move_rest(collected ? given->parts : frames, collected ? 0 : message.body, out_);
    given->broken = !send_answer(out_, std::max<std::uint64_t>(drop_parts(*given), 1));
  }
  if (final) take_back(worker, given, true);
}

/// For a client that takes one answer only. They count as held until then.
void Broker::collect(Given& given, Multipart& frames, std::size_t body) {
  ++given.parts_messages;
  ++books_.clients.held;
  std::size_t bytes = 0;
  for (std::size_t i = body; i < frames.size(); ++i) bytes += frames[i].size();
  const std::size_t together = given.parts.size() + frames.size() - body;
  if (together <= majordomo::body_frames_max && !given.parts_too_large &&
      given.parts_bytes + bytes <= limits::message_bytes &&
      held_bytes_ + bytes <= rules_.hold_bytes) {
    given.parts_bytes += bytes;
    held_bytes_ += bytes;
    return move_rest(frames, body, given.parts);
  }
  given.parts_too_large = true;
  books_.workers[Cause::too_large] += drop_parts(given);
}

/// They are no longer held; answers how many they were, for what becomes of them instead.
std::uint64_t Broker::drop_parts(Given& given) {
  books_.clients.held -= given.parts_messages;
  held_bytes_ -= std::exchange(given.parts_bytes, 0);
  given.parts.clear();
  return std::exchange(given.parts_messages, 0);
}

// Pirates

void Broker::on_pirate_request(Multipart& frames, TimePoint now) {
  if (frames.size() >= 2) return accept(service_named({}), frames, {{}, 1}, now);
  ++books_.clients[Cause::malformed];
}

void Broker::on_pirate(Multipart& frames, TimePoint now) {
  const pirate::Message message = pirate::read(frames, 1);
  Worker* worker = find(frames.text(0));
  const bool reply = message.command == pirate::Command::reply;
  const bool due = !reply || worker == nullptr ||
                   find_given(*worker, frames.text(message.client)) != worker->given.end();
  if (message.command == pirate::Command::malformed || !due) {
    book_received(books_.workers, frames);
    ++books_.workers[Cause::malformed];
    return invalidate(worker);
  }
  if (worker == nullptr) worker = add_worker(frames.text(0), service_named({}), now);
  if (reply) {
    book_received(books_.workers, frames);
    out_.clear();
    move_rest(frames, message.client, out_);
    send_answer(out_, 1);
  }
  if (worker == nullptr) return;
  worker->dialect.enveloped = message.enveloped;
  worker->heard = now;
  if (message.command != pirate::Command::heartbeat && worker->busy()) {
    return take_back(*worker, worker->given.begin(), reply);
  }
  serve_held(*worker->service);
}

}  // namespace busbar::detail
