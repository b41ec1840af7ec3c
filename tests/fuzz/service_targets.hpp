/// The targets of services' workers and calls: what each holds to be true stands at its definition.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace busbar::fuzz {

void service_worker(std::string_view bytes);
void service_call(std::string_view bytes);

std::vector<std::string> service_worker_seeds();
std::vector<std::string> service_call_seeds();

}  // namespace busbar::fuzz
