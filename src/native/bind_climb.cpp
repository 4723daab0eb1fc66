// The Python surface of whole runs of EM.

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "climb.hpp"
#include "climbs.hpp"
#include "dispatch.hpp"
#include "linear.hpp"
#include "orientation.hpp"
#include "volumes.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using namespace mixtura::arrays;
using mixtura::ClimbData;
using mixtura::Extent;
using mixtura::Shape;
using mixtura::Values;

const mixtura::CovarianceModel& to_covariance(const std::string& name) {
  const mixtura::CovarianceModel* model = mixtura::find_covariance(name);
  if (model == nullptr) throw nb::value_error("the native climb does not know this covariance model");
  return *model;
}

// Keeps the arrays whose memory a ClimbData points into.
class Ground {
 public:
  Ground(AnyRows rows, std::optional<DoubleVector> weights, double total_weight, Offsets bounds, DoubleVector shift,
         DoubleVector inverse_scale, const std::string& level, int threads, std::int64_t least_shared)
      : rows_(std::move(rows)), weights_(std::move(weights)), level_(mixtura::find_level(level)) {
    require(shift.size() > 0 && inverse_scale.size() == shift.size(), "shift and inverse_scale must have equal sizes");
    const mixtura::Rows rows_view = to_rows(rows_, static_cast<std::int64_t>(shift.size()));
    data_ = {rows_view,       to_weights(weights_, rows_view), total_weight, copy_of(bounds), copy_of(shift),
             copy_of(inverse_scale), threads, least_shared, {}};
    require(data_.bounds.size() >= 2 && data_.bounds.front() == 0 && data_.bounds.back() == rows_view.count &&
                std::is_sorted(data_.bounds.begin(), data_.bounds.end()),
            "bounds must rise from 0 to the number of rows");
    require(threads >= 1 && least_shared >= 1, "threads and least_shared must be positive");
    data_.turn(level_);
  }

  const ClimbData& data() const { return data_; }
  const mixtura::Level& level() const { return level_; }

 private:
  AnyRows rows_;
  std::optional<DoubleVector> weights_;
  const mixtura::Level& level_;
  ClimbData data_;
};

using Constants = std::vector<double>;

// In the order of native_climb.py.
mixtura::ClimbConstants to_constants(const Constants& values) {
  require(values.size() == 9, "nine constants are needed");
  const auto whole = [&](std::size_t i) { return static_cast<std::int64_t>(values[i]); };
  return {values[0], values[1], values[2], values[3], whole(4), whole(5), whole(6), values[7], values[8]};
}

// What the runs of one search have in common.
struct Settings {
  const mixtura::CovarianceModel& model;
  mixtura::ClimbOptions options;

  Settings(const std::string& name, double floor, double tol, std::int64_t max_iter, bool accelerate,
           bool equal_weights, const Constants& constants)
      : model(to_covariance(name)), options{floor,      tol,           max_iter,
                                            accelerate, equal_weights, to_constants(constants)} {}
};

// Starts whose arrays lie one after the other, and what they have in common.
class Starts {
 public:
  Starts(const Ground& ground, const Settings& settings, const DoubleMatrix& weights, const DoubleCube& means,
         const Doubles& covariances)
      : ground_(ground),
        settings_(settings),
        weights_(weights),
        means_(means),
        covariances_(covariances),
        extent_{settings.model.shape, static_cast<std::int64_t>(weights.shape(1)),
                static_cast<std::int64_t>(ground.data().shift.size())} {
    const std::size_t number = weights.shape(0), components = weights.shape(1);
    require(number > 0 && components > 0 && components < 1 << 20, "at least one start and component are needed");
    require(means.shape(0) == number && means.shape(1) == components &&
                means.shape(2) == ground.data().shift.size(),
            "means must have shape (S, K, D)");
    require(covariances.size() == number * extent_.size(), "covariances do not fit the model's shape");
  }

  std::size_t number() const { return weights_.shape(0); }

  mixtura::Climb climb(std::size_t start) const {
    return {ground_.data(), settings_.model,
            {part(weights_, start), part(means_, start), part(covariances_, start)},
            settings_.options, ground_.level()};
  }

 private:
  template <typename Array>
  Values part(const Array& array, std::size_t start) const {
    const std::size_t size = array.size() / number();
    return {array.data() + start * size, array.data() + (start + 1) * size};
  }

  const Ground& ground_;
  const Settings& settings_;
  const DoubleMatrix& weights_;
  const DoubleCube& means_;
  const Doubles& covariances_;
  Extent extent_;
};

class Climb {
 public:
  Climb(const Starts& starts, std::size_t start) : climb_(starts.climb(start)) {}

  void advance(std::int64_t passes) {
    nb::gil_scoped_release release;
    climb_.advance(passes);
  }

  std::int64_t begin_pass() {
    open_ = true;
    nb::gil_scoped_release release;
    return packed_size_ = climb_.begin_pass();
  }

  void reduce(AnyRows rows, std::optional<DoubleVector> weights, OutVector packed) const {
    const mixtura::Rows block = to_rows(rows, climb_.extent().dimensions);
    const double* mass = to_weights(weights, block);
    require(static_cast<std::int64_t>(packed.size()) == packed_size_, "packed has the wrong size");
    if (packed_size_ == 0) return;
    nb::gil_scoped_release release;
    climb_.reduce(block, mass, packed.data());
  }

  void end_pass(DoubleVector packed) {
    require(open_ && static_cast<std::int64_t>(packed.size()) == packed_size_, "packed has the wrong size");
    open_ = false;
    packed_size_ = 0;
    nb::gil_scoped_release release;
    climb_.end_pass(packed.data());
  }

  nb::object state() {
    Values numbers = climb_.state();
    const std::size_t size = numbers.size();
    return to_array(std::move(numbers), {size});
  }

  void resume(const DoubleVector& state) { climb_.resume(copy_of(state)); }

  std::int64_t row_products() const { return climb_.row_products(); }
  mixtura::Climb& run() { return climb_; }
  int status() const { return static_cast<int>(climb_.status()); }
  std::size_t passes() const { return climb_.history().size(); }

  nb::tuple course() const {
    const std::vector<char>& flags = climb_.collapsed();
    nb::object collapsed = nb::none();
    if (std::find(flags.begin(), flags.end(), true) != flags.end()) collapsed = nb::cast(std::vector<bool>(flags.begin(), flags.end()));
    return nb::make_tuple(status(), climb_.history(), climb_.gap(), collapsed);
  }

  nb::tuple mixture() const {
    const auto [k, d] = sizes();
    const mixtura::Parameters& best = climb_.best();
    return nb::make_tuple(to_array(Values(best.weights), {k}), to_array(Values(best.means), {k, d}),
                          compact(best.covariances));
  }

  double thinnest(double weight) const { return climb_.thinnest(weight); }
  std::optional<bool> degenerate(double floor) { return climb_.degenerate(floor); }

  // What tells a good end from a poor one; nothing where arithmetic failed.
  std::optional<nb::tuple> end(double floor) {
    if (climb_.status() == mixtura::ClimbStatus::kFailed) return std::nullopt;
    const std::optional<bool> thin = degenerate(floor);
    if (!thin || passes() == 0) return std::nullopt;
    return nb::make_tuple(*thin, climb_.history().back(), climb_.gap());
  }

  nb::tuple statistics() const {
    const auto [k, d] = sizes();
    const mixtura::Statistics& sums = climb_.statistics();
    return nb::make_tuple(to_array(Values(sums.count), {k}), to_array(Values(sums.first), {k, d}),
                          compact(sums.second), to_array(Values(sums.reference), {k, d}), sums.log_likelihood);
  }

 private:
  std::pair<std::size_t, std::size_t> sizes() const {
    return {static_cast<std::size_t>(climb_.extent().components),
            static_cast<std::size_t>(climb_.extent().dimensions)};
  }

  nb::object compact(const Values& values) const {
    const auto [k, d] = sizes();
    switch (climb_.extent().shape) {
      case Shape::kFull: return to_array(Values(values), {k, d, d});
      case Shape::kTied: return to_array(Values(values), {d, d});
      case Shape::kDiagonal: return to_array(Values(values), {k, d});
      default: return to_array(Values(values), {k});
    }
  }

  mixtura::Climb climb_;
  bool open_ = false;             // is a pass at hand
  std::int64_t packed_size_ = 0;  // in it
};

// Keeps the runs of a mixtura::Climbs.
class Climbs {
 public:
  explicit Climbs(std::int64_t slice) : runs_(slice) {}

  void add(const nb::object& climb) {
    owners_.append(climb);
    all_.push_back(&nb::cast<Climb&>(climb));
    runs_.add(all_.back()->run());
  }

  // A run from every start; the ground is kept by the caller's keep_alive.
  void add_all(const Ground& ground, const Settings& settings, const DoubleMatrix& weights, const DoubleCube& means,
               const Doubles& covariances) {
    const Starts starts(ground, settings, weights, means, covariances);
    for (std::size_t i = 0; i < starts.number(); ++i) {
      all_.push_back(&own_.emplace_back(starts, i));
      runs_.add(all_.back()->run());
    }
  }

  Climb& climb(std::size_t at) { return *all_.at(at); }

  nb::object ends(double floor) {
    nb::list result;
    for (Climb* run : all_) {
      std::optional<nb::tuple> end = run->end(floor);
      if (!end) return nb::none();
      result.append(*end);
    }
    return result;
  }

  void ask(int helpers) { runs_.ask(helpers); }
  void close() { runs_.close(); }
  void stop() { runs_.stop(); }

  bool advance() {
    const nb::gil_scoped_release release;
    return runs_.advance();
  }

  bool left(double seconds) {
    const nb::gil_scoped_release release;
    return runs_.left(std::chrono::microseconds(static_cast<std::int64_t>(1e6 * seconds)));
  }

 private:
  nb::list owners_;
  std::deque<Climb> own_;
  std::vector<Climb*> all_;
  mixtura::Climbs runs_;  // last, so that its helpers are gone before the runs
};

nb::tuple eigen(DoubleMatrix matrix) {
  const std::size_t size = matrix.shape(0);
  require(matrix.shape(1) == size, "the matrix must be square");
  Values values(size), vectors(size * size);
  const bool sound = mixtura::eigen(matrix.data(), static_cast<std::int64_t>(size), values.data(), vectors.data());
  require(sound, "the matrix must be finite");
  return nb::make_tuple(to_array(std::move(values), {size}), to_array(std::move(vectors), {size, size}));
}

// The numbers that the C++ of covariance models shares with the Python, for a test to compare.
nb::dict covariance_constants() {
  nb::dict constants;
  constants["NO_SPREAD"] = mixtura::kNoSpread;
  constants["SMALLEST_SPREAD"] = mixtura::kSmallestSpread;
  constants["NO_DETERMINANT"] = mixtura::kNoDeterminant;
  constants["RIDGE"] = mixtura::kRidge;
  constants["VOLUME_TOLERANCE"] = mixtura::kVolumeTolerance;
  constants["VOLUME_STEPS"] = mixtura::kVolumeSteps;
  constants["LARGEST_VOLUME_STEP"] = mixtura::kLargestVolumeStep;
  constants["ROUNDING"] = mixtura::kObjectiveRounding;
  constants["ANGLE_TOLERANCE"] = mixtura::kAngleTolerance;
  constants["ANGLE_STEPS"] = mixtura::kAngleSteps;
  constants["LARGEST_ANGLE"] = mixtura::kLargestAngle;
  constants["SHORTENING"] = mixtura::kShortening;
  constants["SHORTENINGS"] = mixtura::kShortenings;
  constants["SMALLEST_CURVATURE"] = mixtura::kSmallestCurvature;
  return constants;
}

}  // namespace

void bind_climb(nb::module_& module) {
  module.def("covariance_models", &mixtura::covariance_names, "mclust's names of the models that Climb knows.");
  module.def("covariance_constants", &covariance_constants, "Constants of covariance/*.py that the C++ repeats.");
  module.def("eigen", &eigen, "matrix"_a, "Eigenvalues in ascending order and eigenvectors of a symmetric matrix.");
  nb::class_<Ground>(module, "Ground", "Rows in blocks, in standardised coordinates, for any number of climbs.\n"
                             "Without rows, for passes over blocks that come one by one.")
      .def(nb::init<AnyRows, std::optional<DoubleVector>, double, Offsets, DoubleVector, DoubleVector,
                    const std::string&, int, std::int64_t>(),
           "rows"_a.noconvert(), "weights"_a.none(), "total_weight"_a, "bounds"_a, "shift"_a, "inverse_scale"_a,
           "level"_a, "threads"_a, "least_shared"_a)
      .def_prop_ro("n_rows", [](const Ground& ground) { return ground.data().rows.count; })
      .def_prop_ro("total_weight", [](const Ground& ground) { return ground.data().total_weight; });
  nb::class_<Settings>(module, "Settings", "A covariance model, its M-step's floor, and when to stop.")
      .def(nb::init<const std::string&, double, double, std::int64_t, bool, bool, const Constants&>(), "model"_a,
           "floor"_a, "tol"_a, "max_iter"_a, "accelerate"_a, "equal_weights"_a, "constants"_a);
  nb::class_<Climb>(module, "Climb", "One run of EM.")
      .def("__init__",
           [](Climb* place, const Ground& ground, const Settings& settings, const DoubleMatrix& weights,
              const DoubleCube& means, const Doubles& covariances) {
             new (place) Climb(Starts(ground, settings, weights, means, covariances), 0);
           },
           "ground"_a, "settings"_a, "weights"_a, "means"_a, "covariances"_a, nb::keep_alive<1, 2>(),
           "From the first of the starts.")
      .def("advance", &Climb::advance, "passes"_a, "Makes that many passes, or fewer if the run ends; without the GIL.")
      .def("begin_pass", &Climb::begin_pass, "A pass over rows that are not in the ground: the size of a block's sum, 0 if it has ended.")
      .def("reduce", &Climb::reduce, "rows"_a.noconvert(), "weights"_a.none(), "packed"_a.noconvert(),
           "Writes a block's sum, without the GIL.")
      .def("end_pass", &Climb::end_pass, "packed"_a, "The sum over all blocks.")
      .def("state", &Climb::state, "All that decides what comes next, as numbers; none where it has not begun or has ended.")
      .def("resume", &Climb::resume, "state"_a, "Of a fresh run: go on from there, to the same bits.")
      .def_prop_ro("row_products", &Climb::row_products, "Multiplications that a row takes, about.")
      .def_prop_ro("status", &Climb::status, "0 running, 1 converged, 2 at max_iter, 3 failed.")
      .def_prop_ro("passes", &Climb::passes)
      .def("course", &Climb::course, "(status, history, gap, collapsed or None) so far.")
      .def("mixture", &Climb::mixture, "(weights, means, covariances) of the best point.")
      .def("thinnest", &Climb::thinnest, "weight"_a,
           "Of components with less weight, the least variance in any direction, of the components' average there.")
      .def("degenerate", &Climb::degenerate, "floor"_a,
           "Whether a component would shrink below that floor too; None where arithmetic failed.")
      .def("statistics", &Climb::statistics, "(count, first, second, reference, log likelihood) at the best point.");
  nb::class_<Climbs>(module, "Climbs", "Runs that several threads take one after the other, while more are added.")
      .def(nb::init<std::int64_t>(), "slice"_a, "After so many multiplications a thread looks whether it is to stop.")
      .def("add", &Climbs::add, "climb"_a)
      .def("add_all", &Climbs::add_all, "ground"_a, "settings"_a, "weights"_a, "means"_a, "covariances"_a,
           nb::keep_alive<1, 2>(), "A run from every start: (S, K), (S, K, D) and S times the covariances' shape.")
      .def("climb", &Climbs::climb, "at"_a, nb::rv_policy::reference_internal)
      .def("ends", &Climbs::ends, "floor"_a, "(degenerate below that floor, objective, gap) of every run; None if one failed.")
      .def("ask", &Climbs::ask, "helpers"_a, "So many more threads beside the caller's begin to take runs.")
      .def("close", &Climbs::close, "No more runs will come: who waits for one may go.")
      .def("stop", &Climbs::stop, "No other run is begun, and those at hand are left soon.")
      .def("advance", &Climbs::advance, "Takes part for one slice, without the GIL; whether there may be more to do.")
      .def("left", &Climbs::left, "seconds"_a,
           "Whether the helpers have left, waiting that long; raises what stopped one of them.");
}
