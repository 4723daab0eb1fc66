#include "climb.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <utility>

#include "dispatch.hpp"
#include "linear.hpp"

namespace mixtura {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

double geometric_rest(double before, double after, double floor) {
  if (before <= floor) return after;
  const double rate = after / before;
  return rate < 1 ? after * rate / (1 - rate) : kInfinity;
}

bool finite(const Values& values) {
  double nothing = 0.0;
  for (const double value : values) nothing += value * 0.0;
  return nothing == 0.0;  // else NaN
}

}  // namespace

double remaining_gain(const Values& history) {
  if (history.size() < 4) return kInfinity;
  const double* last = history.data() + history.size() - 1;
  const double floor = 4 * kEpsilon * (1.0 + std::abs(last[0]));
  const double oldest = std::max(last[-2] - last[-3], 0.0), before = std::max(last[-1] - last[-2], 0.0),
               after = std::max(last[0] - last[-1], 0.0);
  if (std::max({oldest, before, after}) <= floor) return 0.0;
  return std::max(geometric_rest(oldest, before, floor), geometric_rest(before, after, floor));
}

Climb::Climb(const ClimbData& data, const CovarianceModel& model, Parameters start, const ClimbOptions& options,
             const Level& level)
    : data_(data),
      model_(model),
      extent_{model.shape, static_cast<std::int64_t>(start.weights.size()),
              static_cast<std::int64_t>(data_.shift.size())},
      options_(options),
      level_(level),
      best_(std::move(start)),
      collapsed_(best_.weights.size(), false),
      gap_(kInfinity) {
  proposal_.mixture = best_;
  proposal_.collapsed = collapsed_;
  if (options_.accelerate)
    accelerator_.emplace(extent_, data_.total_weight, options_.constants.step_factor, options_.constants.halvings);
  if (!whiten(extent_, best_.covariances, proposal_.whitener)) status_ = ClimbStatus::kFailed;
  squared_norms(extent_, proposal_.whitener, proposal_.norms);
}

void Climb::advance(std::int64_t passes) {
  for (; passes > 0 && status_ == ClimbStatus::kRunning; --passes) {
    if (pass(pass_statistics_))
      absorb(pass_statistics_);
    else
      status_ = ClimbStatus::kFailed;
  }
  if (status_ != ClimbStatus::kRunning) planner_.reset();
}

// QuadraticForms.error_bound: uncentred squares while they lose little.
Form Climb::choose_form() {
  const std::int64_t dimensions = extent_.dimensions;
  const double* mean = proposal_.mixture.means.data();
  double largest = 0;
  for (std::int64_t k = 0; k < extent_.components; ++k, mean += dimensions) {
    const double reach = std::inner_product(mean, mean + dimensions, mean, 0.0) + static_cast<double>(dimensions);
    const double constant = std::isfinite(logs_[k]) ? std::abs(logs_[k]) : 0.0;
    largest = std::max(largest, static_cast<double>(dimensions + 1) * reach * proposal_.norms[extent_.shared() ? 0 : k] + constant);
  }
  return kEpsilon * largest <= options_.constants.error_tolerance ? Form::kQuadratic : Form::kCentred;
}

// What a pass at the proposal needs.
const Planner& Climb::planned() {
  const Parameters& at = proposal_.mixture;
  log_determinants(extent_, proposal_.whitener, logs_);
  const double normaliser = 0.5 * static_cast<double>(extent_.dimensions) * std::log(2 * std::numbers::pi);
  for (std::int64_t k = 0; k < extent_.components; ++k) logs_[k] += std::log(at.weights[k]) - normaliser;
  const Form form = choose_form();
  if (planner_ && planner_->model().form == form)
    planner_->refill(logs_, at.means, proposal_.whitener);
  else
    planner_.emplace(Model{extent_.shape, form, extent_.components, extent_.dimensions, logs_, at.means,
                           proposal_.whitener, {0, extent_.components}, data_.shift, data_.inverse_scale},
                     level_);
  return *planner_;
}

// The E-step at the proposal: blocks in their order, whose sums add; false if the statistics are not finite.
bool Climb::pass(Statistics& statistics) {
  const Planner& planner = planned();
  const Plan& plan = planner.plan();
  double* scratch = thread_scratch(plan.scratch.size);
  packed_.assign(plan.packed_size, 0.0);
  block_sums_.resize(plan.packed_size);
  const std::int64_t item = data_.rows.is_float32 ? sizeof(float) : sizeof(double);
  for (std::size_t b = 0; b + 1 < data_.bounds.size(); ++b) {
    const std::int64_t start = data_.bounds[b];
    const Rows rows{static_cast<const char*>(data_.rows.data) + start * data_.rows.stride * item,
                    data_.rows.is_float32, data_.bounds[b + 1] - start, data_.rows.stride};
    level_.reduce(plan, rows, data_.weights ? data_.weights + start : nullptr, block_sums_.data(), scratch);
    for (std::size_t i = 0; i < packed_.size(); ++i) packed_[i] += block_sums_[i];
  }
  planner.unpack(packed_.data(), sums_);
  std::swap(statistics.count, sums_.count);
  std::swap(statistics.first, sums_.first);
  std::swap(statistics.second, sums_.second);
  statistics.log_likelihood = sums_.log_likelihood[0];
  if (planner.model().form == Form::kCentred)
    statistics.reference = proposal_.mixture.means;
  else
    statistics.reference.assign(proposal_.mixture.means.size(), 0.0);
  return std::isfinite(statistics.log_likelihood) && finite(statistics.count) && finite(statistics.second);
}

void Climb::absorb(Statistics& statistics) {
  const double log_likelihood = statistics.log_likelihood / data_.total_weight;
  const double now = history_.empty() ? -kInfinity : history_.back();
  const double slack = history_.empty() ? 0.0 : options_.constants.rounding * (1.0 + std::abs(now));
  if (extrapolated_ && !(log_likelihood >= now - slack))
    reject();
  else
    accept(statistics, log_likelihood);
  const auto iterations = static_cast<std::int64_t>(history_.size()) - 1;
  if (status_ == ClimbStatus::kRunning && iterations >= options_.max_iter) status_ = ClimbStatus::kMaxIterations;
}

void Climb::accept(Statistics& statistics, double log_likelihood) {
  std::swap(best_, proposal_.mixture);
  collapsed_ = proposal_.collapsed;
  std::swap(statistics_, statistics);
  history_.push_back(log_likelihood);
  plain_run_ = extrapolated_ ? 0 : plain_run_ + 1;
  gap_ = remaining_gain(history_);
  if (gap_ < options_.tol && confirmed())
    status_ = ClimbStatus::kConverged;
  else
    propose();
}

// Extrapolated steps shrink faster than EM's rate: only plain ones show what is left.
bool Climb::confirmed() const { return !accelerator_ || plain_run_ > options_.constants.confirming_steps; }

bool Climb::newly_collapsed(const Proposal& update) const {
  for (std::size_t k = 0; k < collapsed_.size(); ++k)
    if (update.collapsed[k] && !collapsed_[k]) return true;
  return false;
}

// Go to the extrapolated statistics' M-step if that is a sound mixture, else to the plain one.
void Climb::propose() {
  if (accelerator_ && accelerator_->propose(statistics_, target_)) {
    const bool far = static_cast<std::int64_t>(history_.size()) > options_.constants.plain_start;
    if (far && gap_ >= options_.tol) {
      const bool sound = maximise(target_, update_, options_.floor);
      if (!sound || !newly_collapsed(update_)) return take(sound, true);
    }
    accelerator_->take_plain();
  }
  take(maximise(statistics_, update_, options_.floor), false);
}

// Back to the plain EM step from the best parameters.
void Climb::reject() {
  history_.push_back(double(history_.back()));
  plain_run_ = 0;
  accelerator_->retreat(statistics_);
  take(maximise(statistics_, update_, options_.floor), false);
}

void Climb::take(bool sound, bool extrapolated) {
  std::swap(proposal_, update_);
  extrapolated_ = extrapolated;
  if (!sound) status_ = ClimbStatus::kFailed;
}

// The M-step; false if no sound mixture came of it.
bool Climb::maximise(const Statistics& statistics, Proposal& update, double floor) {
  Parameters& mixture = update.mixture;
  const double total = std::accumulate(statistics.count.begin(), statistics.count.end(), 0.0);
  count_.resize(extent_.components);
  mixture.weights.resize(extent_.components);
  for (std::int64_t k = 0; k < extent_.components; ++k) {
    count_[k] = std::max(statistics.count[k], total * options_.constants.negligible_share);
    mixture.weights[k] =
        options_.equal_weights ? 1.0 / static_cast<double>(extent_.components) : statistics.count[k] / total;
  }
  statistics.mean_and_scatter(extent_, mixture.means, scatter_);
  if (!model_.solve({extent_, count_, scatter_, best_.covariances}, mixture.covariances)) return false;
  if (!floored(update, floor)) return false;
  return std::find(update.collapsed.begin(), update.collapsed.end(), true) == update.collapsed.end() ||
         not_worse(update, floor);
}

// A component at the floor leaves its model, and the others no longer make up for it: the last covariances are kept where
// they explain the scatter better.
bool Climb::not_worse(Proposal& update, double floor) {
  Proposal kept;
  kept.mixture.covariances = best_.covariances;
  if (!floored(kept, floor)) return false;
  const double before = explained(kept.whitener), after = explained(update.whitener);
  if (!(after < before - options_.constants.floor_rounding * (1.0 + std::abs(before)))) return true;
  update.mixture.covariances = kept.mixture.covariances;
  update.whitener = kept.whitener;
  update.norms = kept.norms;
  if (!floored(kept, floor * (1.0 + options_.constants.at_the_floor))) return false;
  for (std::size_t k = 0; k < update.collapsed.size(); ++k) update.collapsed[k] |= kept.collapsed[k];
  return true;
}

// What depends on the covariances in the expected log likelihood: -1/2 sum_k [n_k log |S_k| + tr(S_k^-1 W_k)].
double Climb::explained(const Values& whitener) const {
  Values logs;
  log_determinants(extent_, whitener, logs);
  return std::inner_product(logs.begin(), logs.end(), count_.begin(), 0.0) -
         0.5 * precision_product(extent_, whitener, scatter_);
}

double Climb::thinnest(double weight) const {
  if (std::all_of(statistics_.count.begin(), statistics_.count.end(), [&](double count) { return count >= weight; }))
    return kInfinity;
  const std::int64_t d = extent_.dimensions, size = d * d;
  Values dense, pooled(size, 0.0), lower(size), root(size), work(2 * size), values(d);
  dense_matrices(extent_, best_.covariances, dense);
  for (std::int64_t k = 0; k < extent_.components; ++k)
    for (std::int64_t i = 0; i < size; ++i) pooled[i] += best_.weights[k] * dense[k * size + i];
  if (!cholesky(pooled.data(), d, lower.data())) return 0.0;
  whitener_of(lower.data(), d, root.data());
  double least = kInfinity;
  for (std::int64_t k = 0; k < extent_.components; ++k) {
    if (statistics_.count[k] >= weight) continue;
    double* turned = work.data() + size;
    congruence(root.data(), dense.data() + k * size, d, work.data(), turned);
    if (!eigen(turned, d, values.data(), nullptr)) return 0.0;
    least = std::min(least, values[0]);
  }
  return least;
}

std::optional<bool> Climb::degenerate(double floor) {
  const auto any = [](const std::vector<char>& flags) { return std::find(flags.begin(), flags.end(), true) != flags.end(); };
  if (!any(collapsed_)) return false;
  Proposal lower;
  if (!maximise(statistics_, lower, floor)) return std::nullopt;
  return any(lower.collapsed);
}

// Eigenvalues are needed only where the whitener does not show that all are above the floor.
bool Climb::floored(Proposal& update, double floor) {
  update.collapsed.assign(extent_.components, false);
  if (whiten(extent_, update.mixture.covariances, update.whitener)) {
    squared_norms(extent_, update.whitener, update.norms);
    const double largest = *std::max_element(update.norms.begin(), update.norms.end());
    if (largest * floor <= 1.0) return finite(update.mixture.means);
  }
  const double minimum = std::max(floor, std::sqrt(std::numeric_limits<double>::min()));
  if (!hold_at_floor(extent_, minimum, update.mixture.covariances, update.collapsed) ||
      !whiten(extent_, update.mixture.covariances, update.whitener))
    return false;
  squared_norms(extent_, update.whitener, update.norms);
  return finite(update.mixture.means);
}

}  // namespace mixtura
