#include <cstdlib>
#include <cxxabi.h>
#include <memory>

#include <busbar/core/codec.hpp>
#include <busbar/core/limits.hpp>

namespace busbar::detail {

namespace {

[[noreturn]] void refuse(std::string_view bytes, std::string cause) {
  throw Error(ErrorKind::refused, "unpack " + std::to_string(bytes.size()) + " bytes of msgpack",
              std::move(cause));
}

/// Walks over a value without keeping anything of it. Run before the value is built, it bounds what
/// that can allocate: an array's announced length is believed only once all its elements were seen.
class Inspector : public msgpack::null_visitor {
 public:
  explicit Inspector(std::size_t size) : size_(size) {}

  bool start_array(std::uint32_t length) { return enter(length, 1); }
  bool end_array() { return leave(); }
  bool start_map(std::uint32_t length) { return enter(length, 2); }
  bool end_map() { return leave(); }
  void parse_error(std::size_t, std::size_t at) {
    fault_ = "no msgpack at byte " + std::to_string(at);
  }
  void insufficient_bytes(std::size_t, std::size_t) { fault_ = "truncated"; }

  const std::string& fault() const { return fault_; }

 private:
  bool enter(std::uint32_t length, std::size_t least) {
    if (++depth_ > limits::msgpack_depth) {
      fault_ = "nested deeper than " + std::to_string(limits::msgpack_depth);
    } else if (length > size_ / least) {
      fault_ = "announces " + std::to_string(length) + " elements";
    }
    return fault_.empty();
  }
  bool leave() {
    --depth_;
    return true;
  }

  std::size_t size_;
  std::size_t depth_ = 0;
  std::string fault_;
};

bool refer_to_input(msgpack::type::object_type, std::size_t, void*) { return true; }

std::string_view name_of_type(const msgpack::object& value) {
  switch (value.type) {
    case msgpack::type::NIL:
      return "nil";
    case msgpack::type::BOOLEAN:
      return "a boolean";
    case msgpack::type::POSITIVE_INTEGER:
      return "a positive integer";
    case msgpack::type::NEGATIVE_INTEGER:
      return "a negative integer";
    case msgpack::type::FLOAT32:
    case msgpack::type::FLOAT64:
      return "a floating-point number";
    case msgpack::type::STR:
      return "a string";
    case msgpack::type::BIN:
      return "bytes";
    case msgpack::type::ARRAY:
      return "an array";
    case msgpack::type::MAP:
      return "a map";
    case msgpack::type::EXT:
      return "an extension";
  }
  return "an unknown type";
}

std::string readable_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  return name == nullptr ? type.name() : name.get();
}

}  // namespace

msgpack::object_handle parse(std::string_view bytes) {
  if (bytes.empty()) refuse(bytes, "truncated");
  Inspector inspector(bytes.size());
  std::size_t end = 0;
  const bool whole = msgpack::parse(bytes.data(), bytes.size(), end, inspector);
  if (!inspector.fault().empty()) refuse(bytes, inspector.fault());
  if (!whole) refuse(bytes, "truncated");
  if (end != bytes.size()) {
    refuse(bytes, std::to_string(bytes.size() - end) + " bytes behind the value");
  }
  const msgpack::unpack_limit limit(bytes.size(), bytes.size() / 2, bytes.size(), bytes.size(),
                                    bytes.size(), limits::msgpack_depth);
  try {
    return msgpack::unpack(bytes.data(), bytes.size(), refer_to_input, nullptr, limit);
  } catch (const msgpack::unpack_error& error) {
    refuse(bytes, error.what());
  }
}

void throw_wrong_type(const msgpack::object& value, const std::type_info& wanted) {
  throw Error(ErrorKind::refused, "unpack msgpack",
              "found " + std::string(name_of_type(value)) + ", wanted " + readable_name(wanted));
}

}  // namespace busbar::detail
