// One row of the table as a libFuzzer executable; the row's name is BUSBAR_FUZZ_TARGET. What a
// target throws is not caught, so libFuzzer keeps the bytes.
#include "fuzz/targets.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const busbar::fuzz::Target& target = *busbar::fuzz::find_target(BUSBAR_FUZZ_TARGET);
  target.run({reinterpret_cast<const char*>(data), size});
  return 0;
}
