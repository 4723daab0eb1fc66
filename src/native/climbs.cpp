#include "climbs.hpp"

#include <algorithm>

namespace mixtura {

void Climbs::add(Climb& run) {
  const std::lock_guard lock(mutex_);
  runs_.push_back(&run);
  arrival_.notify_one();
}

void Climbs::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  arrival_.notify_all();
}

void Climbs::stop() {
  stopped_ = true;
  close();
}

// A run that no other thread has, once there is one.
Climb* Climbs::next() {
  std::unique_lock lock(mutex_);
  arrival_.wait(lock, [this] { return closed_ || next_ < runs_.size(); });
  return next_ < runs_.size() && !stopped_ ? runs_[next_++] : nullptr;
}

// For about so many multiplications; returns what is left of them.
std::int64_t Climbs::run(Climb& climb, std::int64_t work) {
  const std::int64_t products = std::max<std::int64_t>(climb.products(), 1);
  while (climb.status() == ClimbStatus::kRunning && work > 0) {
    const std::size_t before = climb.history().size();
    climb.advance(1 + work / products);
    work -= static_cast<std::int64_t>(climb.history().size() - before) * products;
  }
  return work;
}

bool Climbs::advance() {
  std::int64_t work = slice_;
  if (at_hand_ == nullptr) at_hand_ = next();
  while (at_hand_ != nullptr && (work = run(*at_hand_, work)) > 0) at_hand_ = next();
  return at_hand_ != nullptr;
}

// What a helper does.
void Climbs::drain() {
  try {
    for (Climb* climb = next(); climb != nullptr; climb = next())
      while (climb->status() == ClimbStatus::kRunning && !stopped_) run(*climb, slice_);
  } catch (...) {
    stop();
    throw;
  }
}

}  // namespace mixtura
