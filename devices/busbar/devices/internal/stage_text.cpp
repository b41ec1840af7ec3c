#include <cctype>
#include <charconv>

#include <busbar/core/error.hpp>
#include <busbar/devices/internal/duration.hpp>
#include <busbar/devices/internal/stage_text.hpp>
#include <busbar/devices/stage.hpp>

namespace busbar {

namespace {

// No pattern can hold it, so it cannot be mistaken for one.
constexpr std::string_view raw_mark = "**";
constexpr std::string_view digits = "0123456789abcdef";

[[noreturn]] void refuse(std::string_view text, std::string cause, std::string remedy) {
  throw Error(ErrorKind::usage, "stage '" + printable(text) + "'", std::move(cause),
              std::move(remedy));
}

std::string raw_text(std::string_view prefix) {
  std::string text;
  for (const char c : prefix) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > ' ' && byte < 127 && c != '\\' && c != '*' && c != '"') {
      text += c;
    } else {
      text += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return text.append(raw_mark);
}

/// The pattern that `word` stands for, raw prefixes included.
TopicPattern pattern_from(std::string_view word) {
  if (!word.ends_with(raw_mark)) return {word};
  word.remove_suffix(raw_mark.size());
  std::string bytes;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word[i] != '\\') {
      bytes += word[i];
      continue;
    }
    const std::string_view escape = word.substr(i, 4);
    unsigned byte = 0;
    const char* const end = escape.data() + escape.size();
    if (escape.size() != 4 || escape[1] != 'x' ||
        std::from_chars(escape.data() + 2, end, byte, 16).ptr != end) {
      refuse(word, "a backslash that starts no \\xNN", "write a backslash itself as \\x5c");
    }
    bytes += static_cast<char>(byte);
    i += 3;
  }
  return TopicPattern::raw_prefix(bytes);
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t start = text.find_first_not_of(" \t");
    if (start == std::string_view::npos) return words;
    text.remove_prefix(start);
    const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

std::size_t count_from(std::string_view text, std::string_view word, const char* form) {
  std::size_t count = 0;
  const char* const end = word.data() + word.size();
  const auto [rest, failure] = std::from_chars(word.data(), end, count);
  if (failure != std::errc{} || rest != end || count == 0) {
    refuse(text, "'" + printable(word) + "' is no number of messages above 0", form);
  }
  return count;
}

Stage only_from(const std::vector<std::string_view>& words) {
  std::vector<TopicPattern> patterns;
  for (std::size_t i = 1; i < words.size(); ++i) patterns.push_back(pattern_from(words[i]));
  return only(std::move(patterns));
}

Stage rate_limit_from(std::string_view text, std::string_view word) {
  constexpr const char* form = "write e.g. rate-limit 1000/s";
  const std::size_t slash = word.find('/');
  if (slash == std::string_view::npos) refuse(text, "no time to count in", form);
  std::string unit{word.substr(slash + 1)};
  if (!unit.empty() && std::isdigit(static_cast<unsigned char>(unit[0])) == 0) unit.insert(0, "1");
  const auto per = detail::parse_duration(unit);
  if (!per || per->count() == 0) refuse(text, "'" + printable(unit) + "' is no time", form);
  return rate_limit(count_from(text, word.substr(0, slash), form), *per);
}

void expect_words(std::string_view text, std::size_t found, std::size_t wanted, const char* form) {
  if (found != wanted) refuse(text, found < wanted ? "too short" : "too long", form);
}

}  // namespace

namespace detail {

std::string only_text(const std::vector<TopicPattern>& patterns) {
  std::string text = "only";
  for (const TopicPattern& pattern : patterns) {
    const bool raw = pattern == TopicPattern::raw_prefix(pattern.prefix());
    text += " " + (raw ? raw_text(pattern.prefix()) : pattern.str());
  }
  return text;
}

std::string rate_text(std::size_t messages, std::chrono::milliseconds per) {
  std::string unit = duration_text(per);
  if (unit == "1s" || unit == "1min" || unit == "1h") unit.erase(0, 1);
  return "rate-limit " + std::to_string(messages) + "/" + unit;
}

}  // namespace detail

Stage parse_stage(std::string_view text) {
  const std::vector<std::string_view> words = words_of(text);
  const std::string_view verb = words.empty() ? std::string_view{} : words[0];
  if (verb == "only") return only_from(words);
  if (verb == "rename") {
    expect_words(text, words.size(), 3, "write e.g. rename prices fx");
    return rename(words[1], words[2]);
  }
  if (verb == "json-to-msgpack" || verb == "msgpack-to-json") {
    expect_words(text, words.size(), 1, "it takes no words behind it");
    return verb == "json-to-msgpack" ? json_to_msgpack() : msgpack_to_json();
  }
  if (verb == "sample") {
    constexpr const char* form = "write e.g. sample 10, for one message in 10";
    expect_words(text, words.size(), 2, form);
    return sample(count_from(text, words[1], form));
  }
  if (verb == "rate-limit") {
    expect_words(text, words.size(), 2, "write e.g. rate-limit 1000/s");
    return rate_limit_from(text, words[1]);
  }
  refuse(text, "no stage begins like this",
         "write one of: only PATTERN..., rename FROM TO, json-to-msgpack, msgpack-to-json, "
         "sample N, rate-limit N/s");
}

}  // namespace busbar
