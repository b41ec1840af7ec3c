/// The targets of request/reply: what each function holds to be true stands at its definition.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace busbar::fuzz {

void correlation(std::string_view bytes);
void requester(std::string_view bytes);
void replier(std::string_view bytes);
void freelance(std::string_view bytes);

std::vector<std::string> correlation_seeds();
std::vector<std::string> requester_seeds();
std::vector<std::string> replier_seeds();
std::vector<std::string> freelance_seeds();

}  // namespace busbar::fuzz
