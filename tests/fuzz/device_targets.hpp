/// The targets of devices/: what each function holds to be true stands at its definition.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace busbar::fuzz {

void topology(std::string_view bytes);
void stage(std::string_view bytes);
void translation(std::string_view bytes);

std::vector<std::string> topology_seeds();
std::vector<std::string> stage_seeds();
std::vector<std::string> translation_seeds();

}  // namespace busbar::fuzz
