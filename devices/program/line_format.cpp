#include "program/line_format.hpp"

#include "program/base64.hpp"

#include <optional>

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

std::string payload_of(const json& value, const std::string& place) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_object() || value.size() != 1 || !value.contains("base64")) return value.dump();
  const json& text = value["base64"];
  if (text.is_string())
    if (auto bytes = from_base64(text.get_ref<const std::string&>())) return std::move(*bytes);
  refuse(place, "what stands under \"base64\" is no base64", "give RFC 4648 text with its padding");
}

Letter parse_json(const std::string& line, const std::string& place) {
  const json value = json::parse(line, nullptr, false);
  if (value.is_discarded())
    refuse(place, "'" + printable(line, 60) + "' is no JSON", "write {\"payload\":\"text\"}");
  if (!value.is_object() || !value.contains("payload"))
    refuse(place, "the JSON has no \"payload\"", "write {\"topic\":\"t\",\"payload\":\"text\"}");
  Letter letter;
  if (const auto topic = value.find("topic"); topic != value.end()) {
    if (!topic->is_string()) refuse(place, "\"topic\" is no string", "write \"topic\":\"t\"");
    letter.topic = topic->get<std::string>();
  }
  letter.payload = payload_of(value["payload"], place);
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

void append_json(std::string& out, const Multipart& message, std::size_t first, bool topics) {
  const std::size_t last = message.size() - 1;
  out += '{';
  if (topics) out += "\"topic\":" + json_text(message.text(first)) + ',';
  std::size_t middle = first + (topics ? 1 : 0);
  if (topics && middle < last)
    if (const auto header = tap_header(message.text(first), message.text(middle))) {
      out += "\"tap\":" + json_text(*header) + ',';
      ++middle;
    }
  if (middle < last) {
    out += "\"frames\":[";
    for (std::size_t i = middle; i < last; ++i)
      out += (i > middle ? "," : "") + json_text(message.text(i));
    out += "],";
  }
  out += "\"payload\":" + json_text(message.text(last)) + "}\n";
}

}  // namespace

Letter parse_line(std::string line, Shape shape, const std::string& place) {
  if (shape == Shape::json) return parse_json(line, place);
  if (shape == Shape::plain) return {.payload = std::move(line)};
  const std::size_t tab = line.find('\t');
  if (tab == std::string::npos) refuse(place, "no tab behind the topic", "write TOPIC<tab>PAYLOAD");
  return {.topic = line.substr(0, tab), .payload = line.substr(tab + 1)};
}

void append_line(std::string& out, const Multipart& message, std::size_t first, bool topics,
                 Shape shape) {
  if (first >= message.size()) {
    out += shape == Shape::json ? "{\"payload\":\"\"}\n" : "\n";
    return;
  }
  if (shape == Shape::json) return append_json(out, message, first, topics);
  if (shape == Shape::with_topic && topics) {
    out += message.text(first);
    out += '\t';
  }
  out += message.text(message.size() - 1);
  out += '\n';
}

}  // namespace busbar::program
