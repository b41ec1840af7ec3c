#include <algorithm>

#include <busbar/devices/topology/internal/loops.hpp>
#include <busbar/devices/topology/internal/wiring.hpp>

namespace busbar::detail {

namespace {

/// A search in depth; what is on the path and is met again closes a loop.
class Search {
 public:
  Search(const Topology& topology, std::vector<Finding>& findings)
      : topology_(topology),
        findings_(findings),
        out_(topology.devices().size()),
        seen_(topology.devices().size(), false) {
    for (Edge& edge : edges_of(topology)) out_[edge.from].push_back(std::move(edge));
  }

  void run() {
    for (std::size_t i = 0; i < out_.size(); ++i) {
      if (!seen_[i]) visit(i);
    }
  }

 private:
  void visit(std::size_t device) {
    seen_[device] = true;
    path_.push_back(device);
    for (const Edge& edge : out_[device]) {
      const auto back = std::find(path_.begin(), path_.end(), edge.to);
      if (back != path_.end()) {
        note(back, edge);
      } else if (!seen_[edge.to]) {
        visit(edge.to);
      }
    }
    path_.pop_back();
  }

  void note(std::vector<std::size_t>::const_iterator back, const Edge& edge) {
    std::string loop;
    for (auto at = back; at != path_.end(); ++at) loop += topology_.devices()[*at].name + " -> ";
    loop += topology_.devices()[edge.to].name;
    findings_.push_back({edge.place, "a loop: " + loop, "remove one of the joints on it"});
  }

  const Topology& topology_;
  std::vector<Finding>& findings_;
  std::vector<std::vector<Edge>> out_;
  std::vector<bool> seen_;
  std::vector<std::size_t> path_;
};

}  // namespace

void find_loops(const Topology& topology, std::vector<Finding>& findings) {
  Search{topology, findings}.run();
}

}  // namespace busbar::detail
