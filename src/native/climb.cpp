#include "climb.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <utility>

#include "archive.hpp"
#include "crew.hpp"
#include "dispatch.hpp"
#include "linear.hpp"
#include "ordered_sum.hpp"

namespace mixtura {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr std::int64_t kMostSpared = 1 << 14;  // numbers in a mixture's covariances whose run leaves its memory to the next

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
}

std::unique_ptr<Climb::Work>& Climb::spare() {
  thread_local std::unique_ptr<Work> work;
  return work;
}

void Climb::begin() {
  work_ = spare() ? std::move(spare()) : std::make_unique<Work>();
  work_->proposal.mixture = best_;
  work_->proposal.collapsed = collapsed_;
  if (!options_.accelerate)
    work_->accelerator.reset();
  else if (work_->accelerator)
    work_->accelerator->begin(extent_, data_.total_weight, options_.constants.step_factor, options_.constants.halvings);
  else
    work_->accelerator.emplace(extent_, data_.total_weight, options_.constants.step_factor, options_.constants.halvings);
  if (!whiten(extent_, best_.covariances, work_->proposal.whitener)) status_ = ClimbStatus::kFailed;
  squared_norms(extent_, work_->proposal.whitener, work_->proposal.norms);
}

void Climb::leave() {
  if (extent_.size() <= kMostSpared) spare() = std::move(work_);
  work_.reset();
}

void Climb::advance(std::int64_t passes) {
  for (; passes > 0 && status_ == ClimbStatus::kRunning; --passes) {
    if (begin_pass() > 0) sum_blocks();
    end_pass(work_->packed.data());
  }
}

std::int64_t Climb::begin_pass() {
  if (status_ != ClimbStatus::kRunning) return 0;
  if (!work_) begin();
  return status_ == ClimbStatus::kRunning ? planned().plan().packed_size : 0;
}

void Climb::end_pass(const double* packed) {
  if (!work_) return;
  if (status_ == ClimbStatus::kRunning) {
    if (unpack(packed, work_->pass_statistics))
      absorb(work_->pass_statistics);
    else
      status_ = ClimbStatus::kFailed;
  }
  if (status_ != ClimbStatus::kRunning) leave();
}

template <typename Archive>
void Climb::exchange(Archive& archive) {
  const std::int64_t components = extent_.components, moments = components * extent_.dimensions;
  for (Parameters* one : {&best_, &work_->proposal.mixture}) {
    archive.numbers(one->weights, components);
    archive.numbers(one->means, moments);
    archive.numbers(one->covariances, extent_.size());
  }
  archive.numbers(statistics_.count, components);
  archive.numbers(statistics_.first, moments);
  archive.numbers(statistics_.second, extent_.size());
  archive.numbers(statistics_.reference, moments);
  archive.number(statistics_.log_likelihood);
  archive.numbers(history_);
  archive.require(!history_.empty());
  archive.numbers(collapsed_, components);
  archive.numbers(work_->proposal.collapsed, components);
  archive.number(gap_);
  archive.number(extrapolated_);
  archive.number(plain_run_);
  if (work_->accelerator) work_->accelerator->exchange(archive);
}

Values Climb::state() {
  Writer archive;
  if (work_ && status_ == ClimbStatus::kRunning) exchange(archive);
  return archive.take();
}

void Climb::resume(const Values& state) {
  if (state.empty() || !history_.empty() || status_ != ClimbStatus::kRunning) return;
  begin();
  Reader archive(state);
  exchange(archive);
  archive.end();
  Proposal& proposal = work_->proposal;
  if (!whiten(extent_, proposal.mixture.covariances, proposal.whitener)) status_ = ClimbStatus::kFailed;
  squared_norms(extent_, proposal.whitener, proposal.norms);
}

// QuadraticForms.error_bound: uncentred squares while they lose little.
Form Climb::choose_form() {
  const std::int64_t dimensions = extent_.dimensions;
  const double* mean = work_->proposal.mixture.means.data();
  double largest = 0;
  for (std::int64_t k = 0; k < extent_.components; ++k, mean += dimensions) {
    const double reach = std::inner_product(mean, mean + dimensions, mean, 0.0) + static_cast<double>(dimensions);
    const double constant = std::isfinite(work_->logs[k]) ? std::abs(work_->logs[k]) : 0.0;
    largest = std::max(largest, static_cast<double>(dimensions + 1) * reach * work_->proposal.norms[extent_.shared() ? 0 : k] + constant);
  }
  return kEpsilon * largest <= options_.constants.error_tolerance ? Form::kQuadratic : Form::kCentred;
}

// Whether the plan at hand, perhaps another run's, differs in its parameters alone.
bool Climb::plan_serves(Form form) const {
  if (!work_->planner || &work_->planner->level() != &level_) return false;
  const Model& model = work_->planner->model();
  return model.form == form && model.shape == extent_.shape && model.components == extent_.components &&
         model.shift == data_.shift && model.inverse_scale == data_.inverse_scale;
}

// What a pass at the proposal needs.
const Planner& Climb::planned() {
  const Parameters& at = work_->proposal.mixture;
  log_determinants(extent_, work_->proposal.whitener, work_->logs);
  const double normaliser = 0.5 * static_cast<double>(extent_.dimensions) * std::log(2 * std::numbers::pi);
  for (std::int64_t k = 0; k < extent_.components; ++k) work_->logs[k] += std::log(at.weights[k]) - normaliser;
  const Form form = choose_form();
  if (plan_serves(form))
    work_->planner->refill(work_->logs, at.means, work_->proposal.whitener);
  else
    work_->planner.emplace(Model{extent_.shape, form, extent_.components, extent_.dimensions, work_->logs, at.means,
                           work_->proposal.whitener, {0, extent_.components}, data_.shift, data_.inverse_scale},
                     level_);
  return *work_->planner;
}

void Climb::reduce(const Rows& rows, const double* weights, double* packed) const {
  const Plan& plan = work_->planner->plan();
  level_.reduce(plan, rows, weights, packed, thread_scratch(plan.scratch.size));
}

// The sums of the blocks, added in their order whoever makes them.
void Climb::sum_blocks() {
  const std::size_t blocks = data_.bounds.size() - 1;
  const std::int64_t item = data_.rows.is_float32 ? sizeof(float) : sizeof(double);
  const auto sum = [&](std::size_t block, Values& packed) {
    const std::int64_t start = data_.bounds[block];
    packed.resize(work_->planner->plan().packed_size);
    reduce({static_cast<const char*>(data_.rows.data) + start * data_.rows.stride * item, data_.rows.is_float32,
            data_.bounds[block + 1] - start, data_.rows.stride, data_.rows.turned},
           data_.weights ? data_.weights + start : nullptr, packed.data());
  };
  if (blocks == 1) return sum(0, work_->packed);
  OrderedSum total(work_->packed);
  std::atomic<std::size_t> next = 0;
  const std::int64_t worth = std::min<std::int64_t>(blocks, 1 + products() / data_.least_shared);
  together(static_cast<int>(std::min<std::int64_t>(data_.threads, worth)), [&] {
    Values packed;
    for (std::size_t block = next++; block < blocks; block = next++) {
      sum(block, packed);
      total.add(block, packed);
    }
  });
}

// The E-step's result; false if it is not finite.
bool Climb::unpack(const double* packed, Statistics& statistics) {
  const Planner& planner = *work_->planner;
  planner.unpack(packed, work_->sums);
  std::swap(statistics.count, work_->sums.count);
  std::swap(statistics.first, work_->sums.first);
  std::swap(statistics.second, work_->sums.second);
  statistics.log_likelihood = work_->sums.log_likelihood[0];
  if (planner.model().form == Form::kCentred)
    statistics.reference = work_->proposal.mixture.means;
  else
    statistics.reference.assign(work_->proposal.mixture.means.size(), 0.0);
  return std::isfinite(statistics.log_likelihood) && finite(statistics.count) && finite(statistics.second);
}

void Climb::absorb(Statistics& statistics) {
  const double log_likelihood = statistics.log_likelihood / data_.total_weight;
  const double now = history_.empty() ? -kInfinity : history_.back();
  const double slack = history_.empty() ? 0.0 : options_.constants.rounding * (1.0 + std::abs(now));
  const bool last = static_cast<std::int64_t>(history_.size()) >= options_.max_iter;
  if (extrapolated_ && !(log_likelihood >= now - slack))
    reject(last);
  else
    accept(statistics, log_likelihood, last);
}

void Climb::accept(Statistics& statistics, double log_likelihood, bool last) {
  std::swap(best_, work_->proposal.mixture);
  collapsed_ = work_->proposal.collapsed;
  std::swap(statistics_, statistics);
  history_.push_back(log_likelihood);
  plain_run_ = extrapolated_ ? 0 : plain_run_ + 1;
  gap_ = remaining_gain(history_);
  if (gap_ < options_.tol && confirmed())
    status_ = ClimbStatus::kConverged;
  else if (last)
    status_ = ClimbStatus::kMaxIterations;
  else
    propose();
}

// Extrapolated steps shrink faster than EM's rate: only plain ones show what is left.
bool Climb::confirmed() const { return !work_->accelerator || plain_run_ > options_.constants.confirming_steps; }

bool Climb::newly_collapsed(const Proposal& update) const {
  for (std::size_t k = 0; k < collapsed_.size(); ++k)
    if (update.collapsed[k] && !collapsed_[k]) return true;
  return false;
}

// Go to the extrapolated statistics' M-step if that is a sound mixture, else to the plain one.
void Climb::propose() {
  if (work_->accelerator && work_->accelerator->propose(statistics_, work_->target)) {
    const bool far = static_cast<std::int64_t>(history_.size()) > options_.constants.plain_start;
    if (far && gap_ >= options_.tol) {
      const bool sound = maximise(work_->target, work_->update, options_.floor);
      if (!sound || !newly_collapsed(work_->update)) return take(sound, true);
    }
    work_->accelerator->take_plain();
  }
  take(maximise(statistics_, work_->update, options_.floor), false);
}

// Back to the plain EM step from the best parameters.
void Climb::reject(bool last) {
  history_.push_back(double(history_.back()));
  plain_run_ = 0;
  if (last) {
    status_ = ClimbStatus::kMaxIterations;
    return;
  }
  work_->accelerator->retreat(statistics_);
  take(maximise(statistics_, work_->update, options_.floor), false);
}

void Climb::take(bool sound, bool extrapolated) {
  std::swap(work_->proposal, work_->update);
  extrapolated_ = extrapolated;
  if (!sound) status_ = ClimbStatus::kFailed;
}

// The M-step; false if no sound mixture came of it.
bool Climb::maximise(const Statistics& statistics, Proposal& update, double floor) {
  Parameters& mixture = update.mixture;
  const double total = std::accumulate(statistics.count.begin(), statistics.count.end(), 0.0);
  work_->count.resize(extent_.components);
  mixture.weights.resize(extent_.components);
  for (std::int64_t k = 0; k < extent_.components; ++k) {
    work_->count[k] = std::max(statistics.count[k], total * options_.constants.negligible_share);
    mixture.weights[k] =
        options_.equal_weights ? 1.0 / static_cast<double>(extent_.components) : statistics.count[k] / total;
  }
  statistics.mean_and_scatter(extent_, mixture.means, work_->scatter);
  if (!model_.solve({extent_, work_->count, work_->scatter, best_.covariances}, mixture.covariances)) return false;
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
  return std::inner_product(logs.begin(), logs.end(), work_->count.begin(), 0.0) -
         0.5 * precision_product(extent_, whitener, work_->scatter);
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
  const bool ended = !work_;
  if (ended) work_ = spare() ? std::move(spare()) : std::make_unique<Work>();
  Proposal lower;
  const bool sound = maximise(statistics_, lower, floor);
  if (ended) leave();
  if (!sound) return std::nullopt;
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
