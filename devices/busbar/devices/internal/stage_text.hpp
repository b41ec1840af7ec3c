/// How a stage is written; parse_stage reads it back.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include <busbar/core/topic.hpp>

namespace busbar::detail {

std::string only_text(const std::vector<TopicPattern>& patterns);
std::string rate_text(std::size_t messages, std::chrono::milliseconds per);

}  // namespace busbar::detail
