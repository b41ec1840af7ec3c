/// Files of tests/vectors: keys and values, a blank line between vectors.
#pragma once

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

extern const std::string vectors_folder;

struct TestVector {
  std::vector<std::pair<std::string, std::string>> lines;

  std::vector<std::string> all(const std::string& key) const {
    std::vector<std::string> values;
    for (const auto& [name, value] : lines) {
      if (name == key) values.push_back(value);
    }
    return values;
  }
  /// Empty where it is not there.
  std::string text(const std::string& key) const {
    const auto values = all(key);
    return values.empty() ? std::string{} : values[0];
  }
  bool has(const std::string& key) const { return !all(key).empty(); }
  static std::string bytes_of(const std::string& hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
      bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    }
    return bytes;
  }
  /// Each value of `key`, from hex.
  std::vector<std::string> bytes(const std::string& key) const {
    std::vector<std::string> found;
    for (const std::string& hex : all(key)) found.push_back(bytes_of(hex));
    return found;
  }
};

/// Throws where there is none.
inline const TestVector& vector_named(const std::vector<TestVector>& vectors,
                                      const std::string& name) {
  const auto found = std::find_if(vectors.begin(), vectors.end(), [&](const TestVector& vector) {
    return vector.text("name") == name;
  });
  if (found == vectors.end()) throw std::runtime_error("no vector has the name " + name);
  return *found;
}

inline std::vector<TestVector> read_test_vectors(const std::string& file_name) {
  std::ifstream file{vectors_folder + "/" + file_name};
  std::vector<TestVector> vectors(1);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    if (line.empty()) {
      if (!vectors.back().lines.empty()) vectors.emplace_back();
      continue;
    }
    const std::size_t space = std::min(line.find(' '), line.size());
    vectors.back().lines.emplace_back(line.substr(0, space),
                                      line.substr(std::min(space + 1, line.size())));
  }
  if (vectors.back().lines.empty()) vectors.pop_back();
  return vectors;
}
