//! Addresses that are never dialled.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dispatcher::http::{HttpConfig, HttpTransport, Resolve};
use dispatcher::transport::{Answer, Request, Transport};
use domain::target::Rules;
use parking_lot::Mutex;
use schemas::attempt::ErrorClass;

use crate::receiver::{Receiver, class, plain, request};

/// Names with the answers that they get, one after the other, the last for ever.
#[derive(Default)]
struct Zone {
    names: Mutex<BTreeMap<String, Vec<Vec<IpAddr>>>>,
    asked: Mutex<Vec<String>>,
}

impl Zone {
    fn with(name: &str, answers: &[&[&str]]) -> Arc<Self> {
        let parsed = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        let zone = Self::default();
        let answers = answers.iter().rev().map(parsed).collect();
        zone.names.lock().insert(name.to_owned(), answers);
        Arc::new(zone)
    }
}

#[async_trait]
impl Resolve for Zone {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.lock().push(name.to_owned());
        if name == "slow.example" {
            return std::future::pending().await;
        }
        let mut names = self.names.lock();
        let answers = names.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
        let answer = if answers.len() > 1 {
            answers.pop()
        } else {
            answers.last().cloned()
        };
        Ok(answer.unwrap())
    }
}

fn allowing(networks: &[&str]) -> Rules {
    Rules {
        allowed: networks.iter().map(|net| net.parse().unwrap()).collect(),
        ports: None,
        https_only: false,
    }
}

fn transport(rules: Rules, zone: &Arc<Zone>) -> HttpTransport {
    let config = HttpConfig {
        rules,
        idle_per_origin: 0,
        ..HttpConfig::default()
    };
    HttpTransport::new(config, Arc::clone(zone) as Arc<dyn Resolve>).unwrap()
}

async fn send(rules: Rules, zone: &Arc<Zone>, url: &str) -> Answer {
    transport(rules, zone).send(request(url)).await
}

#[tokio::test]
async fn no_spelling_of_a_closed_address_is_dialled() {
    let receiver = Receiver::answering(plain(200)).await;
    let port = receiver.address.port();
    let zone = Arc::new(Zone::default());
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "0177.0x0.0.01",
        "0.0.0.0",
        "0",
        "127.0.0.1.",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:7f00:0001]",
        "[64:ff9b::7f00:1]",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "169.254.169.254",
        "10.0.0.1",
        "[fd00:ec2::254]",
        "168.63.129.16",
    ] {
        let url = format!("http://{host}:{port}/");
        let answer = send(allowing(&[]), &zone, &url).await;
        let expected = Some(ErrorClass::ForbiddenAddress);
        assert_eq!(class(&answer), expected, "{url} {answer:?}");
        assert_eq!((answer.status, answer.address), (None, None), "{url}");
    }
    for url in [
        format!("http://[::1%25lo]:{port}/"),
        format!("http://user@127.0.0.1:{port}/"),
        format!("http://example.com\\@127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port}/\r\nx: y"),
        format!("ht\ttp://127.0.0.1:{port}/"),
        format!("gopher://127.0.0.1:{port}/"),
    ] {
        let answer = send(Rules::development(), &zone, &url).await;
        assert!(answer.error.is_some() && answer.address.is_none(), "{url}");
    }
    assert_eq!(receiver.accepted(), 0);
    assert!(zone.asked.lock().is_empty(), "none of them was looked up");
}

#[tokio::test]
async fn a_name_with_one_closed_address_is_not_dialled_at_all() {
    let receiver = Receiver::answering(plain(200)).await;
    let url = format!("http://mixed.example:{}/", receiver.address.port());
    for addresses in [
        &["127.0.0.1"][..],
        &["127.0.0.1", "10.0.0.1"],
        &["10.0.0.1", "127.0.0.1"],
        &["127.0.0.1", "::ffff:10.0.0.1"],
        &["127.0.0.1", "fe80::1"],
        &["127.0.0.1", "0.0.0.0"],
    ] {
        let zone = Zone::with("mixed.example", &[addresses]);
        let answer = send(allowing(&["127.0.0.0/8"]), &zone, &url).await;
        if addresses.len() == 1 {
            assert_eq!(answer.status, Some(200), "{answer:?}");
        } else {
            let expected = Some(ErrorClass::ForbiddenAddress);
            assert_eq!(class(&answer), expected, "{addresses:?}");
        }
    }
    assert_eq!(receiver.accepted(), 1);
}

/// The name is asked for once a connection, and what was checked is what is dialled.
#[tokio::test]
async fn a_name_that_changes_its_answer_gets_nothing_from_it() {
    let receiver = Receiver::answering(plain(200)).await;
    let url = format!("http://rebind.example:{}/", receiver.address.port());
    let answers: &[&[&str]] = &[&["127.0.0.1"], &["10.0.0.1"]];
    let zone = Zone::with("rebind.example", answers);
    let transport = transport(allowing(&["127.0.0.0/8"]), &zone);
    let first = transport.send(request(&url)).await;
    assert_eq!(first.status, Some(200));
    assert_eq!(first.address, Some(receiver.address));
    assert_eq!(zone.asked.lock().len(), 1);
    // What was found is kept for a moment; that it is over is seen by the question.
    let limit = Duration::from_secs(10);
    let asked_again = async {
        loop {
            let answer = transport.send(request(&url)).await;
            if zone.asked.lock().len() > 1 {
                return answer;
            }
            assert_eq!(answer.address, Some(receiver.address));
        }
    };
    let answer = tokio::time::timeout(limit, asked_again).await.unwrap();
    assert_eq!(class(&answer), Some(ErrorClass::ForbiddenAddress));
}

#[tokio::test]
async fn a_name_that_is_not_found_or_not_in_time() {
    let zone = Zone::with("empty.example", &[&[]]);
    for name in ["none.example", "empty.example"] {
        let answer = send(allowing(&[]), &zone, &format!("http://{name}/")).await;
        assert_eq!(class(&answer), Some(ErrorClass::Dns), "{answer:?}");
    }
    let hasty = Request {
        connect_timeout: Duration::from_millis(50),
        ..request("http://slow.example/")
    };
    let answer = transport(allowing(&[]), &zone).send(hasty).await;
    assert_eq!(class(&answer), Some(ErrorClass::Timeout));
    let said = answer.error.unwrap().message;
    assert_eq!(said, "no connection within 0.05 s");
}

/// One address that is dead does not keep the others from being tried.
#[tokio::test]
async fn the_next_address_is_tried() {
    let receiver = Receiver::answering(plain(200)).await;
    let url = format!("http://two.example:{}/", receiver.address.port());
    let zone = Zone::with("two.example", &[&["127.0.0.2", "::1", "127.0.0.1"]]);
    let rules = allowing(&["127.0.0.0/8", "::1/128"]);
    let answer = send(rules, &zone, &url).await;
    assert_eq!(answer.status, Some(200), "{answer:?}");
    assert_eq!(answer.address, Some(receiver.address));
}

#[tokio::test]
async fn ports_and_schemes_are_the_rules_own() {
    let receiver = Receiver::answering(plain(200)).await;
    let zone = Arc::new(Zone::default());
    let development = Rules::development();
    let other_port = Rules {
        ports: Some([1].into()),
        ..development.clone()
    };
    let https_only = Rules {
        https_only: true,
        ..development
    };
    for rules in [other_port, https_only] {
        let answer = send(rules, &zone, &receiver.url("/")).await;
        assert_eq!(class(&answer), Some(ErrorClass::ForbiddenAddress));
    }
    assert_eq!(receiver.accepted(), 0);
}
