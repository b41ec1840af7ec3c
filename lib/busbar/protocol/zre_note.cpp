#include "busbar/protocol/zre_note.hpp"

#include <msgpack.hpp>

#include <busbar/protocol/msgpack_reader.hpp>

namespace busbar::protocol::zre {

namespace {

constexpr std::uint64_t version = 1;
constexpr std::uint64_t kind_ask = 1;
constexpr std::uint64_t kind_known = 2;
constexpr std::uint64_t kind_headers = 3;

using Packer = msgpack::packer<msgpack::sbuffer>;

void pack_text(Packer& to, std::string_view text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  to.pack_bin(size).pack_bin_body(text.data(), size);
}

void write(Packer& to, const Ask&) { to.pack_array(2).pack(version).pack(kind_ask); }
void write(Packer& to, const Known& known) {
  to.pack_array(3).pack(version).pack(kind_known);
  to.pack_array(static_cast<std::uint32_t>(3 * known.nodes.size()));
  for (const KnownNode& node : known.nodes) {
    pack_text(to, node.id.octets());
    pack_text(to, node.endpoint);
    pack_text(to, node.key);
  }
}
void write(Packer& to, const NewHeaders& changed) {
  to.pack_array(3).pack(version).pack(kind_headers);
  to.pack_array(static_cast<std::uint32_t>(2 * changed.headers.size()));
  for (const auto& [name, value] : changed.headers) {
    pack_text(to, name);
    pack_text(to, value);
  }
}

std::optional<Note> read_known(MsgpackReader& from) {
  const auto size = from.array();
  if (!size || *size % 3 != 0) return std::nullopt;
  Known known;
  for (std::uint32_t i = 0; i < *size; i += 3) {
    const auto octets = from.bytes();
    const auto endpoint = octets ? from.bytes() : std::nullopt;
    const auto key = endpoint ? from.bytes() : std::nullopt;
    const auto id = key ? PeerId::from_bytes(*octets) : std::nullopt;
    if (!id || endpoint->size() > string_bytes) return std::nullopt;
    known.nodes.push_back({*id, std::string{*endpoint}, std::string{*key}});
  }
  return known;
}

std::optional<Note> read_headers(MsgpackReader& from) {
  const auto size = from.array();
  if (!size || *size % 2 != 0) return std::nullopt;
  NewHeaders changed;
  for (std::uint32_t i = 0; i < *size; i += 2) {
    const auto name = from.bytes();
    const auto value = name ? from.bytes() : std::nullopt;
    if (!value || name->size() > string_bytes) return std::nullopt;
    changed.headers.emplace_back(*name, *value);
  }
  return changed;
}

}  // namespace

std::string encode(const Note& note) {
  msgpack::sbuffer buffer;
  Packer to{buffer};
  std::visit([&](const auto& kind) { write(to, kind); }, note);
  return {buffer.data(), buffer.size()};
}

std::optional<Note> decode_note(std::string_view frame) {
  if (frame.size() > hello_bytes) return std::nullopt;
  MsgpackReader from{frame};
  const auto size = from.array();
  if (!size || *size < 2 || from.unsigned_integer() != version) return std::nullopt;
  const auto kind = from.unsigned_integer();
  if (kind == kind_ask) return Ask{};
  if (kind == kind_known && *size >= 3) return read_known(from);
  if (kind == kind_headers && *size >= 3) return read_headers(from);
  return std::nullopt;
}

}  // namespace busbar::protocol::zre
