#include <busbar/core/error.hpp>
#include <busbar/core/internal/utf8.hpp>
#include <busbar/core/limits.hpp>
#include <busbar/core/topic.hpp>

namespace busbar {

namespace {

constexpr const char* topic_form = "words separated by dots, e.g. prices.eur.usd";
constexpr const char* pattern_form =
    "e.g. prices.eur, prices.*.usd or prices.>; any bytes as a raw prefix";

/// Takes the first word off `rest`, and the dot behind it.
std::string_view next_word(std::string_view& rest, bool& more) noexcept {
  const std::size_t dot = rest.find('.');
  const std::string_view word = rest.substr(0, dot);
  more = dot != std::string_view::npos;
  rest = more ? rest.substr(dot + 1) : std::string_view{};
  return word;
}

/// What is wrong with `text` as words separated by dots, wildcards aside; nullptr: nothing.
const char* fault_in_words(std::string_view text) noexcept {
  if (text.empty()) return "empty";
  if (text.size() > limits::topic_bytes) return "longer than 240 bytes";
  if (text.front() == '.' || text.back() == '.' || text.find("..") != std::string_view::npos) {
    return "an empty word (a dot at an end, or two in a row)";
  }
  while (!text.empty()) {
    const detail::CodePoint c = detail::first_code_point(text);
    if (c.length == 0) return "no well-formed UTF-8";
    if (detail::is_space(c.value)) return "white space";
    if (detail::is_control(c.value)) return "a control character";
    text.remove_prefix(c.length);
  }
  return nullptr;
}

const char* fault_in_topic(std::string_view text) noexcept {
  if (text.find_first_of("*>") != std::string_view::npos) return "`*` and `>` are for patterns";
  return fault_in_words(text);
}

const char* fault_in_pattern(std::string_view text) noexcept {
  if (const char* fault = fault_in_words(text)) return fault;
  for (bool more = true; more;) {
    const std::string_view word = next_word(text, more);
    if (word == ">" && more) return "`>` may only be the last word";
    if (word.size() > 1 && word.find_first_of("*>") != std::string_view::npos) {
      return "`*` and `>` stand for whole words";
    }
  }
  return nullptr;
}

bool words_match(std::string_view pattern, std::string_view topic) noexcept {
  bool more_pattern = true;
  bool more_topic = true;
  while (more_pattern && more_topic) {
    const std::string_view wanted = next_word(pattern, more_pattern);
    const std::string_view word = next_word(topic, more_topic);
    if (wanted == ">") return true;
    if (wanted != "*" && wanted != word) return false;
  }
  return more_pattern == more_topic;
}

}  // namespace

Topic::Topic(std::string_view text) : text_(text) {
  if (const char* fault = fault_in_topic(text)) {
    throw Error(ErrorKind::usage, "topic '" + printable(text) + "'", fault, topic_form);
  }
}

TopicPattern::TopicPattern(std::string_view text) : text_(text), prefix_(text) {
  if (const char* fault = fault_in_pattern(text)) {
    throw Error(ErrorKind::usage, "topic pattern '" + printable(text) + "'", fault, pattern_form);
  }
  const std::size_t wildcard = text.find_first_of("*>");
  if (wildcard == std::string_view::npos) return;
  form_ = Form::wildcard;
  prefix_.resize(wildcard);
}

TopicPattern TopicPattern::raw_prefix(std::string_view bytes) {
  if (bytes.size() > limits::topic_bytes) {
    throw Error(ErrorKind::usage, "raw prefix '" + printable(bytes) + "'", "longer than 240 bytes",
                "give its beginning, and filter what is received");
  }
  return {Form::raw, std::string(bytes), std::string(bytes)};
}

bool TopicPattern::matches(std::string_view topic) const noexcept {
  if (form_ == Form::exact) return topic == text_;
  if (!topic.starts_with(prefix_)) return false;
  if (form_ == Form::raw || text_ == ">") return true;
  return words_match(text_, topic) && fault_in_topic(topic) == nullptr;
}

std::string TopicPattern::str() const {
  return form_ == Form::raw ? printable(text_, limits::topic_bytes) + " (raw)" : text_;
}

}  // namespace busbar
