#include "program/commands/commands.hpp"
#include "program/show.hpp"
#include "program/talk.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>

#include <busbar/core/curve.hpp>
#include <busbar/core/error.hpp>

namespace busbar::program {
namespace {

struct Options {
  std::string file;
  bool json = false;
};

/// What would be overwritten, or has no folder to be written to.
void check_place(const std::filesystem::path& file, const std::filesystem::path& public_file) {
  const std::string operation = "keygen " + file.string();
  if (!file.has_filename())
    throw Error{ErrorKind::usage, operation, "that names no file", "give one: server.key"};
  std::string there;
  for (const auto& one : {file, public_file})
    if (std::filesystem::exists(one)) there += (there.empty() ? "" : " and ") + one.string();
  if (!there.empty())
    throw Error{ErrorKind::refused, operation, "nothing was written, as there is " + there,
                "use the keys that there are, or give another name"};
  const std::filesystem::path folder = file.parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder))
    throw Error{ErrorKind::usage, operation, "there is no folder " + folder.string(),
                "make it first: mkdir -p " + folder.string()};
}

int make_keys(const Options& options) {
  const std::filesystem::path public_file = options.file + ".pub";
  check_place(options.file, public_file);
  const CurveKeys keys = CurveKeys::create();
  keys.save(options.file);
  std::ofstream out{public_file};
  out << "public " << keys.public_key << '\n' << std::flush;
  if (!out) throw Error{ErrorKind::refused, "write " + public_file.string(), std::strerror(errno)};
  say("secret key in " + options.file + ", public key in " + public_file.string());
  if (options.json)
    std::cout << line({{"file", options.file},
                       {"public_file", public_file.string()},
                       {"public", keys.public_key}});
  else
    std::cout << keys.public_key << '\n';
  std::cout << std::flush;
  return exit_ok;
}

}  // namespace

Command keygen_command() {
  return {.name = "keygen",
          .group = "Other",
          .summary = "Make a key pair: FILE for its owner, FILE.pub to give away",
          .details =
              "FILE has mode 0600; a file that exists is never overwritten (exit 5). The public\n"
              "key is printed. An allow list has one public key a line.",
          .example = "  busbar keygen server.key && busbar keygen alice.key > allowed",
          .declare = [](CLI::App& app) -> Run {
            auto options = std::make_shared<Options>();
            app.add_option("file", options->file, "The key file to write")
                ->type_name("FILE")
                ->required();
            app.add_flag("--json", options->json, "The public key and the files as JSON");
            return [options] { return make_keys(*options); };
          }};
}

}  // namespace busbar::program
