#include "support/folder.hpp"

#include <filesystem>
#include <string>
#include <sys/stat.h>

#include <doctest/doctest.h>

#include <busbar/core/curve.hpp>
#include <busbar/core/error.hpp>

using busbar::AllowList;
using busbar::CurveKeys;
using busbar::Error;
using busbar::ErrorKind;

namespace {

/// Files with permissions.
struct Folder : busbar::testing::Folder {
  std::filesystem::path file(const std::string& name) const { return path(name); }
  std::filesystem::path write(const std::string& name, const std::string& text,
                              mode_t mode = 0600) const {
    const std::filesystem::path file = busbar::testing::Folder::write(name, text);
    ::chmod(file.c_str(), mode);
    return file;
  }
};

template <class Call>
std::string error_of(ErrorKind kind, Call&& call) {
  try {
    call();
    return "no error";
  } catch (const Error& error) {
    CHECK(error.kind() == kind);
    return error.what();
  }
}

bool contains(const std::string& text, const std::string& part) {
  if (text.find(part) == std::string::npos) MESSAGE(text << " lacks " << part);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a new key pair is two different keys") {
  const CurveKeys keys = CurveKeys::create();
  CHECK(busbar::is_curve_key(keys.public_key));
  CHECK(busbar::is_curve_key(keys.secret_key));
  CHECK(keys.public_key != keys.secret_key);
  CHECK(keys.public_key != CurveKeys::create().public_key);
}

TEST_CASE("what is not 40 characters of Z85 is no key") {
  const std::string key = CurveKeys::create().public_key;
  CHECK_FALSE(busbar::is_curve_key(""));
  CHECK_FALSE(busbar::is_curve_key(key.substr(1)));
  CHECK_FALSE(busbar::is_curve_key(key + "0"));
  for (const char* bad : {" ", "\"", "~", "\x7f", "\xff", ",", "`"}) {
    CHECK_FALSE(busbar::is_curve_key(key.substr(1) + bad));
  }
  CHECK_FALSE(busbar::is_curve_key(std::string(40, '\0')));
  CHECK_FALSE(busbar::is_curve_key(std::string(40, '#')));  // five of it exceed 32 bits
}

TEST_CASE("keys are saved for their owner alone, and loaded again") {
  const Folder folder;
  const CurveKeys keys = CurveKeys::create();
  keys.save(folder.file("a.key"));
  struct stat facts {};
  REQUIRE(::stat(folder.file("a.key").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  const CurveKeys again = CurveKeys::load(folder.file("a.key"));
  CHECK(again.public_key == keys.public_key);
  CHECK(again.secret_key == keys.secret_key);
}

TEST_CASE("a key file is never overwritten") {
  const Folder folder;
  const auto file = folder.write("a.key", "precious");
  CHECK(contains(error_of(ErrorKind::refused, [&] { CurveKeys::create().save(file); }),
                 "it exists already"));
  CHECK(std::filesystem::file_size(file) == 8);
}

TEST_CASE("a key file that others can read is refused, and the error says chmod") {
  const Folder folder;
  const CurveKeys keys = CurveKeys::create();
  keys.save(folder.file("a.key"));
  for (const mode_t mode : {0640u, 0604u, 0660u}) {
    ::chmod(folder.file("a.key").c_str(), mode);
    CHECK(contains(error_of(ErrorKind::refused, [&] { CurveKeys::load(folder.file("a.key")); }),
                   "(chmod 600 " + folder.file("a.key").string() + ")"));
  }
}

TEST_CASE("a key file may have comments and blank lines, in any order and with any line ends") {
  const Folder folder;
  const CurveKeys keys = CurveKeys::create();
  const auto file = folder.write("a.key", "# of the server\r\n\r\nsecret " + keys.secret_key +
                                              "\r\n#\npublic  " + keys.public_key);
  CHECK(CurveKeys::load(file).secret_key == keys.secret_key);
}

TEST_CASE("a malformed key file is refused with file and line, and the secret is not shown") {
  const Folder folder;
  const CurveKeys keys = CurveKeys::create();
  const auto load = [](const std::filesystem::path& file) {
    return error_of(ErrorKind::usage, [&] { CurveKeys::load(file); });
  };
  auto file =
      folder.write("a", "public " + keys.public_key + "\nsecret " + keys.secret_key + "x\n");
  CHECK(contains(load(file), file.string() + ":2: the secret key is not 40 characters of Z85"));
  CHECK(load(file).find(keys.secret_key) == std::string::npos);
  file = folder.write("b", "# x\n\n" + keys.secret_key + "\n");
  CHECK(contains(load(file), file.string() + ":3: neither `public KEY` nor `secret KEY`"));
  CHECK(load(file).find(keys.secret_key) == std::string::npos);
  const std::string line = "public " + keys.public_key + "\n";
  file = folder.write("c", line + line);
  CHECK(contains(load(file), file.string() + ":2: a second public key"));
  CHECK(contains(load(folder.write("d", line)), "no line `secret KEY`"));
  CHECK(contains(load(folder.write("e", "")), "no line `public KEY`"));
  CHECK(contains(load(folder.write("f", line + "secret " + CurveKeys::create().secret_key)),
                 "the public key belongs to another secret key"));
}

TEST_CASE("a key file that is not there, or is no file, is refused") {
  const Folder folder;
  const auto load = [](const std::filesystem::path& file) {
    return error_of(ErrorKind::usage, [&] { CurveKeys::load(file); });
  };
  CHECK(contains(load(folder.file("none")), "No such file or directory"));
  CHECK(contains(load(folder.file("")), "it is a directory"));
  REQUIRE(::mkfifo(folder.file("fifo").c_str(), 0600) == 0);
  CHECK(contains(load(folder.file("fifo")), "it is no regular file"));
}

TEST_CASE("permissions come before what is wrong with a secret, and not where there is none") {
  const Folder folder;
  const std::string line = "public " + CurveKeys::create().public_key + "\n";
  const auto broken = folder.write("broken", line + "secret xyz\n", 0644);
  CHECK(contains(error_of(ErrorKind::refused, [&] { CurveKeys::load(broken); }), "chmod 600"));
  const auto alone = folder.write("key.pub", line, 0644);
  CHECK(contains(error_of(ErrorKind::usage, [&] { CurveKeys::load(alone); }),
                 "no line `secret KEY` (give the file that"));
  const auto other = folder.write("hosts", "127.0.0.1 localhost\n", 0644);
  CHECK(contains(error_of(ErrorKind::usage, [&] { CurveKeys::load(other); }),
                 "neither `public KEY` nor `secret KEY`"));
}

TEST_CASE("a public key comes as text, or from a file of its own, and not beside a secret") {
  const Folder folder;
  const CurveKeys keys = CurveKeys::create();
  keys.save(folder.file("both"));
  const auto alone = folder.write("public", "public " + keys.public_key + "\n", 0644);
  CHECK(busbar::load_public_key(keys.public_key) == keys.public_key);
  const auto load = [&] { busbar::load_public_key(folder.file("both").string()); };
  CHECK(contains(error_of(ErrorKind::usage, load),
                 "it holds a secret key, which is its owner's alone (give the file with .pub"));
  CHECK(busbar::load_public_key(alone.string()) == keys.public_key);
}

TEST_CASE("what is neither a key nor a file of one is refused as a public key") {
  const Folder folder;
  const CurveKeys keys = CurveKeys::create();
  const auto secret_only = folder.write("secret", "secret " + keys.secret_key + "\n");
  CHECK(contains(error_of(ErrorKind::usage, [] { busbar::load_public_key("nonsense"); }),
                 "neither a key nor a file"));
  CHECK(contains(error_of(ErrorKind::usage, [&] { busbar::load_public_key(secret_only.string()); }),
                 "it holds a secret key"));
  CHECK(contains(error_of(ErrorKind::usage,
                          [&] { busbar::load_public_key(folder.write("empty", "# \n").string()); }),
                 "no line `public KEY`"));
}

TEST_CASE("an allow-list admits the keys on it and no others") {
  const std::string key = CurveKeys::create().public_key;
  const AllowList list({key, key});
  CHECK(list.size() == 1);
  CHECK(list.allows(key));
  CHECK_FALSE(list.allows(CurveKeys::create().public_key));
  CHECK_FALSE(list.allows(""));
  CHECK_FALSE(AllowList({}).allows(key));
  CHECK_THROWS_AS(AllowList({"no key"}), Error);
}

TEST_CASE("an allow-list file has a key a line, with remarks") {
  const Folder folder;
  const std::string a = CurveKeys::create().public_key;
  const std::string b = CurveKeys::create().public_key;
  const auto list =
      AllowList::load(folder.write("allow", "# who may\n" + a + "\n\n" + b + "  the till\n", 0644));
  CHECK(list->size() == 2);
  CHECK(list->allows(b));
  const auto file = folder.write("bad", a + "\nnot a key\n");
  CHECK(contains(error_of(ErrorKind::usage, [&] { AllowList::load(file); }),
                 file.string() + ":2: the line does not begin with a public key"));
}

TEST_CASE("an allow-list is read again in place, and a bad file changes nothing") {
  const Folder folder;
  const std::string a = CurveKeys::create().public_key;
  const std::string b = CurveKeys::create().public_key;
  const auto list = AllowList::load(folder.write("allow", a + "\n"));
  folder.write("allow", b + "\n");
  list->reload();
  CHECK(list->allows(b));
  CHECK_FALSE(list->allows(a));
  folder.write("allow", a + "\nrubbish\n");
  CHECK_THROWS_AS(list->reload(), Error);
  CHECK(list->allows(b));
  std::filesystem::remove(folder.file("allow"));
  CHECK_THROWS_AS(list->reload(), Error);
  CHECK(list->allows(b));
}

TEST_CASE("an allow-list that came from no file refuses to be read again") {
  AllowList list({});
  CHECK_THROWS_AS(list.reload(), Error);
}
