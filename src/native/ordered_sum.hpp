// A sum whose terms come in any order, from any thread, and are added in the order of their numbers.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace mixtura {

class OrderedSum {
 public:
  // The first term is written to `total`, the others are added.
  explicit OrderedSum(std::vector<double>& total) : total_(total) {}

  // Takes what is in the term, whose memory is then the caller's to use for the next.
  void add(std::size_t number, std::vector<double>& term) {
    const std::lock_guard lock(mutex_);
    if (number != next_) {
      std::vector<double> kept;
      if (!spare_.empty()) kept = std::move(spare_.back()), spare_.pop_back();
      kept.swap(term);
      waiting_.emplace(number, std::move(kept));
      return;
    }
    append(term);
    while (!waiting_.empty() && waiting_.begin()->first == next_) {
      append(waiting_.begin()->second);
      spare_.push_back(std::move(waiting_.begin()->second));
      waiting_.erase(waiting_.begin());
    }
  }

 private:
  void append(const std::vector<double>& term) {
    if (next_++ == 0) {
      total_ = term;
    } else {
      for (std::size_t i = 0; i < total_.size(); ++i) total_[i] += term[i];
    }
  }

  std::vector<double>& total_;
  std::mutex mutex_;
  std::size_t next_ = 0;
  std::map<std::size_t, std::vector<double>> waiting_;
  std::vector<std::vector<double>> spare_;
};

}  // namespace mixtura
