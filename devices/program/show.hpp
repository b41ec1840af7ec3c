/// Ledgers and sizes, for people and for programs.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <busbar/core/endpoint.hpp>
#include <busbar/core/ledger.hpp>

namespace busbar::program {

/// `1 message`, `2 messages`
std::string counted(std::uint64_t n, const std::string& thing);
/// `1.5 MiB`
std::string human_bytes(std::uint64_t bytes);
/// Texts of endpoints as a JSON array.
nlohmann::json to_json(const std::vector<Endpoint>& endpoints);
/// Every count of the ledger; causes that never came up are left out.
nlohmann::json to_json(const Ledger& ledger);
/// `tasks streamer running`
std::string headline(const Ledger& ledger);
/// A block of lines for one device.
void print(std::ostream& out, const Ledger& ledger);
/// JSON on one line; bytes that are not UTF-8 are replaced.
std::string line(const nlohmann::json& value);

}  // namespace busbar::program
