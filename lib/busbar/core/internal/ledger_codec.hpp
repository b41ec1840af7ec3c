/// A ledger as msgpack: lib/WIRE.md, "Control".
#pragma once

#include <string>
#include <vector>

#include <busbar/core/codec.hpp>
#include <busbar/core/ledger.hpp>

namespace busbar::detail {

std::string pack_ledgers(const std::vector<Ledger>& ledgers);
/// Strict about types and about the keys that it knows, each of which must be there once; it passes
/// over those that it does not know. Throws Error (refused) that names the key.
std::vector<Ledger> unpack_ledgers(std::string_view bytes);

}  // namespace busbar::detail
