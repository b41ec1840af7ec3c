#include "program/line_format.hpp"

#include "program/base64.hpp"

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include <busbar/core/error.hpp>
#include <busbar/core/tap_header.hpp>

namespace busbar::program {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::string& place, const std::string& cause,
                         const std::string& remedy) {
  throw Error{ErrorKind::usage, "read " + place, cause, remedy};
}

std::string bytes_of(const json& value, const std::string& place) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_object() || value.size() != 1 || !value.contains("base64")) return value.dump();
  const json& text = value["base64"];
  if (text.is_string())
    if (auto bytes = from_base64(text.get_ref<const std::string&>())) return std::move(*bytes);
  refuse(place, "what stands under \"base64\" is no base64", "give RFC 4648 text with its padding");
}

Letter parse_json(const std::string& line, const std::string& place, bool payload_only) {
  const json value = json::parse(line, nullptr, false);
  if (value.is_discarded())
    refuse(place, "'" + printable(line, 60) + "' is no JSON", "write {\"payload\":\"text\"}");
  if (!value.is_object() || !value.contains("payload"))
    refuse(place, "the JSON has no \"payload\"",
           payload_only ? "write {\"payload\":\"text\"}"
                        : "write {\"topic\":\"t\",\"payload\":\"text\"}");
  for (const auto& item : value.items())
    if (payload_only && item.key() != "payload")
      refuse(place, "there is no place for \"" + printable(item.key(), 40) + "\"",
             "give \"payload\" alone");
  Letter letter;
  if (const auto topic = value.find("topic"); topic != value.end()) {
    if (!topic->is_string()) refuse(place, "\"topic\" is no string", "write \"topic\":\"t\"");
    letter.topic = topic->get<std::string>();
  }
  letter.payload = bytes_of(value["payload"], place);
  if (const auto headers = value.find("headers"); headers != value.end()) {
    if (!headers->is_object())
      refuse(place, "\"headers\" is no object", "write {\"NAME\":\"text\"}");
    for (const auto& [name, text] : headers->items())
      letter.headers.emplace_back(name, bytes_of(text, place));
  }
  return letter;
}

std::string json_text(std::string_view bytes) {
  try {
    return json(bytes).dump();
  } catch (const json::type_error&) {  // not UTF-8
    return R"({"base64":")" + to_base64(bytes) + R"("})";
  }
}

/// A tap's copy is known by its header, which has the names of the topic in it.
std::optional<TapHeader> tap_header(std::string_view topic, std::string_view frame) {
  if (!topic.ends_with(".forward") && !topic.ends_with(".backward")) return std::nullopt;
  try {
    TapHeader header = unpack<TapHeader>(frame);
    if (header.device + '.' + header.direction == topic) return header;
  } catch (const Error&) {  // somebody else's topic, and no header
  }
  return std::nullopt;
}

std::string json_text(const TapHeader& header) {
  return "{\"device\":" + json_text(header.device) +
         ",\"direction\":" + json_text(header.direction) +
         ",\"time\":" + std::to_string(header.time) + '}';
}

void append_frames(std::string& out, const std::vector<std::string_view>& frames) {
  if (frames.empty()) return;
  out += "\"frames\":[";
  for (std::size_t i = 0; i < frames.size(); ++i) out += (i > 0 ? "," : "") + json_text(frames[i]);
  out += "],";
}

void append_headers(std::string& out, const Headers& headers) {
  if (headers.empty()) return;
  out += "\"headers\":{";
  for (const auto& [name, value] : headers)
    out += (out.ends_with('{') ? "" : ",") + json_text(name) + ':' + json_text(value);
  out += "},";
}

void append_payload(std::string& out, std::string_view payload) {
  out += "\"payload\":" + json_text(payload) + "}\n";
}

/// All but the last frame behind the topic.
std::vector<std::string_view> frames_before_payload(const Message& message) {
  std::vector<std::string_view> frames;
  if (message.further().empty()) return frames;
  frames.push_back(message.payload());
  for (const Frame& frame : message.further()) frames.push_back(text(frame));
  frames.pop_back();
  return frames;
}

void append_origin(std::string& out, const Message& message) {
  if (message.sequence() == 0) return;
  char id[17];
  std::snprintf(id, sizeof id, "%016" PRIx64, message.publisher());
  const auto time =
      std::chrono::duration_cast<std::chrono::microseconds>(message.time().time_since_epoch());
  out += "\"publisher\":\"" + std::string{id} +
         "\",\"sequence\":" + std::to_string(message.sequence()) +
         ",\"time\":" + std::to_string(time.count()) + ',';
}

}  // namespace

Letter parse_line(std::string line, Shape shape, const std::string& place, bool payload_only) {
  if (shape == Shape::json) return parse_json(line, place, payload_only);
  if (shape == Shape::plain) return {.payload = std::move(line)};
  const std::size_t tab = line.find('\t');
  if (tab == std::string::npos) refuse(place, "no tab behind the topic", "write TOPIC<tab>PAYLOAD");
  return {.topic = line.substr(0, tab), .payload = line.substr(tab + 1)};
}

void append_line(std::string& out, const Multipart& message, std::size_t first, Shape shape) {
  const bool empty = first >= message.size();
  const std::string_view payload = empty ? "" : message.text(message.size() - 1);
  if (shape != Shape::json) {
    out.append(payload) += '\n';
    return;
  }
  std::vector<std::string_view> frames;
  for (std::size_t i = first; i + 1 < message.size(); ++i) frames.push_back(message.text(i));
  out += '{';
  append_frames(out, frames);
  append_payload(out, payload);
}

void append_line(std::string& out, const Message& message, Shape shape) {
  // A raw topic may have a tab or a newline in it, and a terminal's own codes.
  if (shape == Shape::with_topic) out += printable(message.topic(), message.topic().size()) + '\t';
  if (shape != Shape::json) {
    out.append(payload_of(message)) += '\n';
    return;
  }
  out += "{\"topic\":" + json_text(message.topic()) + ',';
  append_origin(out, message);
  append_headers(out, message.headers());
  std::vector<std::string_view> frames = frames_before_payload(message);
  if (!frames.empty())
    if (const auto header = tap_header(message.topic(), frames.front())) {
      out += "\"tap\":" + json_text(*header) + ',';
      frames.erase(frames.begin());
    }
  append_frames(out, frames);
  append_payload(out, payload_of(message));
}

void append_line(std::string& out, const Message& message, std::uint32_t attempt, Shape shape) {
  if (shape != Shape::json) {
    out.append(message.payload()) += '\n';
    return;
  }
  out += '{';
  if (attempt > 1) out += "\"attempt\":" + std::to_string(attempt) + ',';
  append_headers(out, message.headers());
  append_payload(out, message.payload());
}

std::string_view payload_of(const Message& message) {
  return message.further().empty() ? message.payload() : text(message.further().back());
}

}  // namespace busbar::program
