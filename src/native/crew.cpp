#include "crew.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

#if defined(_WIN32)
#include <process.h>
#else
#include <unistd.h>
#endif

namespace mixtura {

namespace {

using Clock = std::chrono::steady_clock;

// To wake a thread takes its caller ten microseconds, and it comes thirty later: half as long as a round of runs takes on few
// rows. Who has just worked waits awake for about the time from one round to the next, and gives way to any other thread.
constexpr std::chrono::microseconds kAwake{500};

template <typename Condition>
void wait_awake(const Condition& over) {
  for (const auto until = Clock::now() + kAwake; !over() && Clock::now() < until;) std::this_thread::yield();
}

long this_process() {
#if defined(_WIN32)
  return _getpid();
#else
  return getpid();
#endif
}

}  // namespace

// Its threads are never joined and it is never destroyed: at the process's end they sleep.
class Crew {
 public:
  // A forked child has none of its parent's threads, and one of them may hold the lock for ever.
  static Crew& of_process() {
    static std::atomic<Crew*> current{nullptr};
    Crew* crew = current.load();
    while (crew == nullptr || !crew->is_of(this_process())) {
      auto* fresh = new Crew;
      if (current.compare_exchange_strong(crew, fresh)) return *fresh;
      delete fresh;  // another thread's came first, and stands in crew
    }
    return *crew;
  }

  bool is_of(long process) const { return process_ == process; }

  void call(Help& help, int helpers) {
    const std::lock_guard lock(mutex_);
    const int more = std::min(helpers, raise_to(help.asked_ + helpers) - help.asked_);
    if (more <= 0) return;
    if (help.wanted_ == 0) calls_.push_back(&help);
    help.asked_ += more;
    help.wanted_ += more;
    wanted_ += more;
    for (int asleep = std::min(more, wanted_ - awake_); asleep > 0; --asleep) called_.notify_one();
  }

  bool dismissed(Help& help, std::chrono::microseconds most) {
    std::unique_lock lock(mutex_);
    if (help.wanted_ > 0) calls_.erase(std::find(calls_.begin(), calls_.end(), &help));
    wanted_ -= std::exchange(help.wanted_, 0);
    if (help.busy_ > 0) {
      lock.unlock();
      wait_awake([&] { return help.busy_ == 0; });
      lock.lock();
    }
    return left_.wait_for(lock, most, [&] { return help.busy_ == 0; });
  }

 private:
  // The number of threads, when there are as many as that or the system gives no more.
  int raise_to(int number) {
    for (; threads_ < number; ++threads_) {
      try {
        std::thread([this] { serve(); }).detach();
      } catch (const std::system_error&) {
        break;
      }
    }
    return threads_;
  }

  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      Help& help = next(lock);
      ++help.busy_;
      lock.unlock();
      std::exception_ptr error;
      try {
        help.work_();
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (error) help.error_ = std::move(error);
      if (--help.busy_ == 0) left_.notify_all();
    }
  }

  Help& next(std::unique_lock<std::mutex>& lock) {
    if (calls_.empty()) {
      ++awake_;
      lock.unlock();
      wait_awake([this] { return wanted_ > 0; });
      lock.lock();
      --awake_;
    }
    called_.wait(lock, [this] { return !calls_.empty(); });
    Help& help = *calls_.front();
    --wanted_;
    if (--help.wanted_ == 0) calls_.pop_front();
    return help;
  }

  const long process_ = this_process();
  std::mutex mutex_;
  std::condition_variable called_, left_;
  std::deque<Help*> calls_;
  std::atomic<int> wanted_ = 0;  // by all calls
  int threads_ = 0, awake_ = 0;
};

// A forked child that inherits this has neither the threads nor their lock.
Help::~Help() {
  while (crew_ != nullptr && crew_->is_of(this_process()) && !crew_->dismissed(*this, std::chrono::seconds(1))) {
  }
}

void Help::ask(int helpers) {
  crew_ = &Crew::of_process();
  crew_->call(*this, helpers);
}

bool Help::ended(std::chrono::microseconds most) {
  if (crew_ == nullptr) return true;
  if (!crew_->dismissed(*this, most)) return false;
  crew_ = nullptr;
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  return true;
}

void together(int threads, const std::function<void()>& work) {
  if (threads <= 1) return work();
  Help help(work);
  help.ask(threads - 1);
  work();
  while (!help.ended(std::chrono::seconds(1))) {
  }
}

}  // namespace mixtura
