// All that decides what a run does next, as one row of numbers; what is written in an order is read in the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace mixtura {

class Writer {
 public:
  template <typename Number>
  void number(const Number& value) {
    written_.push_back(static_cast<double>(value));
  }

  template <typename Number>
  void numbers(const std::vector<Number>& values, std::int64_t = 0) {
    number(values.size());
    written_.insert(written_.end(), values.begin(), values.end());
  }

  void require(bool) const {}
  std::vector<double> take() { return std::move(written_); }

 private:
  std::vector<double> written_;
};

// Throws std::invalid_argument where the numbers are not what is to be read.
class Reader {
 public:
  explicit Reader(const std::vector<double>& written) : written_(written) {}

  template <typename Number>
  void number(Number& value) {
    require(at_ < written_.size());
    const double read = written_[at_++];
    if constexpr (std::is_integral_v<Number>) require(read >= 0 && read <= (sizeof(Number) == 1 ? 1 : 1e9));
    value = static_cast<Number>(read);
  }

  // So many; any number of them where that is negative.
  template <typename Number>
  void numbers(std::vector<Number>& values, std::int64_t size = -1) {
    std::int64_t found = 0;
    number(found);
    require(found <= static_cast<std::int64_t>(written_.size() - at_) && (size < 0 || size == found));
    values.resize(static_cast<std::size_t>(found));
    for (Number& value : values) number(value);
  }

  void require(bool sound) const {
    if (!sound) throw std::invalid_argument("these numbers are not the state of such a run");
  }

  void end() const { require(at_ == written_.size()); }

 private:
  const std::vector<double>& written_;
  std::size_t at_ = 0;
};

}  // namespace mixtura
