/// CURVE keys and the list of those who may connect: ZeroMQ RFC 26/CURVEZMQ, zmq_curve(7).
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace busbar {

/// Whether `text` is a key in Z85 (RFC 32/Z85): 40 characters that decode.
bool is_curve_key(std::string_view text) noexcept;

/// A key pair in Z85. The file holds a line `public KEY` and a line `secret KEY`; a line that
/// starts with `# ` is a comment.
struct CurveKeys {
  std::string public_key;
  std::string secret_key;

  /// A new pair (zmq_curve_keypair(3)). Throws Error where libzmq was built without CURVE.
  static CurveKeys create();
  /// Throws Error: not there, a directory, malformed (with the line), two keys that are no pair,
  /// or, since a secret that others can read is none, readable by group or others (then
  /// `chmod 600 FILE` helps).
  static CurveKeys load(const std::filesystem::path& file);
  /// Writes a new file with mode 0600. Throws Error (refused) where the file exists already.
  void save(const std::filesystem::path& file) const;
};

/// Reads a public key from a file with the line `public KEY`, or takes `text` itself where it is a
/// key. Throws Error where it is neither, or where the file holds a secret key as well: who needs
/// the public key of somebody else has no business with the secret one.
std::string load_public_key(std::string_view text_or_file);

/// The public keys that a bound socket admits. Thread-safe; shared by sockets and reloaded in
/// place, for connections made from then on.
class AllowList {
 public:
  explicit AllowList(std::vector<std::string> public_keys);
  /// One key a line, text behind it is a remark; `# ` starts a comment. Throws Error with the line.
  static std::shared_ptr<AllowList> load(const std::filesystem::path& file);

  bool allows(std::string_view public_key) const;
  std::size_t size() const;
  /// Reads the file again. Throws Error and keeps the old list where the new one is bad, or where
  /// the list did not come from a file.
  void reload();

 private:
  mutable std::mutex mutex_;
  std::set<std::string, std::less<>> keys_;
  std::filesystem::path file_;
};

}  // namespace busbar
