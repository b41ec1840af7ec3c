/// Stages: steps inside a device that filter, rewrite or transcode; they cost no socket hop.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <busbar/core/clock.hpp>
#include <busbar/core/ledger.hpp>
#include <busbar/core/multipart.hpp>
#include <busbar/core/topic.hpp>

namespace busbar {

/// One step. It is used by the device's thread only and may keep state.
class StageStep {
 public:
  virtual ~StageStep() = default;
  /// Changes `message` in place, or answers why it does not go on. Frames before `body` are the
  /// envelope and must stay; `message[body]` is the topic where there is one, and the last frame is
  /// the payload. Must not throw.
  virtual std::optional<Cause> apply(Multipart& message, std::size_t body) = 0;
  /// Forwarders: the prefixes to ask the publishers for, where a subscriber asks for `prefix`.
  virtual std::vector<std::string> upstream(std::string_view prefix) const {
    return {std::string{prefix}};
  }
  /// Forwarders: the topic by which subscribers know what publishers call `topic`; empty: it does
  /// not pass.
  virtual std::optional<std::string> downstream(std::string_view topic) const {
    return std::string{topic};
  }
  /// Translates the payload: it is given the messages of a publisher's batch one by one.
  virtual bool translates() const noexcept { return false; }
  /// Lets only some messages of a topic through. What it takes away must not be fetched again, so
  /// publishers and subscribers then go without one another's answers (lib/WIRE.md).
  virtual bool thins_out() const noexcept { return false; }
};

/// How to make a step: a value, so that options can be copied, compared by `text` and written to
/// a file. Applied to what goes from the frontend to the backend, in the order given.
struct Stage {
  std::string text;  ///< `only prices.>`, as `status` and `graph` show it
  std::function<std::unique_ptr<StageStep>(const Clock&)> make;
  /// Needs a topic, so it fits forwarders only.
  bool needs_topic = false;
};

/// Lets only topics through that match one of the patterns.
Stage only(std::vector<TopicPattern> patterns);
inline Stage only(TopicPattern pattern) { return only(std::vector{std::move(pattern)}); }
/// `rename("prices", "fx")`: topic `prices` becomes `fx`, `prices.eur` becomes `fx.eur`; whole
/// words only. Subscriptions are translated back on their way to the publishers.
Stage rename(Topic from, Topic to);
/// The payload (last frame) from JSON to msgpack; what is no JSON, or nested deeper than
/// limits::msgpack_depth, is refused (not_translatable), and what has more than 8 MiB (too_large).
Stage json_to_msgpack();
/// The payload (last frame) from msgpack to JSON; bytes, extensions, NaN and keys that are no text
/// have no JSON form and are refused. The same limits.
Stage msgpack_to_json();
/// Lets the first of each `n` messages through. Throws Error (usage) where n is 0.
Stage sample(std::size_t n);
/// At most `messages` in each `per`, after a burst of as many; the others are dropped.
/// Throws Error (usage) where there is nothing to let through.
Stage rate_limit(std::size_t messages, std::chrono::milliseconds per = std::chrono::seconds{1});

/// The stage whose `text` this is: `only prices.> trades.*`, `rename prices fx`, `json-to-msgpack`,
/// `msgpack-to-json`, `sample 10`, `rate-limit 1000/s` (`/500ms`, `/10s`, `/min`). A raw prefix is
/// written `only pri**`, its other bytes as `\xNN`. Throws Error (usage).
Stage parse_stage(std::string_view text);

/// The steps of one device, in order.
class StagePipeline {
 public:
  StagePipeline(const std::vector<Stage>& stages, const Clock& clock);
  bool empty() const noexcept { return steps_.empty(); }
  std::optional<Cause> apply(Multipart& message, std::size_t body);
  std::vector<std::string> upstream(std::string_view prefix) const;
  std::optional<std::string> downstream(std::string_view topic) const;

 private:
  std::vector<std::string> upstream_of_topics(std::string_view prefix) const;
  std::vector<std::string> upstream_of_reserved(std::string_view topic) const;

  std::vector<std::unique_ptr<StageStep>> steps_;
};

}  // namespace busbar
