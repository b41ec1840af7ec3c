/// Values under numbers that mostly rise and are mostly erased in the order they came.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace busbar::protocol {

/// A hash map of pages: no allocation for each value, and one that stays long keeps only its page.
template <class Value>
class PagedTable {
 public:
  PagedTable() = default;
  PagedTable(const PagedTable&) = delete;
  PagedTable& operator=(const PagedTable&) = delete;

  std::size_t size() const noexcept { return size_; }

  /// Requires that nothing is under `key`.
  Value& insert(std::uint64_t key, Value value) {
    Page& page = page_for(key / page_size);
    auto& slot = page.values[key % page_size];
    assert(!slot);
    ++page.used;
    ++size_;
    return slot.emplace(std::move(value));
  }
  /// nullptr: nothing is under that key.
  Value* find(std::uint64_t key) noexcept {
    Page* const page = find_page(key / page_size);
    if (page == nullptr) return nullptr;
    auto& slot = page->values[key % page_size];
    return slot ? &*slot : nullptr;
  }
  /// Requires that something is under `key`.
  void erase(std::uint64_t key) {
    Page& page = *find_page(key / page_size);
    page.values[key % page_size].reset();
    --size_;
    if (--page.used > 0) return;
    const auto emptied = pages_.find(key / page_size);
    if (spare_.size() < spare_max || size_ == 0) spare_.push_back(std::move(emptied->second));
    pages_.erase(emptied);
    latest_ = nullptr;
    if (size_ == 0) spare_.resize(1);  // there may be many tables in which nothing is
  }
  /// Calls `look(key, value)` for each, in no particular order; it must neither insert nor erase.
  template <class Look>
  void for_each(Look look) {
    for (auto& [number, page] : pages_) {
      for (std::size_t i = 0; i < page_size; ++i) {
        if (page->values[i]) look(number * page_size + i, *page->values[i]);
      }
    }
  }

 private:
  static constexpr std::size_t page_size = 64;
  static constexpr std::size_t spare_max = 64;
  struct Page {
    std::array<std::optional<Value>, page_size> values;
    std::size_t used = 0;
  };

  Page* find_page(std::uint64_t number) noexcept {
    if (latest_ != nullptr && latest_number_ == number) return latest_;
    const auto found = pages_.find(number);
    return found == pages_.end() ? nullptr : keep(number, *found->second);
  }
  Page* keep(std::uint64_t number, Page& page) noexcept {
    latest_number_ = number;
    return latest_ = &page;
  }
  Page& page_for(std::uint64_t number) {
    if (Page* const page = find_page(number)) return *page;
    std::unique_ptr<Page>& page = pages_[number];
    if (!page && !spare_.empty()) {
      page = std::move(spare_.back());
      spare_.pop_back();
    }
    if (!page) page = std::make_unique<Page>();
    return *keep(number, *page);
  }

  std::unordered_map<std::uint64_t, std::unique_ptr<Page>> pages_;
  std::vector<std::unique_ptr<Page>> spare_;
  Page* latest_ = nullptr;  ///< Most look-ups follow one in the same page.
  std::uint64_t latest_number_ = 0;
  std::size_t size_ = 0;
};

}  // namespace busbar::protocol
