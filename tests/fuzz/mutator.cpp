#include "fuzz/mutator.hpp"

#include <algorithm>
#include <string_view>

namespace busbar::fuzz {

namespace {

constexpr std::size_t longest = 4096;

class Mutation {
 public:
  Mutation(const std::vector<std::string>& seeds, std::mt19937_64& random)
      : seeds_(seeds), random_(random), bytes_(seed()) {}

  void change() {
    switch (below(8)) {
      case 0:
        flip_bit();
        break;
      case 1:
        set_byte(any_byte());
        break;
      case 2:
        set_byte(telling_byte());
        break;
      case 3:
        bytes_.insert(place(), 1, telling_byte());
        break;
      case 4:
        bytes_.erase(place(), 1 + below(4));
        break;
      case 5:
        repeat();
        break;
      case 6:
        bytes_.resize(place());
        break;
      default:
        splice();
        break;
    }
    if (bytes_.size() > longest) bytes_.resize(longest);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::size_t below(std::size_t n) { return n == 0 ? 0 : random_() % n; }
  std::size_t place() { return below(bytes_.size() + 1); }
  char any_byte() { return static_cast<char>(below(256)); }
  /// What grammars turn on.
  char telling_byte() {
    using namespace std::string_view_literals;
    constexpr std::string_view bytes = ".*>:/[]%0159-@# \n\0\x1b\x7f\x80\xc1\xdd\xdf\xff"sv;
    return bytes[below(bytes.size())];
  }
  const std::string& seed() { return seeds_[below(seeds_.size())]; }

  void set_byte(char byte) {
    if (!bytes_.empty()) bytes_[below(bytes_.size())] = byte;
  }
  void flip_bit() {
    if (bytes_.empty()) return;
    char& byte = bytes_[below(bytes_.size())];
    byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1u << below(8)));
  }
  void repeat() {
    const std::size_t at = place();
    const std::string part = bytes_.substr(at, 1 + below(16));
    const std::size_t times = below(4) == 0 ? below(300) : 1;
    for (std::size_t i = 0; i < times && bytes_.size() < longest; ++i) bytes_.insert(at, part);
  }
  void splice() {
    const std::string& other = seed();
    bytes_.resize(place());
    bytes_ += std::string_view(other).substr(below(other.size() + 1));
  }

  const std::vector<std::string>& seeds_;
  std::mt19937_64& random_;
  std::string bytes_;
};

}  // namespace

std::string mutate(const std::vector<std::string>& seeds, std::mt19937_64& random) {
  Mutation mutation(seeds, random);
  const std::size_t changes = random() % 6;
  for (std::size_t i = 0; i < changes; ++i) mutation.change();
  return mutation.take();
}

}  // namespace busbar::fuzz
