/// Topics, and the patterns that subscribe to them.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace busbar {

/// Words separated by dots, `prices.eur.usd`: 1 to limits::topic_bytes bytes of UTF-8, no empty
/// word, no white space or control character, no `*` or `>`. A Topic that exists is valid.
class Topic {
 public:
  /// Throws Error (usage) that says what is wrong.
  Topic(std::string_view text);
  Topic(const std::string& text) : Topic(std::string_view{text}) {}
  Topic(const char* text) : Topic(std::string_view{text}) {}

  const std::string& str() const noexcept { return text_; }
  friend bool operator==(const Topic&, const Topic&) = default;

 private:
  std::string text_;
};

/// What a subscriber asks for: exact by default, `*` for one word, `>` as the last word for one or
/// more words (`>` alone: everything), or a raw ZeroMQ prefix under its own name.
class TopicPattern {
 public:
  /// `prices.eur`, `prices.*.usd`, `prices.>`. Throws Error (usage) that says what is wrong.
  TopicPattern(std::string_view text);
  TopicPattern(const std::string& text) : TopicPattern(std::string_view{text}) {}
  TopicPattern(const char* text) : TopicPattern(std::string_view{text}) {}
  /// Matches every topic that begins with these bytes, as ZMQ_SUBSCRIBE does; may be empty.
  /// Throws Error (usage) above limits::topic_bytes.
  static TopicPattern raw_prefix(std::string_view bytes);

  /// Any bytes may be asked about; what is no valid topic matches only `>` and raw prefixes.
  bool matches(std::string_view topic) const noexcept;
  /// What to give to ZMQ_SUBSCRIBE: every topic that matches begins with it. Topics that begin with
  /// it need not match, so the receiver filters again.
  std::string_view prefix() const noexcept { return prefix_; }
  bool is_raw() const noexcept { return form_ == Form::raw; }
  /// The pattern as text; a raw prefix as `PREFIX (raw)`.
  std::string str() const;
  friend bool operator==(const TopicPattern&, const TopicPattern&) = default;

 private:
  enum class Form { exact, wildcard, raw };
  TopicPattern(Form form, std::string text, std::string prefix)
      : form_(form), text_(std::move(text)), prefix_(std::move(prefix)) {}

  Form form_ = Form::exact;
  std::string text_;
  std::string prefix_;
};

}  // namespace busbar
