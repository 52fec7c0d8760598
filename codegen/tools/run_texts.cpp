#include <tessera/codegen/tools/run_texts.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <vector>

#include <fmt/format.h>

namespace tessera::tools {
namespace {

namespace fs = std::filesystem;

// "07-form-kernels.mlir" and "fuse.txt" → "form-kernels" and "fuse".
std::string stage_of(const fs::path& file) {
  std::string stem = file.stem().string();
  size_t at = stem.find_first_not_of("0123456789");
  return at != std::string::npos && at > 0 && stem[at] == '-' ? stem.substr(at + 1) : stem;
}

bool is_text(const fs::path& file) {
  std::string kind = file.extension().string();
  return kind == ".txt" || kind == ".mlir" || kind == ".ll";
}

std::vector<fs::path> texts_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file() && is_text(entry.path())) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

// A folder with an explain.txt of its own is a program's.
bool is_program(const fs::path& folder) {
  auto files = texts_in(folder);
  return std::any_of(files.begin(), files.end(), [](const fs::path& file) { return stage_of(file) == "explain"; });
}

fs::path program_folder(const std::string& run) {
  if (!fs::exists(run)) throw std::runtime_error(run + ": no such directory");
  if (!fs::is_directory(run)) throw std::runtime_error(run + " is a file; give the directory of a run");
  for (const fs::path& folder : {fs::path(run) / "program", fs::path(run)})
    if (fs::is_directory(folder) && is_program(folder)) return folder;
  std::string programs;
  for (const auto& entry : fs::directory_iterator(run))
    if (entry.is_directory() && is_program(entry.path())) programs += "\n  " + entry.path().string();
  if (!programs.empty()) throw std::runtime_error(run + " holds several programs; give one of" + programs);
  throw std::runtime_error(run + " holds no program: give a trainer's --out or a folder that TESSERA_DUMP wrote");
}

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in) throw std::runtime_error(file.string() + " cannot be read");
  return text;
}

std::string read_stage(const fs::path& folder, const std::string& stage) {
  std::string known;
  for (const fs::path& file : texts_in(folder)) {
    // The last module of a dump is what became of the program: "form-kernels" is its "fuse".
    if (stage_of(file) == stage || (stage == "fuse" && stage_of(file) == "form-kernels")) return read(file);
    known += (known.empty() ? "" : ", ") + stage_of(file);
  }
  throw std::runtime_error(fmt::format("{} has no stage '{}'; it has: {}", folder.string(), stage, known));
}

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

std::vector<std::string> split(const std::string& text, const std::string& at) {
  std::vector<std::string> parts;
  for (size_t from = 0; from <= text.size();) {
    size_t to = std::min(text.find(at, from), text.size());
    parts.push_back(text.substr(from, to - from));
    from = to + at.size();
  }
  return parts;
}

// "contract_add_09e82f" → "contract_add": kernels of one name differ by what comes last.
std::string plain_name(const std::string& kernel) { return kernel.substr(0, kernel.rfind('_')); }

// The text of one op, from its first line to the brace that closes it.
std::string op_text(const std::string& module, size_t at) {
  size_t from = module.rfind('\n', at) + 1;
  int depth = 0;
  for (size_t k = at; k < module.size(); ++k) {
    if (module[k] == '{') ++depth;
    if (module[k] == '}' && --depth == 0) return module.substr(from, module.find('\n', k) - from) + "\n";
  }
  return module.substr(from);
}

}  // namespace

void show_explain(const std::string& run, const std::string& module) {
  std::string text = read_stage(program_folder(run), "explain");
  if (module.empty()) return print(text);
  // Sections stand between empty lines; the first line of each holds the module.
  std::vector<std::string> sections = split(text, "\n\n");
  std::string out;
  bool found = false;
  for (size_t k = 0; k < sections.size(); ++k) {
    std::string title = sections[k].substr(0, sections[k].find('\n'));
    bool heading = k == 0 || title.starts_with("not fused");
    size_t path_end = title.find(' ', title.find_first_not_of(' '));
    bool wanted = title.substr(0, path_end).find(module) != std::string::npos;
    if (heading || wanted) out += sections[k] + (sections[k].ends_with('\n') ? "\n" : "\n\n");
    found |= wanted;
  }
  if (!found) throw std::runtime_error("no module of this run holds '" + module + "'");
  print(out);
}

void show_ir(const std::string& run, const std::string& stage) { print(read_stage(program_folder(run), stage)); }

void show_kernels(const std::string& run, const std::string& name) {
  const fs::path folder = program_folder(run);
  std::string text = read_stage(folder, "kernels");
  if (name.empty()) return print(text);
  std::vector<std::string> lines = split(text, "\n"), names;
  std::string out;
  for (size_t k = 0; k < lines.size(); ++k) {
    if (k > 1 && lines[k].find(name) == std::string::npos) continue;
    if (k < 2 || !lines[k].empty()) out += lines[k] + "\n";
    std::vector<std::string> words = split(lines[k].substr(std::min<size_t>(lines[k].size(), 7)), " ");
    if (k > 1 && !words.empty() && std::find(names.begin(), names.end(), plain_name(words[0])) == names.end())
      names.push_back(plain_name(words[0]));
  }
  if (names.empty()) throw std::runtime_error("no kernel and no module of this run holds '" + name + "'");
  print(out);
  const std::string module = read_stage(folder, "fuse");
  for (const std::string& kernel : names) {
    size_t at = module.find("fuse.kernel \"" + kernel + "\"");
    if (at != std::string::npos) print("\n" + op_text(module, at));
  }
}

}  // namespace tessera::tools
