#pragma once
// JSON of files that we did not write: strict where the library is lenient. `Json` is nlohmann::json, which the
// including source file brings: headers that we install ask for no other package.

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <tessera/nn/io/file.h>

namespace tessera::io {

// FileError naming `path` on malformed text, a key given twice, or nesting deeper than `depth`.
template <class Json> Json parse_json(const std::string& path, std::string_view text, int depth = 32) {
  std::vector<std::set<std::string>> keys;  // of every object that is open
  auto check = [&](int level, typename Json::parse_event_t event, const Json& value) {
    if (level > depth) fail(path, "JSON nested deeper than " + std::to_string(depth));
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(value.template get<std::string>()).second)
      fail(path, "JSON key '" + value.template get<std::string>() + "' stands twice in one object");
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), check);
  } catch (const typename Json::exception& error) {
    fail(path, std::string("not valid JSON: ") + error.what());
  }
}

// A member that must be there and be of its kind.
template <class Json> uint64_t unsigned_member(const std::string& path, const Json& object, const char* key) {
  auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned())
    fail(path, std::string("'") + key + "' is not a whole number of 0 or more");
  return found->template get<uint64_t>();
}
template <class Json> int64_t signed_member(const std::string& path, const Json& object, const char* key) {
  auto found = object.find(key);
  if (found == object.end() || !found->is_number_integer())
    fail(path, std::string("'") + key + "' is not a whole number");
  return found->template get<int64_t>();
}
template <class Json> const Json& object_member(const std::string& path, const Json& object, const char* key) {
  auto found = object.find(key);
  if (found == object.end() || !found->is_object()) fail(path, std::string("'") + key + "' is not an object");
  return *found;
}

}  // namespace tessera::io
