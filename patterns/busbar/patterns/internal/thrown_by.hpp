/// Calls to what users gave us, which may throw anything.
#pragma once

#include <exception>
#include <optional>
#include <string>

namespace busbar::detail {

/// Calls it. What it threw, in words; empty: nothing.
template <class Call>
std::optional<std::string> thrown_by(Call&& call) {
  try {
    call();
    return std::nullopt;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "what is no std::exception";
  }
}

}  // namespace busbar::detail
