// Runs of EM that several threads take one after the other, while more are added.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "climb.hpp"
#include "crew.hpp"

namespace mixtura {

class Climbs {
 public:
  // After so many multiplications a thread looks whether it is to stop.
  explicit Climbs(std::int64_t slice) : slice_(slice), help_([this] { drain(); }) {}
  ~Climbs() { stop(); }  // and the helpers are waited for

  // The run outlives this.
  void add(Climb& run);

  // So many more threads beside the caller's begin to take runs.
  void ask(int helpers) { help_.ask(helpers); }

  // No more will come.
  void close();

  // No other run is begun, and those at hand are left soon.
  void stop();

  // Takes part for one slice; whether there may be more to take.
  bool advance();

  // Whether the helpers have left, within that time. Throws what one of them threw.
  bool left(std::chrono::microseconds most) { return help_.ended(most); }

 private:
  Climb* next();
  std::int64_t run(Climb& climb, std::int64_t work);
  void drain();

  const std::int64_t slice_;
  std::mutex mutex_;
  std::condition_variable arrival_;
  std::vector<Climb*> runs_;
  std::size_t next_ = 0;
  bool closed_ = false;
  std::atomic<bool> stopped_ = false;
  Climb* at_hand_ = nullptr;  // the caller's, between two slices
  Help help_;                 // last, so that it ends first
};

}  // namespace mixtura
