/// The targets of services and their wire: what each holds to be true stands at its definition.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace busbar::fuzz {

void majordomo(std::string_view bytes);
void broker(std::string_view bytes);
void broker_prefetch(std::string_view bytes);
void pirates(std::string_view bytes);

std::vector<std::string> majordomo_seeds();
std::vector<std::string> broker_seeds();
std::vector<std::string> broker_prefetch_seeds();
std::vector<std::string> pirates_seeds();

}  // namespace busbar::fuzz
