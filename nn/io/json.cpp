#include <tessera/nn/io/json.h>

#include <set>
#include <vector>

#include <tessera/nn/io/file.h>

namespace tessera::io {

Json parse_json(const std::string& path, std::string_view text, int depth) {
  std::vector<std::set<std::string>> keys;  // of every object that is open
  auto check = [&](int level, Json::parse_event_t event, const Json& value) {
    if (level > depth) fail(path, "JSON nested deeper than " + std::to_string(depth));
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second)
      fail(path, "JSON key '" + value.get<std::string>() + "' stands twice in one object");
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), check);
  } catch (const Json::exception& error) {
    fail(path, std::string("not valid JSON: ") + error.what());
  }
}

uint64_t unsigned_member(const std::string& path, const Json& object, const char* key) {
  auto found = object.find(key);
  if (!object.is_object() || found == object.end() || !found->is_number_unsigned())
    fail(path, std::string("'") + key + "' is not a whole number");
  return found->get<uint64_t>();
}

}  // namespace tessera::io
