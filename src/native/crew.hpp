// Threads that help the calling one, without Python.
#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <utility>

namespace mixtura {

class Crew;

// One piece of work that several threads do at once, each until nothing is left of it.
class Help {
 public:
  explicit Help(std::function<void()> work) : work_(std::move(work)) {}
  Help(const Help&) = delete;
  Help& operator=(const Help&) = delete;
  ~Help();

  // So many more of the process's threads do the work too, as soon as they are free.
  void ask(int helpers);

  // Those that have not begun need not; whether the others have ended within that time. Throws what one of them threw.
  bool ended(std::chrono::microseconds most);

 private:
  friend class Crew;

  std::function<void()> work_;
  Crew* crew_ = nullptr;  // that was asked and may be at work
  int asked_ = 0;         // guarded by the crew, as what follows
  int wanted_ = 0;        // of those asked, who have not begun
  std::atomic<int> busy_ = 0;
  std::exception_ptr error_;
};

// The work done by the calling thread and so many others.
void together(int threads, const std::function<void()>& work);

}  // namespace mixtura
