// SQUAREM in the space of sufficient statistics: the class of that name in acceleration.py, line by line.
#pragma once

#include <iterator>

#include "statistics.hpp"

namespace mixtura {

class Squarem {
 public:
  Squarem(const Extent& extent, double total_weight, double step_factor, std::int64_t halvings)
      : extent_(extent), total_weight_(total_weight), step_factor_(step_factor), halvings_(halvings),
        bound_(step_factor) {}

  // A new run, in the memory of the last.
  void begin(const Extent& extent, double total_weight, double step_factor, std::int64_t halvings);

  // Writes or reads all that decides what it proposes next.
  template <typename Archive>
  void exchange(Archive& archive) {
    archive.number(bound_);
    archive.number(step_);
    const std::int64_t moments = extent_.components * extent_.dimensions;
    archive.numbers(reference_, reference_.empty() ? -1 : moments);
    archive.number(length_);
    archive.require((reference_.empty() ? length_ == 0 : std::ssize(reference_) == moments) && length_ < 3);
    for (int i = 0; i < length_; ++i) archive.numbers(path_[i], extent_.components + moments + extent_.size());
  }

  // Where to go next, given the statistics of the last pass; false where that is just there.
  bool propose(const Statistics& output, Statistics& proposal);

  // The caller went to the plain step instead of the last proposal.
  void take_plain();

  // The last proposal led downhill, and the caller goes on from these statistics.
  void retreat(const Statistics& output);

 private:
  void pack(const Statistics& statistics, Values& vector) const;
  bool unpack(const Values& vector, Statistics& statistics) const;
  bool extrapolate(Statistics& proposal);

  Extent extent_;
  double total_weight_, step_factor_;
  std::int64_t halvings_;
  double bound_;
  double step_ = -1.0;  // of the proposal that is being evaluated; negative where there is none
  Values reference_;    // empty until the first pass
  Values path_[3];      // the input of this cycle, and the outputs since
  int length_ = 0;
  Values target_, start_, curvature_;
};

}  // namespace mixtura
