#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <sys/stat.h>
#include <unistd.h>

#include <zmq.h>

#include <busbar/core/curve.hpp>
#include <busbar/core/error.hpp>

namespace busbar {

namespace {

constexpr std::size_t key_length = 40;
constexpr std::size_t file_bytes_max = 16u << 20;  // 400,000 keys
constexpr const char* key_file_form = "`busbar keygen` writes a good one";

/// A file descriptor that closes itself.
struct Descriptor {
  int value = -1;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

[[noreturn]] void fail(ErrorKind kind, std::string_view verb, const std::filesystem::path& file,
                       std::string cause, std::string remedy = {}) {
  throw Error(kind, std::string(verb) + " " + printable(file.native()), std::move(cause),
              std::move(remedy));
}

[[noreturn]] void fail_with_errno(std::string_view verb, const std::filesystem::path& file) {
  const int cause = errno;
  const bool forbidden = cause == EACCES || cause == EPERM || cause == EEXIST;
  fail(forbidden ? ErrorKind::refused : ErrorKind::usage, verb, file, std::strerror(cause));
}

struct Content {
  std::string text = {};
  bool for_others = false;  ///< Group or others may read it.
};

Content read_file(const std::filesystem::path& file, std::string_view verb) {
  // Non-blocking, so that a fifo is refused and not waited for.
  const Descriptor in{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat facts {};
  if (in.value < 0 || ::fstat(in.value, &facts) != 0) fail_with_errno(verb, file);
  if (S_ISDIR(facts.st_mode)) fail(ErrorKind::usage, verb, file, "it is a directory");
  if (!S_ISREG(facts.st_mode)) fail(ErrorKind::usage, verb, file, "it is no regular file");
  std::string text;
  std::array<char, 4096> chunk{};
  for (;;) {
    const ssize_t count = ::read(in.value, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_with_errno(verb, file);
    if (count == 0) return {std::move(text), (facts.st_mode & 077) != 0};
    text.append(chunk.data(), static_cast<std::size_t>(count));
    if (text.size() > file_bytes_max) fail(ErrorKind::usage, verb, file, "longer than 16 MiB");
  }
}

/// Splits a line at its first white space: the first word, and what is behind it.
std::pair<std::string_view, std::string_view> split(std::string_view line) {
  const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
  const std::size_t next = std::min(line.find_first_not_of(" \t", end), line.size());
  return {line.substr(0, end), line.substr(next)};
}

using LineReader = std::function<void(std::string_view line, const std::string& where)>;

/// Calls `read` for each line that is neither blank nor a comment, with `FILE:LINE`.
void for_each_line(std::string_view text, const std::filesystem::path& file,
                   const LineReader& read) {
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
    // A key may begin with #, so only `# ` begins a comment.
    if (line.empty() || line == "#" || line.starts_with("# ")) continue;
    read(line, printable(file.native()) + ":" + std::to_string(number));
  }
}

bool holds_secret(std::string_view text, const std::filesystem::path& file) {
  bool found = false;
  for_each_line(text, file, [&](std::string_view line, const std::string&) {
    found = found || split(line).first == "secret";
  });
  return found;
}

/// Never shows a line's text: it may be a secret.
CurveKeys parse_key_file(std::string_view text, const std::filesystem::path& file) {
  CurveKeys keys;
  for_each_line(text, file, [&](std::string_view line, const std::string& where) {
    const auto [word, key] = split(line);
    if (word != "public" && word != "secret") {
      throw Error(ErrorKind::usage, where, "neither `public KEY` nor `secret KEY`", key_file_form);
    }
    std::string& slot = word == "public" ? keys.public_key : keys.secret_key;
    if (!slot.empty())
      throw Error(ErrorKind::usage, where, "a second " + std::string(word) + " key");
    if (!is_curve_key(key)) {
      throw Error(ErrorKind::usage, where,
                  "the " + std::string(word) + " key is not 40 characters of Z85", key_file_form);
    }
    slot = key;
  });
  return keys;
}

std::set<std::string, std::less<>> parse_allow_list(const std::filesystem::path& file) {
  std::set<std::string, std::less<>> keys;
  const std::string text = read_file(file, "read allow-list").text;
  for_each_line(text, file, [&](std::string_view line, const std::string& where) {
    const std::string_view key = split(line).first;
    if (!is_curve_key(key)) {
      throw Error(ErrorKind::usage, where, "the line does not begin with a public key",
                  "40 characters of Z85, then a remark if you like");
    }
    keys.emplace(key);
  });
  return keys;
}

}  // namespace

bool is_curve_key(std::string_view text) noexcept {
  constexpr std::string_view alphabet =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
  if (text.size() != key_length) return false;
  if (text.find_first_not_of(alphabet) != std::string_view::npos) return false;
  std::array<char, key_length + 1> terminated{};
  std::copy(text.begin(), text.end(), terminated.begin());
  std::array<std::uint8_t, 32> bytes{};
  return zmq_z85_decode(bytes.data(), terminated.data()) != nullptr;  // five may exceed 2^32
}

CurveKeys CurveKeys::create() {
  std::array<char, key_length + 1> public_key{};
  std::array<char, key_length + 1> secret_key{};
  if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0) {
    throw Error(ErrorKind::usage, "create CURVE keys", "libzmq was built without CURVE",
                "use a libzmq with libsodium, as Debian's is");
  }
  return {public_key.data(), secret_key.data()};
}

CurveKeys CurveKeys::load(const std::filesystem::path& file) {
  const auto [text, for_others] = read_file(file, "read key file");
  // Before anything that is wrong with the secret, but of a file that has none (FILE.pub) it is
  // not the permissions that are wrong.
  if (for_others && holds_secret(text, file)) {
    fail(ErrorKind::refused, "read key file", file, "others may read the secret",
         "chmod 600 " + printable(file.native()));
  }
  CurveKeys keys = parse_key_file(text, file);
  if (keys.public_key.empty()) {
    fail(ErrorKind::usage, "read key file", file, "no line `public KEY`", key_file_form);
  }
  if (keys.secret_key.empty()) {
    fail(ErrorKind::usage, "read key file", file, "no line `secret KEY`",
         "give the file that `busbar keygen` wrote for its owner, not the one with .pub");
  }
  std::array<char, key_length + 1> derived{};
  if (zmq_curve_public(derived.data(), keys.secret_key.c_str()) == 0 &&
      keys.public_key != derived.data()) {
    fail(ErrorKind::usage, "read key file", file, "the public key belongs to another secret key",
         key_file_form);
  }
  return keys;
}

void CurveKeys::save(const std::filesystem::path& file) const {
  constexpr std::string_view verb = "write key file";
  const Descriptor out{::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
  if (out.value < 0 && errno == EEXIST) {
    fail(ErrorKind::refused, verb, file, "it exists already", "remove it, or choose another name");
  }
  if (out.value < 0) fail_with_errno(verb, file);
  const std::string text = "public " + public_key + "\nsecret " + secret_key + "\n";
  const ssize_t written = ::write(out.value, text.data(), text.size());
  const bool whole = written == static_cast<ssize_t>(text.size());
  if (!whole || ::fsync(out.value) != 0) {
    const int cause = !whole && written >= 0 ? ENOSPC : errno;
    ::unlink(file.c_str());
    errno = cause;
    fail_with_errno(verb, file);
  }
}

std::string load_public_key(std::string_view text_or_file) {
  if (is_curve_key(text_or_file)) return std::string(text_or_file);
  const std::filesystem::path file{text_or_file};
  constexpr std::string_view verb = "read public key";
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) {
    fail(ErrorKind::usage, verb, file, "neither a key nor a file",
         "give 40 characters of Z85, or a file with a line `public KEY`");
  }
  const std::string text = read_file(file, verb).text;
  if (holds_secret(text, file)) {
    fail(ErrorKind::usage, verb, file, "it holds a secret key, which is its owner's alone",
         "give the file with .pub, or the public key itself");
  }
  CurveKeys keys = parse_key_file(text, file);
  if (keys.public_key.empty()) {
    fail(ErrorKind::usage, verb, file, "no line `public KEY`", key_file_form);
  }
  return keys.public_key;
}

AllowList::AllowList(std::vector<std::string> public_keys) {
  for (std::string& key : public_keys) {
    if (!is_curve_key(key)) {
      throw Error(ErrorKind::usage, "allow-list", "'" + printable(key) + "' is no public key",
                  "40 characters of Z85");
    }
    keys_.insert(std::move(key));
  }
}

std::shared_ptr<AllowList> AllowList::load(const std::filesystem::path& file) {
  auto list = std::make_shared<AllowList>(std::vector<std::string>{});
  list->keys_ = parse_allow_list(file);
  list->file_ = file;
  return list;
}

bool AllowList::allows(std::string_view public_key) const {
  const std::lock_guard lock(mutex_);
  return keys_.find(public_key) != keys_.end();
}

std::size_t AllowList::size() const {
  const std::lock_guard lock(mutex_);
  return keys_.size();
}

void AllowList::reload() {
  if (file_.empty()) {
    throw Error(ErrorKind::usage, "reload allow-list", "it did not come from a file",
                "use AllowList::load");
  }
  auto fresh = parse_allow_list(file_);
  const std::lock_guard lock(mutex_);
  keys_ = std::move(fresh);
}

}  // namespace busbar
