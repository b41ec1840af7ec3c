// busbar_fuzz TARGET [SEED] [ITERATIONS]: runs one target over mutated seeds.
// busbar_fuzz --seeds FOLDER: writes every target's seeds to FOLDER/TARGET/, for libFuzzer.
// Exit code: 0 nothing found, 1 found something, 2 usage.
#include "fuzz/mutator.hpp"
#include "fuzz/targets.hpp"

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <string>
#include <string_view>

namespace {

using namespace busbar::fuzz;

constexpr std::uint64_t default_iterations = 100'000;

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stopped != end) return {};
  return value;
}

std::string hex_of(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    out += {digits[byte >> 4], digits[byte & 15]};
  }
  return out;
}

/// What the target found wrong with `bytes`; empty: nothing.
std::string finding(const Target& target, std::string_view bytes) {
  try {
    target.run(bytes);
    return {};
  } catch (const std::exception& error) {
    return error.what();
  }
}

int run(const Target& target, std::uint64_t seed, std::uint64_t iterations) {
  const std::string name{target.name};
  std::printf("%s: seed %llu, %llu iterations\n", name.c_str(),
              static_cast<unsigned long long>(seed), static_cast<unsigned long long>(iterations));
  std::fflush(stdout);  // a crash must not swallow the seed
  std::mt19937_64 random(seed);
  for (std::uint64_t i = 0; i < iterations; ++i) {
    const std::string bytes =
        i < target.seeds.size() ? target.seeds[i] : mutate(target.seeds, random);
    const std::string found = finding(target, bytes);
    if (found.empty()) continue;
    std::printf("%s: FOUND at iteration %llu: %s\nbytes: %s\nagain: busbar_fuzz %s %llu %llu\n",
                name.c_str(), static_cast<unsigned long long>(i), found.c_str(),
                hex_of(bytes).c_str(), name.c_str(), static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(i + 1));
    return 1;
  }
  return 0;
}

int write_seeds(const std::filesystem::path& folder) {
  for (const Target& target : targets()) {
    std::filesystem::create_directories(folder / target.name);
    int number = 0;
    for (const std::string& seed : target.seeds) {
      std::ofstream out(folder / target.name / std::to_string(number++), std::ios::binary);
      if (!(out << seed).flush()) return 1;
    }
  }
  return 0;
}

int usage() {
  std::fputs("usage: busbar_fuzz TARGET [SEED] [ITERATIONS] | --seeds FOLDER\ntargets:", stderr);
  for (const Target& target : targets())
    std::fprintf(stderr, " %s", std::string(target.name).c_str());
  std::fputs("\n", stderr);
  return 2;
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 3 && std::string_view(arguments[1]) == "--seeds") return write_seeds(arguments[2]);
  const Target* target = count >= 2 && count <= 4 ? find_target(arguments[1]) : nullptr;
  const auto seed = count >= 3 ? number_in(arguments[2]) : std::random_device{}();
  const auto iterations = count >= 4 ? number_in(arguments[3]) : default_iterations;
  if (target == nullptr || !seed || !iterations) return usage();
  return run(*target, *seed, *iterations);
}
