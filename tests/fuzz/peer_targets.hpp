/// The targets of peers: what each function holds to be true stands at its definition.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace busbar::fuzz {

void zre(std::string_view bytes);
void peer(std::string_view bytes);

std::vector<std::string> zre_seeds();
std::vector<std::string> peer_seeds();

}  // namespace busbar::fuzz
