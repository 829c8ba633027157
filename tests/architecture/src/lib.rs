//! The structure, as rules over what `cargo metadata` and the sources say: arrows point down, a role
//! never knows a role, a driver stays in its adapter. `ARCHITECTURE.md` is the same in words.

pub mod licence;

/// Where a package stands. An arrow may only point to a lower layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Pure rules.
    Domain,
    /// What rides in the log.
    Schemas,
    /// Traits, and what every adapter of one has to pass.
    Port,
    /// One engine behind one port.
    Adapter,
    /// What several roles have in common: how they read `control`, how they say what is wrong.
    Shared,
    /// A thing that runs; roles meet in the log alone.
    Role,
    /// The binary.
    Server,
    /// Tests and benchmarks, which may know everything.
    Outside,
}

/// A package and the workspace's packages that it needs.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// What it is built from: dependencies and build dependencies, not those of its tests.
    pub needs: Vec<String>,
    /// As `needs`, of its tests.
    pub tests_need: Vec<String>,
}

/// Every package that may exist, with its layer. A new one is put here deliberately.
const LAYERS: &[(&str, Layer)] = &[
    ("domain", Layer::Domain),
    ("schemas", Layer::Schemas),
    ("eventlog-port", Layer::Port),
    ("projections-port", Layer::Port),
    ("eventlog-embedded", Layer::Adapter),
    ("eventlog-kafka", Layer::Adapter),
    ("projections-embedded", Layer::Adapter),
    ("projections-scylla", Layer::Adapter),
    ("control", Layer::Shared),
    ("problem", Layer::Shared),
    ("ingest", Layer::Role),
    ("dispatcher", Layer::Role),
    ("retry-scheduler", Layer::Role),
    ("projections", Layer::Role),
    ("api", Layer::Role),
    ("postrider", Layer::Server),
    ("architecture", Layer::Outside),
    ("bench", Layer::Outside),
    ("checker", Layer::Outside),
    ("containers", Layer::Outside),
    ("crash", Layer::Outside),
    ("models", Layer::Outside),
    ("simulation", Layer::Outside),
    ("end-to-end", Layer::Outside),
    ("faults", Layer::Outside),
];

/// The one arrow between roles: the retry scheduler is a library of the dispatcher.
const BETWEEN_ROLES: (&str, &str) = ("dispatcher", "retry-scheduler");

/// Drivers, and who may name each. Benchmarks measure against the bare driver; the faults' runner reads the log
/// by a client of its own.
const DRIVERS: &[(&str, &[&str])] = &[
    (
        "fjall",
        &["eventlog-embedded", "projections-embedded", "bench"],
    ),
    ("lsm-tree", &[]),
    ("rdkafka", &["eventlog-kafka", "bench", "faults"]),
    ("rdkafka-sys", &["eventlog-kafka"]),
    ("scylla", &["projections-scylla", "bench"]),
];

/// A package's layer.
#[must_use]
pub fn layer(package: &str) -> Option<Layer> {
    LAYERS
        .iter()
        .find(|(name, _)| *name == package)
        .map(|(_, layer)| *layer)
}

/// What is wrong with these packages, one line each.
#[must_use]
pub fn violations(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for package in packages {
        let name = &package.name;
        let Some(from) = layer(name) else {
            found.push(format!(
                "{name} has no layer: put it into the table deliberately"
            ));
            continue;
        };
        for need in &package.needs {
            if let Some(to) = layer(need)
                && !may_know(name, from, need, to)
            {
                found.push(format!("{name} ({from:?}) needs {need} ({to:?})"));
            }
        }
        for need in package.needs.iter().chain(&package.tests_need) {
            let driver = DRIVERS.iter().find(|(driver, _)| driver == need);
            if driver.is_some_and(|(_, allowed)| !allowed.contains(&name.as_str())) {
                found.push(format!("{name} names the driver {need}"));
            }
        }
    }
    found
}

fn may_know(name: &str, from: Layer, need: &str, to: Layer) -> bool {
    match from {
        Layer::Outside => true,
        Layer::Role | Layer::Shared => {
            (name, need) == BETWEEN_ROLES || (to < from && to != Layer::Adapter)
        }
        Layer::Domain | Layer::Schemas | Layer::Port | Layer::Adapter | Layer::Server => to < from,
    }
}

/// Crates whose name in a source file gives a driver away, and the folders that may hold it.
const NAMED_IN: &[(&str, &[&str])] = &[
    (
        "fjall::",
        &["eventlog/embedded/", "projections/embedded/", "bench/"],
    ),
    ("rdkafka::", &["eventlog/kafka/", "bench/", "tests/faults/"]),
    ("scylla::", &["projections/scylla/", "bench/"]),
];

/// Whether `text` has the crate `driver` and not one whose name ends with it.
fn names(text: &str, driver: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(driver)
        .any(|(at, _)| !text[..at].ends_with(is_word))
}

/// What is wrong with a source file, one line each. `path` is relative to the workspace.
#[must_use]
pub fn source_violations(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (driver, folders) in NAMED_IN {
        if names(text, driver) && !folders.iter().any(|folder| path.starts_with(folder)) {
            found.push(format!("{path} names {driver}"));
        }
    }
    // Without it a branch is chosen by a source of chance that no seed governs.
    for (at, _) in text.match_indices("select! {") {
        let body = text[at + "select! {".len()..].trim_start();
        if !body.starts_with("biased;") {
            let line = text[..at].lines().count();
            found.push(format!("{path}:{line} selects without `biased`"));
        }
    }
    found
}
