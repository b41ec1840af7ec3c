#include <algorithm>

#include <busbar/core/error.hpp>
#include <busbar/core/limits.hpp>
#include <busbar/devices/internal/duration.hpp>
#include <busbar/devices/internal/stage_published.hpp>
#include <busbar/devices/internal/stage_text.hpp>
#include <busbar/devices/stage.hpp>
#include <busbar/protocol/pubsub_control.hpp>

namespace busbar {

namespace {

// More prefixes than this for one subscription are not worth the publishers' memory.
constexpr std::size_t prefixes_max = 64;

/// What is behind `prefix` where `text` begins with it as whole words: empty, or `.` and the rest.
std::optional<std::string_view> behind_words(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return {};
  const std::string_view rest = text.substr(prefix.size());
  if (!rest.empty() && rest.front() != '.') return {};
  return rest;
}

class Only final : public StageStep {
 public:
  explicit Only(std::vector<TopicPattern> patterns) : patterns_(std::move(patterns)) {}

  std::optional<Cause> apply(Multipart& message, std::size_t body) override {
    if (body >= message.size()) return Cause::topic_filter;
    return passes(message.text(body)) ? std::nullopt : std::optional{Cause::topic_filter};
  }

  std::optional<std::string> downstream(std::string_view topic) const override {
    return passes(topic) ? std::optional{std::string{topic}} : std::nullopt;
  }

 private:
  bool passes(std::string_view topic) const {
    return std::any_of(patterns_.begin(), patterns_.end(),
                       [&](const TopicPattern& pattern) { return pattern.matches(topic); });
  }

  std::vector<TopicPattern> patterns_;
};

class Rename final : public StageStep {
 public:
  Rename(const Topic& from, const Topic& to) : from_(from.str()), to_(to.str()) {}

  std::optional<Cause> apply(Multipart& message, std::size_t body) override {
    if (body >= message.size()) return {};
    if (const auto rest = behind_words(message.text(body), from_)) {
      renamed_.assign(to_).append(*rest);
      message.replace(body, renamed_);
    }
    return {};
  }

  std::vector<std::string> upstream(std::string_view prefix) const override {
    std::vector<std::string> prefixes;
    // What begins with `from.` is renamed, so nothing that is asked for below it comes as it is.
    const auto below_from = behind_words(prefix, from_);
    if (!below_from || below_from->empty()) prefixes.emplace_back(prefix);
    if (std::string_view{to_}.starts_with(prefix)) {
      prefixes.push_back(from_);
    } else if (const auto rest = behind_words(prefix, to_)) {
      prefixes.push_back(from_ + std::string{*rest});
    }
    return prefixes;
  }

  std::optional<std::string> downstream(std::string_view topic) const override {
    const auto rest = behind_words(topic, from_);
    return rest ? to_ + std::string{*rest} : std::string{topic};
  }

 private:
  std::string from_;
  std::string to_;
  std::string renamed_;
};

class Sample final : public StageStep {
 public:
  explicit Sample(std::size_t n) : n_(n) {}

  std::optional<Cause> apply(Multipart&, std::size_t) override {
    const bool first = seen_ == 0;
    seen_ = (seen_ + 1) % n_;
    return first ? std::nullopt : std::optional{Cause::sampled_out};
  }
  bool thins_out() const noexcept override { return true; }

 private:
  std::size_t n_;
  std::size_t seen_ = 0;
};

/// A bucket of `messages` tokens that fills up once in `per`.
class RateLimit final : public StageStep {
 public:
  RateLimit(std::size_t messages, std::chrono::milliseconds per, const Clock& clock)
      : size_(static_cast<double>(messages)), per_(per), clock_(clock), filled_(clock.now()) {}

  std::optional<Cause> apply(Multipart&, std::size_t) override {
    const TimePoint now = clock_.now();
    tokens_ = std::min(size_, tokens_ + size_ * ((now - filled_) / per_));
    filled_ = now;
    // The sum of many small parts of a token falls short of the whole by a rounding error.
    if (tokens_ < 1.0 - 1e-6) return Cause::rate_limited;
    tokens_ -= 1.0;
    return {};
  }
  bool thins_out() const noexcept override { return true; }

 private:
  double size_;
  std::chrono::duration<double> per_;
  const Clock& clock_;
  TimePoint filled_;
  double tokens_ = size_;
};

/// Leaves out what another one covers already.
std::vector<std::string> without_covered(std::vector<std::string> prefixes) {
  std::sort(prefixes.begin(), prefixes.end());
  std::vector<std::string> kept;
  for (std::string& prefix : prefixes) {
    if (kept.empty() || !prefix.starts_with(kept.back())) kept.push_back(std::move(prefix));
  }
  return kept;
}

}  // namespace

Stage only(std::vector<TopicPattern> patterns) {
  if (patterns.empty()) {
    throw Error(ErrorKind::usage, "stage 'only'", "no pattern, so nothing would pass",
                "write e.g. only prices.>");
  }
  std::string text = detail::only_text(patterns);
  return {
      std::move(text),
      [patterns = std::move(patterns)](const Clock&) { return std::make_unique<Only>(patterns); },
      true};
}

Stage rename(Topic from, Topic to) {
  std::string text = "rename " + from.str() + " " + to.str();
  return {std::move(text),
          [from = std::move(from), to = std::move(to)](const Clock&) {
            return std::make_unique<Rename>(from, to);
          },
          true};
}

Stage sample(std::size_t n) {
  if (n == 0) {
    throw Error(ErrorKind::usage, "stage 'sample 0'", "one message in 0 is none",
                "write e.g. sample 10, for one message in 10");
  }
  return {"sample " + std::to_string(n), [n](const Clock&) { return std::make_unique<Sample>(n); },
          false};
}

Stage rate_limit(std::size_t messages, std::chrono::milliseconds per) {
  if (messages == 0 || per.count() <= 0 || per > detail::longest_duration) {
    throw Error(ErrorKind::usage, "stage 'rate-limit'", "no messages, or no time to count in",
                "give at least 1 message, and 1 ms to 24 h");
  }
  return {detail::rate_text(messages, per),
          [messages, per](const Clock& clock) {
            return std::make_unique<RateLimit>(messages, per, clock);
          },
          false};
}

StagePipeline::StagePipeline(const std::vector<Stage>& stages, const Clock& clock) {
  for (const Stage& stage : stages) steps_.push_back(stage.make(clock));
}

std::optional<Cause> StagePipeline::apply(Multipart& message, std::size_t body) {
  if (message.size() == body + 1) {
    const auto published = protocol::decode_message(message.text(body));
    if (published) return detail::apply_to_published(steps_, *published, message[body]);
  }
  for (const auto& step : steps_) {
    if (const auto cause = step->apply(message, body)) return cause;
  }
  return {};
}

std::vector<std::string> StagePipeline::upstream(std::string_view prefix) const {
  return protocol::is_reserved(prefix) ? upstream_of_reserved(prefix) : upstream_of_topics(prefix);
}

std::optional<std::string> StagePipeline::downstream(std::string_view topic) const {
  std::optional<std::string> passed{topic};
  for (const auto& step : steps_) {
    passed = step->downstream(*passed);
    if (!passed || passed->size() > limits::topic_bytes) return std::nullopt;
  }
  return passed;
}

std::vector<std::string> StagePipeline::upstream_of_reserved(std::string_view topic) const {
  const auto request = protocol::decode_request(topic);
  if (!request) return {std::string{topic}};
  const bool thinned =
      std::any_of(steps_.begin(), steps_.end(), [](const auto& step) { return step->thins_out(); });
  if (thinned) return {};
  const auto* presence = std::get_if<protocol::Presence>(&*request);
  if (presence == nullptr) return {std::string{topic}};
  std::vector<std::string> topics;
  for (const std::string& prefix : upstream_of_topics(presence->pattern.prefix())) {
    topics.push_back(encode(detail::with_prefix(*presence, prefix)));
  }
  return topics;
}

std::vector<std::string> StagePipeline::upstream_of_topics(std::string_view prefix) const {
  std::vector<std::string> prefixes{std::string{prefix}};
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    std::vector<std::string> next;
    for (const std::string& asked : prefixes) {
      for (std::string& wanted : (*step)->upstream(asked)) {
        // A shorter prefix asks for more, never for less.
        if (wanted.size() > limits::topic_bytes) wanted.resize(limits::topic_bytes);
        next.push_back(std::move(wanted));
      }
    }
    prefixes = without_covered(std::move(next));
    if (prefixes.size() > prefixes_max) prefixes.assign(1, "");
  }
  return prefixes;
}

}  // namespace busbar
