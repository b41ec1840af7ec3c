/// What somebody who mistyped a word probably meant.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::program {

/// The candidate with the fewest edits to `word`, where that is less than half of it.
std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates);

}  // namespace busbar::program
