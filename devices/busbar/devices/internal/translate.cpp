/// The stages that translate payloads.
#include <cmath>
#include <cstdint>
#include <vector>

#include <nlohmann/json.hpp>

#include <busbar/core/codec.hpp>
#include <busbar/core/limits.hpp>
#include <busbar/devices/stage.hpp>

namespace busbar {

namespace {

using nlohmann::json;

// What a payload becomes in memory on its way is up to 25 times as large as itself.
constexpr std::size_t translated_bytes_max = 8u << 20;

/// Whether brackets open deeper than the limit. Looks at no more than strings and brackets, so that
/// the parser, and whoever walks over its result, can go as deep as the input says.
bool too_deep(std::string_view text) {
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > limits::msgpack_depth) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

/// What JSON cannot say without loss: bytes, extensions, and numbers that are none.
bool has_json_form(const json& value) {
  if (value.is_binary() || value.is_discarded()) return false;
  if (value.is_number_float()) return std::isfinite(value.get<double>());
  if (!value.is_structured()) return true;
  for (const json& element : value) {
    if (!has_json_form(element)) return false;
  }
  return true;
}

bool to_msgpack(std::string_view text, std::string& out) {
  if (too_deep(text)) return false;
  const json value = json::parse(text, nullptr, false);
  if (value.is_discarded()) return false;
  json::to_msgpack(value, out);
  return true;
}

bool to_json(std::string_view bytes, std::string& out) {
  detail::parse(bytes);  // throws where it is malformed, too deep, or announces more than it brings
  const json value = json::from_msgpack(bytes, true, false);
  if (!has_json_form(value)) return false;
  out = value.dump();
  return true;
}

using Translation = bool (*)(std::string_view, std::string&);

class Translate final : public StageStep {
 public:
  explicit Translate(Translation translation) : translation_(translation) {}

  std::optional<Cause> apply(Multipart& message, std::size_t body) override {
    if (message.size() <= body) return Cause::not_translatable;
    const std::size_t payload = message.size() - 1;
    if (message.text(payload).size() > translated_bytes_max) return Cause::too_large;
    try {
      out_.clear();
      if (!translation_(message.text(payload), out_)) return Cause::not_translatable;
      message.replace(payload, out_);
    } catch (const std::exception&) {
      return Cause::not_translatable;
    }
    return {};
  }
  bool translates() const noexcept override { return true; }

 private:
  Translation translation_;
  std::string out_;
};

Stage translate(std::string text, Translation translation) {
  return {std::move(text),
          [translation](const Clock&) { return std::make_unique<Translate>(translation); }, false};
}

}  // namespace

Stage json_to_msgpack() { return translate("json-to-msgpack", to_msgpack); }
Stage msgpack_to_json() { return translate("msgpack-to-json", to_json); }

}  // namespace busbar
