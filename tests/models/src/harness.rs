//! Runs a model to its end, says what it found, and names the rule that a variant leaves out.

use std::collections::BTreeSet;
use std::time::Duration;

use stateright::{Checker, Expectation, HasDiscoveries, Model};

/// One search: a model as it stands, or a variant of it that leaves out one rule.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What is searched, unique within its model.
    pub name: &'static str,
    /// The numbered rule of `docs/protocol.md` that this variant leaves out; `None` for a model
    /// with all of its rules.
    pub rule: Option<&'static str>,
    /// The property that must be refuted; `None` where every property must hold.
    pub refutes: Option<&'static str>,
    /// Explores it: [`explore`] or [`explore_for`].
    pub run: fn() -> Report,
}

impl Case {
    /// Runs the search and returns its report.
    ///
    /// # Panics
    ///
    /// With the counterexamples, where a model with all of its rules is refuted or leaves a
    /// `sometimes` property without an example; and where a variant is *not* refuted.
    pub fn check(&self) -> Report {
        let report = (self.run)();
        if let Err(problem) = self.judge(&report) {
            panic!("{}: {problem}", self.name);
        }
        report
    }

    /// Whether `report` is what this case promises.
    ///
    /// # Errors
    ///
    /// Says what was refuted that should hold, or what was not refuted that should be.
    pub fn judge(&self, report: &Report) -> Result<(), String> {
        match self.refutes {
            None => report.holds(),
            Some(property) => report.refutes(property),
        }
    }
}

/// What exploring a model gave.
#[derive(Clone, Debug)]
pub struct Report {
    /// Distinct states visited.
    pub states: usize,
    /// Steps on the longest path taken.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// The properties that were refuted, each with the steps that lead there.
    pub refuted: Vec<Refutation>,
    /// The `sometimes` properties that no state visited is an example of: what the model meant to
    /// reach, and didn't.
    pub unreached: Vec<&'static str>,
}

/// A property that does not hold, and how one gets there.
#[derive(Clone, Debug)]
pub struct Refutation {
    /// The property's name.
    pub property: &'static str,
    /// The actions, one a line, from the initial state on.
    pub steps: Vec<String>,
}

impl Report {
    /// Whether nothing was refuted and everything meant to be reached was.
    ///
    /// # Errors
    ///
    /// The counterexamples, or the names of what was not reached.
    pub fn holds(&self) -> Result<(), String> {
        if !self.refuted.is_empty() {
            return Err(self.counterexamples());
        }
        if !self.unreached.is_empty() {
            return Err(format!("never reached: {}", self.unreached.join(", ")));
        }
        Ok(())
    }

    /// Whether `property` was refuted: a rule whose absence is not noticed is not checked.
    ///
    /// # Errors
    ///
    /// Says so, with what was refuted instead.
    pub fn refutes(&self, property: &str) -> Result<(), String> {
        if self.refuted.iter().any(|found| found.property == property) {
            return Ok(());
        }
        let instead = self.counterexamples();
        Err(format!(
            "`{property}` was not refuted in {} states; {instead}",
            self.states
        ))
    }

    /// Panics with every counterexample unless nothing was refuted and everything meant to be
    /// reached was.
    pub fn assert_holds(&self) {
        self.holds().unwrap_or_else(|problem| panic!("{problem}"));
    }

    /// Panics unless `property` was refuted.
    pub fn assert_refutes(&self, property: &str) {
        self.refutes(property)
            .unwrap_or_else(|problem| panic!("{problem}"));
    }

    fn counterexamples(&self) -> String {
        let told = self.refuted.iter().map(Refutation::told);
        told.collect::<Vec<_>>().join("\n")
    }
}

impl Refutation {
    /// The property and the steps, for people.
    pub fn told(&self) -> String {
        format!(
            "`{}` is refuted by:\n  {}",
            self.property,
            self.steps.join("\n  ")
        )
    }
}

/// Visits every state within the model's own bounds, breadth first, and stops early only at the
/// first refutation, which is then a shortest one or nearly so (the threads may be a level apart).
pub fn explore<M>(model: M) -> Report
where
    M: Model + Send + Sync + 'static,
    M::State: std::hash::Hash + Clone + std::fmt::Debug + PartialEq + Send + Sync + 'static,
    M::Action: std::fmt::Debug + PartialEq + Clone + Send + Sync + 'static,
{
    search(model, HasDiscoveries::AnyFailures)
}

/// As [`explore`], but stops only at a refutation of `property`: for a variant that breaks
/// something else earlier.
pub fn explore_for<M>(model: M, property: &'static str) -> Report
where
    M: Model + Send + Sync + 'static,
    M::State: std::hash::Hash + Clone + std::fmt::Debug + PartialEq + Send + Sync + 'static,
    M::Action: std::fmt::Debug + PartialEq + Clone + Send + Sync + 'static,
{
    search(model, HasDiscoveries::AnyOf(BTreeSet::from([property])))
}

fn search<M>(model: M, until: HasDiscoveries) -> Report
where
    M: Model + Send + Sync + 'static,
    M::State: std::hash::Hash + Clone + std::fmt::Debug + PartialEq + Send + Sync + 'static,
    M::Action: std::fmt::Debug + PartialEq + Clone + Send + Sync + 'static,
{
    let hoped: Vec<_> = expecting(&model, |expected| *expected == Expectation::Sometimes);
    #[allow(
        clippy::disallowed_methods,
        reason = "a report of how long a search took"
    )]
    let begun = std::time::Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let checker = model
        .checker()
        .threads(threads)
        .finish_when(until)
        .spawn_bfs()
        .join();
    let took = begun.elapsed();
    let mut found = checker.discoveries();
    let unreached = hoped
        .into_iter()
        .filter(|name| found.remove(name).is_none())
        .collect();
    let mut refuted: Vec<_> = found
        .into_iter()
        .map(|(property, path)| Refutation {
            property,
            steps: path
                .into_actions()
                .iter()
                .map(|action| format!("{action:?}"))
                .collect(),
        })
        .collect();
    refuted.sort_by_key(|refutation| refutation.property);
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    Report {
        states,
        depth,
        took,
        refuted,
        unreached,
    }
}

fn expecting<M: Model>(model: &M, wanted: impl Fn(&Expectation) -> bool) -> Vec<&'static str> {
    let properties = model.properties();
    let chosen = properties
        .iter()
        .filter(|property| wanted(&property.expectation));
    chosen.map(|property| property.name).collect()
}
