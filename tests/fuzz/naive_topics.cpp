#include "fuzz/naive_topics.hpp"

#include <algorithm>

namespace busbar::fuzz::naive {

namespace {

using Words = std::vector<std::string>;

Words words_of(const std::string& text) {
  Words words{""};
  for (const char c : text) {
    if (c == '.') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  return words;
}

struct Range {
  unsigned char first;
  unsigned char last;
};

/// The rows of RFC 3629's grammar, section 4, ASCII without white space and control characters.
const std::vector<std::vector<Range>>& sequences() {
  constexpr Range tail{0x80, 0xBF};
  static const std::vector<std::vector<Range>> rows{
      {{0x21, 0x7E}},
      {{0xC2, 0xDF}, tail},
      {{0xE0, 0xE0}, {0xA0, 0xBF}, tail},
      {{0xE1, 0xEC}, tail, tail},
      {{0xED, 0xED}, {0x80, 0x9F}, tail},
      {{0xEE, 0xEF}, tail, tail},
      {{0xF0, 0xF0}, {0x90, 0xBF}, tail, tail},
      {{0xF1, 0xF3}, tail, tail, tail},
      {{0xF4, 0xF4}, {0x80, 0x8F}, tail, tail},
  };
  return rows;
}

/// How many bytes at `at` fit a row; 0: none does.
std::size_t sequence_at(const std::string& text, std::size_t at) {
  for (const std::vector<Range>& row : sequences()) {
    bool fits = at + row.size() <= text.size();
    for (std::size_t i = 0; fits && i < row.size(); ++i) {
      const auto byte = static_cast<unsigned char>(text[at + i]);
      fits = byte >= row[i].first && byte <= row[i].last;
    }
    if (fits) return row.size();
  }
  return 0;
}

/// White space and control characters beyond ASCII, as they are written in UTF-8.
bool is_blank_or_control(const std::string& sequence) {
  if (sequence.size() == 2) return sequence >= "\xc2\x80" && sequence <= "\xc2\xa0";
  static const std::vector<std::string> singles{"\xe1\x9a\x80", "\xe2\x80\xaf", "\xe2\x81\x9f",
                                                "\xe3\x80\x80", "\xef\xbb\xbf"};
  if (std::find(singles.begin(), singles.end(), sequence) != singles.end()) return true;
  static const std::vector<std::string> joiners{"\xe2\x80\x8b", "\xe2\x80\x8c", "\xe2\x80\x8d"};
  if (std::find(joiners.begin(), joiners.end(), sequence) != joiners.end()) return false;
  return (sequence >= "\xe2\x80\x80" && sequence <= "\xe2\x80\x8f") ||
         (sequence >= "\xe2\x80\xa8" && sequence <= "\xe2\x80\xae") ||
         (sequence >= "\xe2\x81\xa6" && sequence <= "\xe2\x81\xa9");
}

bool is_word(const std::string& word) {
  std::size_t at = 0;
  while (at < word.size()) {
    const std::size_t length = sequence_at(word, at);
    if (length == 0 || is_blank_or_control(word.substr(at, length))) return false;
    at += length;
  }
  return !word.empty();
}

bool has_wildcard(const std::string& word) {
  return word.find('*') != std::string::npos || word.find('>') != std::string::npos;
}

bool match_words(const Words& pattern, std::size_t p, const Words& topic, std::size_t t) {
  if (p == pattern.size()) return t == topic.size();
  if (t == topic.size()) return false;
  if (pattern[p] == ">") return true;
  return (pattern[p] == "*" || pattern[p] == topic[t]) && match_words(pattern, p + 1, topic, t + 1);
}

}  // namespace

bool is_topic(const std::string& text) {
  const Words words = words_of(text);
  return text.size() <= longest && std::all_of(words.begin(), words.end(), is_word) &&
         std::none_of(words.begin(), words.end(), has_wildcard);
}

bool is_pattern(const std::string& text) {
  const Words words = words_of(text);
  if (text.size() > longest || !std::all_of(words.begin(), words.end(), is_word)) return false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "*" || (words[i] == ">" && i + 1 == words.size())) continue;
    if (has_wildcard(words[i])) return false;
  }
  return true;
}

bool matches(const std::string& pattern, const std::string& topic) {
  if (pattern == ">") return true;
  return is_topic(topic) && match_words(words_of(pattern), 0, words_of(topic), 0);
}

}  // namespace busbar::fuzz::naive
