// A module of functions that take and answer the standard library's containers.

#include <string>
#include <vector>

#include "tenure/handles/bind/convert_std.h"
#include "tenure/handles/bind/module.h"

namespace {

using namespace tenure;

template <typename T>
T same(T value) {
  return value;
}

using Nested = std::map<std::string, std::vector<std::pair<int, double>>>;

int late(const std::pair<std::string, std::vector<int>>& value) {
  return static_cast<int>(value.first.size() + value.second.size());
}

std::string kind(const std::variant<int, std::string, std::vector<double>>& value) {
  constexpr const char* kNames[] = {"int", "str", "list"};
  return kNames[value.index()];
}

TENURE_MODULE(containers, m) {
  m.def<&same<std::string>>("string")
      .def<&same<std::vector<double>>>("vector", arg("numbers"))
      .def<&same<std::array<int, 3>>>("array")
      .def<&same<std::pair<int, std::string>>>("pair")
      .def<&same<std::tuple<int, double, bool>>>("tuple")
      .def<&same<std::map<std::string, int>>>("map")
      .def<&same<std::unordered_map<int, std::string>>>("unordered_map")
      .def<&same<std::set<int>>>("set")
      .def<&same<std::unordered_set<std::string>>>("unordered_set")
      .def<&same<std::complex<double>>>("complex")
      .def<&same<Nested>>("nested")
      .def<&same<std::optional<std::vector<int>>>>("optional")
      .def<&same<std::variant<int, std::string, std::vector<double>>>>("variant")
      .def<&kind>("kind")
      .def<&late>("late");
}

}  // namespace
