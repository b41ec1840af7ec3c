/// Another program, run without a shell.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace busbar::detail {

/// Runs a program that is found in PATH, gives it `input`, and waits for its end. Its output; empty
/// where it cannot be started or ends with a failure. What it writes on stderr is thrown away.
std::optional<std::string> run_program(const std::vector<std::string>& command,
                                       const std::string& input);

}  // namespace busbar::detail
