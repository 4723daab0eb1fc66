// A whole run of EM: Trajectory of em.py and MStep of mstep.py, pass after pass without Python in between.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "covariance.hpp"
#include "kernel.hpp"
#include "plan.hpp"
#include "squarem.hpp"
#include "statistics.hpp"

namespace mixtura {

// The numbers of em.py, acceleration.py, mstep.py and engine/native.py, which are their home.
struct ClimbConstants {
  double rounding, step_factor, negligible_share, error_tolerance;
  std::int64_t plain_start, confirming_steps, halvings;
  double floor_rounding, at_the_floor;
};

struct ClimbOptions {
  double floor, tol;
  std::int64_t max_iter;
  bool accelerate, equal_weights;
  ClimbConstants constants;
};

// Rows in blocks: bounds hold where each block starts, and the number of rows last. Few enough rows are turned once and for
// all, into memory of their own: a tenth of a pass is the turning.
struct ClimbData {
  Rows rows;
  const double* weights;
  double total_weight;
  std::vector<std::int64_t> bounds;
  Values shift, inverse_scale;
  int threads;                // that share the blocks of a pass, at most
  std::int64_t least_shared;  // multiplications that another thread is worth
  Values turned;

  void turn(const Level& level);
};

// kFailed: arithmetic left float64; the run is Python's to do and to report on.
enum class ClimbStatus { kRunning, kConverged, kMaxIterations, kFailed };

class Climb {
 public:
  // The data outlive the run.
  Climb(const ClimbData& data, const CovarianceModel& model, Parameters start, const ClimbOptions& options,
        const Level& level);

  // Makes that many passes over the rows, or fewer if the run ends.
  void advance(std::int64_t passes);

  const Extent& extent() const { return extent_; }
  // A pass over rows that lie elsewhere: begun, which tells the size of a sum; of each block the sum, by any thread; and their
  // sum. Nothing happens in a run that has ended.
  std::int64_t begin_pass();
  void reduce(const Rows& rows, const double* weights, double* packed) const;
  void end_pass(const double* packed);

  // All that decides what comes next, of a run under way; nothing of one that has not begun or has ended. And a fresh run
  // made to go on from there, to the same bits. Throws std::invalid_argument where that is of another run.
  Values state();
  void resume(const Values& state);

  // Multiplications that a row takes, about, and a pass.
  std::int64_t row_products() const { return extent_.size() + 20 * extent_.components; }
  std::int64_t products() const { return row_products() * data_.rows.count; }
  ClimbStatus status() const { return status_; }
  double gap() const { return gap_; }
  const Parameters& best() const { return best_; }
  const Statistics& statistics() const { return statistics_; }
  const Values& history() const { return history_; }
  const std::vector<char>& collapsed() const { return collapsed_; }

  // Of components with less weight than that, the least variance in any direction, of the components' average there.
  double thinnest(double weight) const;

  // Whether a component would go on shrinking below its floor if that were lower; nothing where arithmetic failed.
  std::optional<bool> degenerate(double floor);

 private:
  // A mixture with its whitener, ready to be evaluated.
  struct Proposal {
    Parameters mixture;
    Values whitener, norms;  // and an upper bound of each precision's eigenvalues
    std::vector<char> collapsed;
  };

  // What a run needs under way and no longer. One that has ended leaves it to the next on its thread: with few rows, making
  // it anew would take as long as passes do.
  struct Work {
    Proposal proposal, update;
    std::optional<Squarem> accelerator;
    Statistics pass_statistics, target;
    std::optional<Planner> planner;  // of the last pass: the next one's differs in its parameters alone
    Moments sums;
    Values packed, scatter, count, logs;
  };

  template <typename Archive>
  void exchange(Archive& archive);

  static std::unique_ptr<Work>& spare();
  void begin();
  void leave();
  bool plan_serves(Form form) const;

  void sum_blocks();
  bool unpack(const double* packed, Statistics& statistics);
  Form choose_form();
  const Planner& planned();
  void absorb(Statistics& statistics);
  void accept(Statistics& statistics, double log_likelihood, bool last);
  void reject(bool last);
  void propose();
  bool confirmed() const;
  bool newly_collapsed(const Proposal& update) const;
  bool maximise(const Statistics& statistics, Proposal& update, double floor);
  bool floored(Proposal& update, double floor);
  bool not_worse(Proposal& update, double floor);
  double explained(const Values& whitener) const;
  void take(bool sound, bool extrapolated);

  const ClimbData& data_;
  const CovarianceModel& model_;
  Extent extent_;
  ClimbOptions options_;
  const Level& level_;

  Parameters best_;
  Statistics statistics_;  // at the best parameters
  Values history_;
  std::vector<char> collapsed_;
  ClimbStatus status_ = ClimbStatus::kRunning;
  double gap_;

  bool extrapolated_ = false;
  std::int64_t plain_run_ = 0;
  std::unique_ptr<Work> work_;  // until the run has ended
};

// Aitken's estimate of the log likelihood still to gain; infinite until there are four values.
double remaining_gain(const Values& history);

}  // namespace mixtura
