#include "busbar/patterns/internal/publisher_loop.hpp"

#include <algorithm>

#include <climits>

#include <busbar/core/internal/frames.hpp>
#include <busbar/core/internal/random_id.hpp>
#include <busbar/core/internal/start_thread.hpp>
#include <busbar/patterns/internal/check_enough.hpp>
#include <busbar/patterns/internal/engine.hpp>
#include <busbar/protocol/message_frame.hpp>

namespace busbar::detail {

using std::chrono::milliseconds;

namespace {

// A message that follows another sooner than this is the beginning of a flood: it opens a batch.
constexpr std::chrono::microseconds flood{50};
// The least time between two batches, unless one is full: every batch costs each process on its way
// several switches of threads. It doubles while so many messages gather in it.
constexpr std::chrono::microseconds first_pace{100};
constexpr std::chrono::microseconds longest_pace{800};
constexpr std::uint64_t many = 500;
// Sending takes libzmq's news from the descriptor that the background thread waits for, at most so
// often.
constexpr milliseconds look_every{1};
constexpr milliseconds last_flush{1000};  // by the destructor
constexpr milliseconds patience{100};     // of `stop`, with the thread that ends
constexpr std::size_t queued_bytes = 64u << 20;

int queue_of(const PublisherOptions& options) {
  if (!options.batching) return options.queue;
  const std::size_t batches = queued_bytes / std::max<std::size_t>(1, options.batching->bytes);
  const auto most = static_cast<int>(std::clamp<std::size_t>(batches, 1, INT_MAX));
  return options.queue == 0 ? most : std::min(options.queue, most);
}

void check(const PublisherOptions& options) {
  const auto refuse = [](std::string cause, std::string advice) {
    throw Error(ErrorKind::usage, "make a publisher", std::move(cause), std::move(advice));
  };
  if (options.wire == Wire::plain && (options.batching || options.late_join != LateJoin::nothing)) {
    refuse("wire = plain has no batches, and nothing for late joiners", "leave it, or them, out");
  }
  if (options.name.size() > limits::topic_bytes) {
    refuse("its name has " + std::to_string(options.name.size()) + " bytes",
           "at most " + std::to_string(limits::topic_bytes) + " are allowed");
  }
  if (options.batching && options.batching->bytes > limits::message_bytes) {
    refuse("a batch of " + std::to_string(options.batching->bytes) + " bytes is no message",
           "at most " + std::to_string(limits::message_bytes) + " are allowed");
  }
  if (options.block_for < milliseconds{0}) refuse("block_for is negative", "0 ms is the least");
}

std::string name_of(const PublisherOptions& options) {
  return options.name.empty() ? "publisher" : options.name;
}

Socket open_socket(Context& context, const PublisherOptions& options) {
  check(options);
  require_endpoint("make a publisher", options);
  return Socket(context, SocketType::xpub,
                {.name = name_of(options),
                 .bind = options.bind,
                 .connect = options.connect,
                 .security = options.security,
                 .send_queue = queue_of(options),
                 .linger = options.linger,
                 .verbose_subscriptions = true,
                 .refuse_when_full = true});
}

/// A frame over the bytes of `text`, without a copy of them.
Frame frame_of(std::string&& text) {
  auto* const owned = new std::string{std::move(text)};
  return Frame{owned->data(), owned->size(),
               [](void*, void* hint) { delete static_cast<std::string*>(hint); }, owned};
}

/// What a message takes in a batch, at most.
std::size_t record_size(std::string_view payload, const Headers& headers) {
  constexpr std::size_t frame = 16;  // what a batch or a map of headers puts in front
  return payload.size() + (headers.empty() ? 0 : protocol::size_of(headers)) + frame;
}

}  // namespace

PublisherLoop::PublisherLoop(Context& context, PublisherOptions options)
    : context_(context),
      options_(std::move(options)),
      lingers_(options_.batching && options_.batching->linger > milliseconds{0}),
      socket_(open_socket(context, options_)),
      handle_(socket_.raw().handle()),
      bound_(socket_.bound()),
      protocol_({.id = random_id(),
                 .name = options_.name,
                 .late_join = options_.late_join,
                 .history =
                     options_.wire == Wire::plain ? HistoryLimits{.messages = 0} : options_.history,
                 .stock_after = milliseconds{options_.wire == Wire::plain ? 0 : 100}}),
      pace_(first_pace) {
  socket_.on_event([this](const SocketEvent& event) {
    slow_peers_.on_event(event);
    if (event.kind == SocketEvent::Kind::not_resolved) counts_.unresolved = event.cause;
    if (event.kind == SocketEvent::Kind::connected) counts_.unresolved.clear();
  });
  calendar_.set(std::chrono::steady_clock::now());
  socket_.release();
  thread_ = start_thread(options_.name, [this] { run(); });
}

PublisherLoop::~PublisherLoop() {
  {
    Lock lock = lock_for_caller();
    (void)wait_for_sent(lock, std::chrono::steady_clock::now() + last_flush);
    stopping_ = true;
  }
  wake_.signal();
  thread_.join();
}

void PublisherLoop::require_running(const char* operation) const {
  if (!stopping_) [[likely]]
    return;
  throw Error(ErrorKind::usage, operation + (" on '" + name_of(options_)) + "'", "it was stopped");
}

StopReport PublisherLoop::stop(milliseconds deadline) {
  const TimePoint start = std::chrono::steady_clock::now();
  const TimePoint until = after(start, deadline);
  Lock lock = lock_for_caller();
  (void)wait_for_sent(lock, until);
  if (!stopping_) {
    options_.linger =
        std::min(options_.linger, left_until(until, std::chrono::steady_clock::now()));
    const int linger_ms = static_cast<int>(options_.linger.count());
    // Fails where the context was stopped, and then there is nothing to linger for.
    zmq_setsockopt(handle_, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    stopping_ = true;
  }
  wake_.signal();
  changed_.notify_all();
  changed_.wait_until(lock, after(until, patience), [this] { return ended_; });
  const std::uint64_t left = counts_.published - counts_.sent;
  const auto took = std::chrono::steady_clock::now() - start;
  return {.clean = left == 0,
          .took = std::chrono::duration_cast<milliseconds>(took),
          .abandoned = left};
}

/// A mutex is not fair: a caller in a flood would keep the background thread out.
PublisherLoop::Lock PublisherLoop::lock_for_caller() const {
  while (callers_stand_back_.load(std::memory_order_relaxed) != 0) std::this_thread::yield();
  return Lock{mutex_};
}

bool PublisherLoop::fits(std::string_view topic, std::string_view payload,
                         const Headers& headers) const {
  if (options_.wire == Wire::plain) return payload.size() <= limits::message_bytes;
  if (payload.size() > limits::message_bytes) return false;
  if (!headers.empty() && protocol::size_of(headers) > limits::header_bytes) return false;
  return topic.size() + protocol::short_header_size + record_size(payload, headers) <=
         limits::message_bytes;
}

/// A single message waits in its caller's thread, which then goes on by itself: handing each to the
/// background thread costs more than sending it. Batches gather meanwhile.
bool PublisherLoop::has_room(std::size_t bytes) const {
  return waiting_bytes_ == 0 ||
         (options_.batching && waiting_bytes_ + bytes <= options_.queue_bytes);
}

SendResult PublisherLoop::publish(std::string_view topic, std::string_view payload,
                                  const Headers& headers, std::string_view stream_name) {
  Lock lock = lock_for_caller();
  if (options_.wire == Wire::plain) check_plain(topic, headers, stream_name);
  if (!fits(topic, payload, headers)) {
    ++counts_.refused;
    return SendResult::too_large;
  }
  const bool room = has_room(payload.size()) || wait_for_room(lock, payload.size());
  require_running("publish");
  if (!room) {
    ++counts_.refused;
    return SendResult::full;
  }
  if (options_.wire == Wire::plain) {
    publish_plain(topic, payload);
  } else {
    protocol::Stream& stream = protocol_.stream_of(topic, stream_name);
    const bool in_flood = lingers_ || (options_.batching && (!open_.empty() || !waiting_.empty()));
    const TimePoint now = in_flood ? TimePoint{} : std::chrono::steady_clock::now();
    if (in_flood || (options_.batching && now - last_sent_ < flood)) {
      add_to_batch(stream, payload, headers);
    } else {
      publish_alone(stream, payload, headers, now);
      look_for_subscriptions(now);
    }
  }
  require_running("publish");  // sending may have found that the context was stopped
  ++counts_.published;
  counts_.published_bytes += payload.size();
  return SendResult::sent;
}

/// Somebody waits for what gathers.
void PublisherLoop::end_linger() {
  batch_due_ = std::min(batch_due_, std::chrono::steady_clock::now());
  wake_.signal();
}

bool PublisherLoop::wait_for_room(Lock& lock, std::size_t bytes) {
  end_linger();
  const TimePoint deadline = after(std::chrono::steady_clock::now(), options_.block_for);
  changed_.wait_until(lock, deadline, [&] { return stopping_ || has_room(bytes); });
  return has_room(bytes);
}

void PublisherLoop::check_plain(std::string_view topic, const Headers& headers,
                                std::string_view stream_name) {
  if (!headers.empty() || !stream_name.empty()) {
    throw Error(ErrorKind::usage, "publish", "wire = plain has no headers and streams",
                "leave them out, or wire = plain");
  }
  if (topic != checked_topic_ || topic.empty()) checked_topic_ = Topic{topic}.str();
}

void PublisherLoop::publish_alone(protocol::Stream& stream, std::string_view payload,
                                  const Headers& headers, TimePoint now) {
  protocol::Header header = protocol_.header_for(stream, calendar_.microseconds(now), 0);
  header.headers = headers;
  Frame& frame = next_.frames.grow();
  frame = protocol::encode_message(stream.topic, header, payload);
  protocol_.keep(stream, header, frame, payload, headers, now);
  send_next(1);
  last_sent_ = now;
}

void PublisherLoop::publish_plain(std::string_view topic, std::string_view payload) {
  next_.frames.push_back(topic);
  next_.frames.push_back(payload);
  send_next(1);
  look_for_subscriptions(std::chrono::steady_clock::now());
}

void PublisherLoop::look_for_subscriptions(TimePoint now) {
  if (now - looked_at_ < look_every) return;
  looked_at_ = now;
  if ((hear_of_room(handle_) & ZMQ_POLLIN) != 0) wake_.signal();
}

void PublisherLoop::add_to_batch(protocol::Stream& stream, std::string_view payload,
                                 const Headers& headers) {
  if (stream.open_batch.size() + record_size(payload, headers) > limits::message_bytes) {
    std::erase(open_, &stream);
    close_batch(stream, std::chrono::steady_clock::now());
  }
  const std::size_t before = stream.open_batch.size();
  if (before == 0) stream.open_batch.assign(stream.topic).append(protocol::short_header_size, '\0');
  protocol::append_record(stream.open_batch, payload, headers);
  stream.open_last_size = payload.size();
  if (!headers.empty() || !stream.open_last_headers.empty()) stream.open_last_headers = headers;
  waiting_bytes_ += stream.open_batch.size() - before;
  if (stream.open_count++ == 0) {
    if (open_.empty()) {
      batch_due_ = std::max(after(std::chrono::steady_clock::now(), options_.batching->linger),
                            last_sent_ + pace_);
    }
    open_.push_back(&stream);
  }
  if (stream.open_batch.size() >= options_.batching->bytes ||
      stream.open_count >= options_.batching->messages) {
    std::erase(open_, &stream);
    close_batch(stream, std::chrono::steady_clock::now());
  } else if (stream.open_count == 1 && open_.size() == 1 && batch_due_ < wakes_at_) {
    wake_.signal();
  }
}

void PublisherLoop::close_batch(protocol::Stream& stream, TimePoint now) {
  const protocol::Header header =
      protocol_.header_for(stream, calendar_.microseconds(now), stream.open_count);
  const std::size_t size = stream.open_batch.size();
  waiting_bytes_ -= size;
  char header_bytes[protocol::short_header_size];
  protocol::encode_short(header, header_bytes);
  stream.open_batch.replace(stream.topic.size(), sizeof header_bytes, header_bytes,
                            sizeof header_bytes);
  Frame& frame = next_.frames.grow();
  frame = frame_of(std::move(stream.open_batch));
  protocol_.keep(stream, header, frame, text(frame).substr(size - stream.open_last_size),
                 stream.open_last_headers, now);
  stream.open_batch = {};
  stream.open_batch.reserve(std::min(size + size / 8, options_.batching->bytes + 256));
  stream.open_count = 0;
  last_sent_ = now;
  send_next(header.batch);
}

void PublisherLoop::close_batches(TimePoint now) {
  std::uint64_t gathered = 0;
  for (protocol::Stream* stream : open_) {
    gathered += stream->open_count;
    close_batch(*stream, now);
  }
  open_.clear();
  pace_ = gathered < many ? first_pace : std::min(2 * pace_, longest_pace);
}

void PublisherLoop::send_next(std::uint32_t messages) {
  next_.messages = messages;
  next_.bytes = next_.frames.bytes();
  if (waiting_.empty() && send(next_)) return;
  bytes_of(next_) += next_.bytes;
  waiting_.push_back(std::move(next_));
}

void PublisherLoop::send_waiting() {
  while (!waiting_.empty() && send(waiting_.front())) {
    bytes_of(waiting_.front()) -= waiting_.front().bytes;
    waiting_.pop_front();
  }
}

std::size_t& PublisherLoop::bytes_of(const Outgoing& outgoing) noexcept {
  return outgoing.messages == 0 ? waiting_answer_bytes_ : waiting_bytes_;
}

/// 0, or the errno of zmq_msg_send(3).
int PublisherLoop::try_to_send(Multipart& frames) {
  const int error = send_frames(handle_, frames, ZMQ_DONTWAIT);
  if (error != EAGAIN) return error;
  if ((hear_of_room(handle_) & ZMQ_POLLIN) != 0) heard_subscription_ = true;
  return send_frames(handle_, frames, ZMQ_DONTWAIT);
}

/// False: it has to wait for room, or the context was stopped.
bool PublisherLoop::send(Outgoing& outgoing) {
  const int error = try_to_send(outgoing.frames);
  if (error != 0 && error != EAGAIN) {
    stopping_ = true;
    return false;
  }
  if (error == EAGAIN && options_.slow != SlowSubscriber::drop) {
    if (full_since_ == TimePoint::max()) full_since_ = std::chrono::steady_clock::now();
    return false;
  }
  full_since_ = TimePoint::max();
  if (error == EAGAIN) drop(outgoing);
  counts_.sent += outgoing.messages;
  if (outgoing.messages > 0) ++counts_.batches;
  return true;
}

void PublisherLoop::drop(Outgoing& outgoing) {
  const std::string topic{protocol::topic_of(outgoing.frames.text(0))};
  send_to_those_with_room(handle_, outgoing.frames);
  counts_.dropped += outgoing.messages;
  losses_.count(topic, outgoing.messages, outgoing.bytes);
  counts_.slow_peers = slow_peers_.full();
}

void PublisherLoop::wait_for_subscribers(std::string_view topic, std::size_t count,
                                         milliseconds timeout) {
  (void)Topic{topic};  // a pattern would wait for nobody
  Lock lock = lock_for_caller();
  const TimePoint deadline = after(std::chrono::steady_clock::now(), timeout);
  const auto there = [&] {
    return protocol_.subscribers_of(topic, std::chrono::steady_clock::now());
  };
  changed_.wait_until(lock, deadline, [&] { return stopping_ || there() >= count; });
  require_running("wait for subscribers");
  check_enough("wait for subscribers to '" + printable(topic) + "'", there(), count, timeout, false,
               "start them, or look at what they subscribe to");
}

std::size_t PublisherLoop::subscribers(std::string_view topic) const {
  const Lock lock = lock_for_caller();
  return protocol_.subscribers_of(topic, std::chrono::steady_clock::now());
}

void PublisherLoop::flush(milliseconds timeout) {
  Lock lock = lock_for_caller();
  if (wait_for_sent(lock, after(std::chrono::steady_clock::now(), timeout))) return;
  require_running("flush");
  throw Error(ErrorKind::timeout, "flush '" + name_of(options_) + "'",
              std::to_string(counts_.published - counts_.sent) + " of " +
                  std::to_string(counts_.published) + " messages are not sent",
              "allow more time, or look at `slow`");
}

bool PublisherLoop::wait_for_sent(Lock& lock, TimePoint deadline) {
  const auto sent = [this] { return counts_.sent >= counts_.published; };
  if (!sent()) end_linger();
  changed_.wait_until(lock, deadline, [&] { return stopping_ || sent(); });
  return sent();
}

PublisherLedger PublisherLoop::ledger() const {
  const Lock lock = lock_for_caller();
  PublisherLedger ledger = counts_;
  ledger.waiting = counts_.published - counts_.sent;
  ledger.dropped_topics = losses_.most();
  ledger.history_messages = protocol_.history().messages();
  ledger.history_bytes = protocol_.history().bytes() + protocol_.last_value_bytes();
  if (handle_ != nullptr) ledger.peers = socket_.peers();
  return ledger;
}

}  // namespace busbar::detail
