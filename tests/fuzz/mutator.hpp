/// Random changes to a seed: flips, digits, runs, splices. The same random numbers give the same
/// bytes.
#pragma once

#include <random>
#include <string>
#include <vector>

namespace busbar::fuzz {

/// One of `seeds` with a few changes, never longer than a few kilobytes.
std::string mutate(const std::vector<std::string>& seeds, std::mt19937_64& random);

}  // namespace busbar::fuzz
