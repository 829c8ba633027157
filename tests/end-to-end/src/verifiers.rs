//! Other people's code that checks our signatures: the libraries of Standard Webhooks for Rust,
//! Python and JavaScript, and Stripe's own for the older form. And a Kafka client that isn't ours.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

/// How many libraries there are.
pub const ALL: usize = 5;

/// A request as a receiver got it, and the secret that it knows.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Every header, names in lower case.
    pub headers: http::HeaderMap,
    /// The body, byte for byte.
    pub body: Vec<u8>,
    /// The secret's text as its owner was shown it.
    pub secret: String,
}

/// Why a library refused a request; `None`: it accepted it.
pub type Refusal = Option<String>;

/// What each library says of one request, by the library's name and where it is from.
pub type Verdicts = BTreeMap<String, Refusal>;

/// What every library says of every one of `requests`, in their order. The bodies are text.
///
/// # Errors
/// When the libraries can't be installed or run.
pub fn verdicts(requests: &[Signed]) -> anyhow::Result<Vec<Verdicts>> {
    let installed = installed("signatures")?;
    let mut python = Command::new("python3");
    python
        .arg(pinned("check.py"))
        .env("PYTHONPATH", installed.join("python"));
    let mut node = Command::new("node");
    node.arg(pinned("check.mjs")).arg(&installed);
    let (python, node) = (run(python, requests)?, run(node, requests)?);
    let mut all: Vec<Verdicts> = requests.iter().map(in_rust).collect::<Result<_, _>>()?;
    for (verdicts, others) in all.iter_mut().zip(python.into_iter().zip(node)) {
        verdicts.extend(others.0);
        verdicts.extend(others.1);
    }
    Ok(all)
}

fn pinned(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("verifiers");
    folder.join(name)
}

/// aiokafka as a program that writes records to `topic`; what it reads says `verifiers/produce.py`.
///
/// # Errors
/// When it can't be installed.
pub fn aiokafka(brokers: &str, topic: &str) -> anyhow::Result<Command> {
    let mut program = Command::new("python3");
    program
        .arg(pinned("produce.py"))
        .args([brokers, topic])
        .env("PYTHONPATH", installed("kafka")?.join("python"));
    Ok(program)
}

/// Where the libraries of one kind are, installed if need be.
fn installed(of: &str) -> anyhow::Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/verifiers");
    let said = Command::new(script)
        .arg(of)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(
        said.status.success(),
        "scripts/verifiers {of} could not install them, see above"
    );
    let folder = String::from_utf8(said.stdout)?;
    Ok(PathBuf::from(folder.trim_end()))
}

/// Has a program check all of them, one line each.
fn run(mut program: Command, requests: &[Signed]) -> anyhow::Result<Vec<Verdicts>> {
    let piped = program.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = piped.spawn().with_context(|| format!("{program:?}"))?;
    let mut to = running.stdin.take().context("it was piped")?;
    // It answers while it is still being asked, so somebody else has to ask.
    let said = std::thread::scope(|scope| {
        scope.spawn(move || ask(&mut to, requests));
        running.wait_with_output()
    })?;
    ensure!(said.status.success(), "{program:?} failed, see above");
    let lines = String::from_utf8(said.stdout)?;
    let verdicts: Vec<Verdicts> = lines
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    ensure!(verdicts.len() == requests.len(), "one line for each");
    Ok(verdicts)
}

/// Writes every request; one who no longer reads says why by how he ends.
fn ask(to: &mut impl Write, requests: &[Signed]) {
    for request in requests {
        let text = |value: &http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let headers: BTreeMap<&str, String> = request
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), text(value)))
            .collect();
        let line = json!({
            "headers": headers, "body": BASE64.encode(&request.body), "secret": request.secret,
        });
        if writeln!(to, "{line}").is_err() {
            return;
        }
    }
}

fn in_rust(request: &Signed) -> anyhow::Result<Verdicts> {
    let webhook = if request.secret.starts_with("whsec_") {
        standardwebhooks::Webhook::new(&request.secret)?
    } else {
        standardwebhooks::Webhook::from_bytes(request.secret.clone().into_bytes())?
    };
    let verified = webhook.verify(&request.body, &request.headers);
    let said = verified.err().map(|error| error.to_string());
    Ok([("standardwebhooks (Rust)".to_owned(), said)].into())
}
