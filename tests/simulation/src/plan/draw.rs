//! Drawing a plan. Each kind of trouble is in some worlds and not in others: what is in all of them
//! hides what only shows without it.

use std::time::Duration;

use domain::chance::{Chance, Seeded};
use eventlog_port::memory::Faults;

use super::{Change, EndpointPlan, Plan, Trouble};
use crate::world::links::{Failing, LINKS, Link};
use crate::world::receivers::Behaviour;

/// Apart from every other use of the seed.
const PLANNING: u64 = 0x706c_616e;

/// The plan of `seed`.
#[must_use]
pub fn draw(seed: u64) -> Plan {
    let mut d = Draw(Seeded::new(seed ^ PLANNING));
    let is_calm = d.one_in(12);
    let sending = d.millis(5_000, 25_000);
    let heal_at = sending + d.millis(1_000, 8_000);
    let nodes = d.size(1, 3);
    let endpoints: Vec<EndpointPlan> = (0..d.size(2, 6)).map(|_| endpoint(&mut d)).collect();
    let mut plan = Plan {
        seed,
        partitions: d.number(1, 4),
        inbox_partitions: d.number(1, 3),
        nodes,
        endpoints,
        events: d.number(150, 220),
        sending,
        keyed: d.0.below(60),
        addressed: d.0.below(100),
        window: if d.one_in(3) {
            d.millis(2_000, 10_000)
        } else {
            Duration::from_secs(86_400)
        },
        faults: Faults::default(),
        failing: Failing::default(),
        index_room: d.of(&[2, 8, 64, 16_384]),
        is_tight: d.one_in(2),
        in_flight: d.size(4, 64),
        troubles: Vec::new(),
        heal_at,
    };
    if !is_calm {
        plan.faults = faults(&mut d);
        plan.failing = failing(&mut d);
        plan.troubles = troubles(&mut d, &plan);
        plan.troubles.sort_by_key(|(at, _)| *at);
    }
    plan
}

struct Draw(Seeded);

impl Draw {
    fn one_in(&mut self, n: u64) -> bool {
        self.0.one_in(n)
    }

    fn number(&mut self, least: u32, most: u32) -> u32 {
        let span = u64::from(most - least) + 1;
        least + u32::try_from(self.0.below(span)).unwrap_or(0)
    }

    fn size(&mut self, least: u32, most: u32) -> usize {
        self.number(least, most) as usize
    }

    fn millis(&mut self, least: u32, most: u32) -> Duration {
        Duration::from_millis(self.number(least, most).into())
    }

    /// Zero, or once in `n` a number from `least` to `most`.
    fn sometimes(&mut self, n: u64, least: u32, most: u32) -> u64 {
        let drawn = u64::from(self.number(least, most));
        if self.one_in(n) { drawn } else { 0 }
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        let which = self.0.below(choices.len() as u64);
        choices[usize::try_from(which).unwrap_or(0)].clone()
    }
}

fn endpoint(d: &mut Draw) -> EndpointPlan {
    let schedules: [&[u64]; 7] = [
        &[],
        &[1],
        &[1, 2, 4],
        &[5, 5],
        &[2, 7, 20],
        &[1, 1, 1, 1, 1, 1],
        &[3, 30],
    ];
    let types: [&[&str]; 4] = [
        &[],
        &["order.*"],
        &["order.created"],
        &["user.*", "order.paid"],
    ];
    EndpointPlan {
        behaviour: behaviour(d),
        heals: !d.one_in(4),
        types: d.of(&types).to_vec(),
        schedule: d.of(&schedules).to_vec(),
        jitter: d.of(&[0, 10, 100]),
        any_failure: d.one_in(4),
        circuit: d.one_in(2).then(|| (d.number(2, 6), d.number(2, 12))),
        max_in_flight: d.number(1, 20),
        timeout: d.number(1, 4),
    }
}

fn behaviour(d: &mut Draw) -> Behaviour {
    let status = d.of(&[400, 404, 410, 301, 500, 503, 429, 408]);
    let busy = d.of(&[
        "1",
        "7",
        "0",
        "600",
        "garbage",
        "-3",
        "Fri, 02 Jan 2026 00:00:20 GMT",
    ]);
    match d.0.below(14) {
        0..=3 => Behaviour::Good(u64::from(d.number(0, 40))),
        4 => Behaviour::Good(u64::from(d.number(500, 3_000))),
        5 | 6 => Behaviour::Flaky(u64::from(d.number(5, 60))),
        7 => Behaviour::Flapping(u64::from(d.number(1_000, 8_000))),
        8 => Behaviour::Hang,
        9 => Behaviour::Dead,
        10 => Behaviour::Reset,
        11 => Behaviour::Status(status),
        12 => Behaviour::Busy(busy),
        _ => Behaviour::Wild,
    }
}

fn faults(d: &mut Draw) -> Faults {
    Faults {
        latency: if d.one_in(3) {
            Duration::ZERO
        } else {
            d.millis(1, 30)
        },
        refuse_one_in: d.sometimes(3, 40, 400),
        lose_answer_one_in: d.sometimes(2, 40, 400),
        vanish_one_in: d.sometimes(3, 40, 400),
        late_one_in: d.sometimes(2, 40, 400),
        late_by: d.millis(1, 3_000),
    }
}

fn failing(d: &mut Draw) -> Failing {
    Failing {
        read_one_in: d.sometimes(3, 50, 500),
        commit_one_in: d.sometimes(3, 4, 40),
        store_one_in: d.sometimes(3, 20, 200),
        index_one_in: d.sometimes(2, 3, 60),
    }
}

fn troubles(d: &mut Draw, plan: &Plan) -> Vec<(Duration, Trouble)> {
    let mut troubles = Vec::new();
    let end = u32::try_from(plan.heal_at.as_millis()).unwrap_or(u32::MAX);
    let kinds = [4, 6, 3, 4, 4, 3, 4];
    for (kind, most) in kinds.into_iter().enumerate() {
        let many = if d.one_in(2) { d.number(1, most) } else { 0 };
        for _ in 0..many {
            let at = d.millis(100, end);
            troubles.push((at, trouble(d, kind, plan)));
        }
    }
    troubles
}

fn trouble(d: &mut Draw, kind: usize, plan: &Plan) -> Trouble {
    let node = d.size(0, 2) % plan.nodes;
    let endpoint = d.size(0, 5) % plan.endpoints.len();
    let away = d.millis(1, 14_000);
    match kind {
        0 => Trouble::Crash(node, away),
        1 => Trouble::Fuse(node, u64::from(d.number(1, 400)), away),
        2 => Trouble::Leave(node, away),
        3 => Trouble::Cut(node, links(d), d.millis(100, 16_000)),
        4 => Trouble::Clock(node, i64::from(d.number(0, 1_200_000)) - 600_000),
        5 => Trouble::Behave(endpoint, behaviour(d)),
        _ => Trouble::Change(endpoint, change(d)),
    }
}

/// A process that is frozen can't use any; one that is cut off, some.
fn links(d: &mut Draw) -> Vec<Link> {
    if d.one_in(2) {
        return LINKS.to_vec();
    }
    let is_cut = LINKS.into_iter().filter(|_| d.one_in(2));
    is_cut.collect()
}

fn change(d: &mut Draw) -> Change {
    d.of(&[
        Change::Url,
        Change::Pause,
        Change::Resume,
        Change::Disable,
        Change::Enable,
        Change::Delete,
        Change::Types,
        Change::Url,
    ])
}
