//! What plugins cost those who send: ever more good ones, bad ones beside good ones, a switch, and a start with many.
//!
//! Everything is measured in rounds, each beside what it is compared with, so that a machine that is busy with other
//! things is so for both.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use memchr::memmem;
use serde_json::json;

use super::WORKSPACE;
use crate::{
    Result,
    accounts::{self, Account},
    guests::{Guest, in_the_way::in_the_way},
    hub::Hub,
    latencies::{Latencies, Percentiles},
    measure::{Measured, measure, megabytes},
    options::{Options, PluginsOptions},
    packages,
    plugins::{BUNDLED, Plugins},
    report::{Report, median},
    rooms::Room,
    sender::{self, Manner, Sender, Sent},
    stage::{Phase, Stage},
    wire::http::HttpConnection,
};

/// How many plugins are on beside the bad ones: those that come with the hub.
const GOOD: usize = BUNDLED.len();
const REFUSING: &str = "load.refusing";
/// The conversation where bad ones are off.
const OTHERS: usize = 1;
/// Nothing that is waited for may take longer.
const PATIENCE: Duration = Duration::from_secs(20);

pub async fn run(hub: &mut Hub, options: &Options, plugins: &PluginsOptions) -> Result<Report> {
    let mut report = Report::new("plugins");
    let mut scene = Scene::set(hub, options, plugins).await?;
    scene.install(&mut report).await?;
    scene.more_and_more(&mut report).await?;
    scene.beside_bad_ones(&mut report).await?;
    scene.toggle(&mut report).await?;
    let Scene { rooms, sent, .. } = scene;
    sent.verify(&rooms, &mut report).await?;
    start_anew(hub, options, plugins, &mut report).await?;
    Ok(report)
}

struct Scene<'r> {
    hub: &'r Hub,
    options: &'r Options,
    how: &'r PluginsOptions,
    control: Plugins,
    senders: Vec<Arc<Account>>,
    /// The first is where bad plugins are on, and the second where they are not.
    rooms: Vec<Arc<Room>>,
    sent: Sent,
    /// How many messages each lane has sent.
    taken: u64,
}

impl<'r> Scene<'r> {
    async fn set(hub: &'r Hub, options: &'r Options, how: &'r PluginsOptions) -> Result<Self> {
        if how.senders < 2 || how.on.is_empty() || how.rounds == 0 {
            return Err("two senders at least, and something to measure".into());
        }
        let senders = accounts::provision(hub, WORKSPACE, "sender", how.senders).await?;
        let mut rooms = Vec::new();
        for _ in 0..2 {
            rooms.push(Room::create(&senders[0], &senders[1..]).await?);
        }
        let control = Plugins::of(hub).await?;
        Ok(Scene { hub, options, how, control, senders, rooms, sent: Sent::default(), taken: 0 })
    }

    /// As many good ones as are ever on.
    fn good(&self) -> usize {
        self.how.on.iter().copied().max().unwrap_or(0).max(GOOD)
    }

    async fn install(&mut self, report: &mut Report) -> Result<()> {
        self.control.grant().await?;
        let mut took = Latencies::default();
        for number in GOOD..self.good() {
            let package = packages::allowing(&Plugins::id(number));
            let began = Instant::now();
            self.control.install(package, &[]).await?;
            took.record(began.elapsed());
        }
        for (guest, _) in in_the_way() {
            let grant = guest.manifest.as_ref().map(packages::wanted).unwrap_or_default();
            self.control.install(guest.build(), &grant).await?;
        }
        self.control.install(packages::refusing(REFUSING), &[]).await?;
        report.latencies("install", took);
        Ok(())
    }

    /// Sends into the first room from some, and into the second from the others, until the stage is over.
    fn start(&mut self, stage: &Arc<Stage>, into_second: usize) -> [sender::Senders; 2] {
        let (second, first) = self.senders.split_at(into_second);
        let of = |accounts: &[Arc<Account>], room: &Arc<Room>| -> Vec<Sender> {
            accounts.iter().map(|account| Sender { account: account.clone(), rooms: vec![room.clone()] }).collect()
        };
        let manner = Manner { first_number: self.taken, ..Manner::new(self.options) };
        // More than any of them sends while the stage is set once.
        self.taken += self.options.most_messages;
        let [a, b] = [of(first, &self.rooms[0]), of(second, &self.rooms[1])];
        [sender::start(&a, manner, stage), sender::start(&b, manner, stage)]
    }

    async fn window(&mut self, into_second: usize) -> Result<Window> {
        let stage = Arc::new(Stage::new(self.options.most_messages));
        let at_work = self.start(&stage, into_second);
        let measured = measure(self.hub, &stage, self.options.warm_up(), self.options.window()).await;
        self.finish(at_work, measured).await
    }

    async fn finish(&mut self, at_work: [sender::Senders; 2], measured: Measured) -> Result<Window> {
        let [first, second] = at_work;
        let (mut first, mut second) = (first.finish().await, second.finish().await);
        let rooms = [&mut first, &mut second].map(|sent| {
            let latencies = std::mem::take(&mut sent.latencies);
            InRoom { rate: latencies.count() as f64 / measured.seconds, ack: latencies.percentiles() }
        });
        self.sent.merge(first);
        self.sent.merge(second);
        Ok(Window { measured, rooms })
    }

    async fn more_and_more(&mut self, report: &mut Report) -> Result<()> {
        let numbers = self.how.on.clone();
        let mut windows: Vec<Vec<Window>> = numbers.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.how.rounds {
            for (number, windows) in numbers.iter().zip(&mut windows) {
                self.control.switch_to(*number, self.good()).await?;
                self.control.ready().await?;
                windows.push(self.window(0).await?);
            }
        }
        for (number, these) in numbers.iter().zip(&windows) {
            let with = format!("with_{number}_plugins");
            let rate = |window: &Window| window.rooms[0].rate;
            report.figure(format!("{with}_messages_per_second"), median(these.iter().map(rate)));
            let cpu = median(these.iter().map(Window::cpu_milliseconds));
            report.figure(format!("{with}_server_cpu_milliseconds_per_message"), cpu);
            report.figure(format!("{with}_ack_p50_milliseconds"), median(these.iter().map(|window| window.p50(0))));
            let peak = median(these.iter().map(|window| megabytes(window.measured.peak_pss_bytes)));
            report.figure(format!("{with}_memory_peak_pss_megabytes"), peak);
            let beside = || these.iter().zip(&windows[0]);
            let rates = beside().map(|(with, without)| 100.0 * rate(with) / rate(without));
            report.figure(format!("{with}_percent_of_the_first_rate"), median(rates));
            let cpus = beside().map(|(with, without)| with.cpu_milliseconds() / without.cpu_milliseconds());
            report.figure(format!("{with}_server_cpu_times_the_first"), median(cpus));
        }
        Ok(())
    }

    /// Each that means harm in turn, on in the first conversation alone, while as many talk in the second.
    async fn beside_bad_ones(&mut self, report: &mut Report) -> Result<()> {
        self.control.switch_to(GOOD, self.good()).await?;
        self.control.ready().await?;
        let (mut least, mut most) = (f64::INFINITY, 0_f64);
        for (guest, kinds) in in_the_way() {
            let name = id_of(&guest);
            let (mut rates, mut waits) = (Vec::new(), Vec::new());
            for round in 0..self.how.rounds {
                let beside = self.beside(name, !kinds.is_empty()).await?;
                rates.push(100.0 * beside.with.rate() / beside.without.rate());
                waits.push(beside.with.p99(OTHERS) / beside.without.p99(OTHERS));
                // Later ones find the breaker open where it has not rested for long enough.
                if round == 0 {
                    let milliseconds = beside.until_open.as_secs_f64() * 1_000.0;
                    report.figure(format!("beside_{name}_until_its_breaker_is_open_milliseconds"), milliseconds);
                    let p99 = beside.meanwhile.percentiles().map_or(f64::NAN, |ack| ack.p99_milliseconds);
                    report.figure(format!("beside_{name}_others_ack_p99_meanwhile_milliseconds"), p99);
                    let without = beside.without.p99(OTHERS);
                    report.figure(format!("without_{name}_others_ack_p99_milliseconds"), without);
                }
            }
            let (rate, wait) = (median(rates), median(waits));
            report.figure(format!("beside_{name}_percent_of_the_rate_without"), rate);
            report.figure(format!("beside_{name}_others_ack_p99_times_that_without"), wait);
            (least, most) = (least.min(rate), most.max(wait));
        }
        report.figure("beside_the_worst_percent_of_the_rate_without", least);
        report.figure("beside_the_worst_others_ack_p99_times_that_without", most);
        Ok(())
    }

    /// One of them: without it, from when it is switched on, and once its breaker is open.
    async fn beside(&mut self, bad: &str, fails: bool) -> Result<Beside> {
        let (half, room) = (self.how.senders / 2, self.rooms[0].id.clone());
        let without = self.window(half).await?;
        let stage = Arc::new(Stage::new(self.options.most_messages));
        let at_work = self.start(&stage, half);
        stage.enter(Phase::Measured);
        let began = Instant::now();
        self.control.switch(bad, Some(&room), true).await?;
        while fails && !self.control.is_resting(bad).await? {
            if began.elapsed() > PATIENCE {
                return Err(format!("the breaker of {bad} does not open").into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let until_open = began.elapsed();
        stage.enter(Phase::Over);
        let mut meanwhile = Latencies::default();
        for (room, at_work) in at_work.into_iter().enumerate() {
            let mut sent = at_work.finish().await;
            if room == OTHERS {
                meanwhile.append(std::mem::take(&mut sent.latencies));
            }
            self.sent.merge(sent);
        }
        let with = self.window(half).await?;
        self.control.switch(bad, Some(&room), false).await?;
        Ok(Beside { without, until_open, meanwhile, with })
    }

    /// How long after the request to switch, a message on each node is treated otherwise.
    async fn toggle(&mut self, report: &mut Report) -> Result<()> {
        let mut took: Vec<Latencies> = (0..self.hub.count()).map(|_| Latencies::default()).collect();
        let mut answered = Latencies::default();
        let room = Room::create(&self.senders[0], &self.senders[1..]).await?;
        let people = self.senders.clone();
        for toggle in 0..self.how.toggles * 2 {
            let is_on = toggle % 2 == 0;
            let began = Instant::now();
            let felt = people.iter().take(took.len()).map(|person| felt(person, &room, is_on, began));
            let felt = felt.map(tokio::spawn).collect::<Vec<_>>();
            self.control.switch(REFUSING, Some(&room.id), is_on).await?;
            answered.record(began.elapsed());
            for (felt, took) in felt.into_iter().zip(&mut took) {
                took.record(felt.await??);
            }
        }
        report.latencies("toggle_answer", answered);
        for (node, took) in took.into_iter().enumerate() {
            report.latencies(if node == 0 { "toggle_here" } else { "toggle_on_another_node" }, took);
        }
        Ok(())
    }
}

/// Sends until messages are refused, or are no more, and answers how long that was since then.
fn felt(
    person: &Arc<Account>,
    room: &Arc<Room>,
    is_on: bool,
    began: Instant,
) -> impl Future<Output = Result<Duration>> + Send + 'static {
    let (person, room) = (person.clone(), room.clone());
    async move {
        let mut connection = HttpConnection::open(person.address, Some(&person.token)).await?;
        let query = "mutation($c: ID!) { messageSend(input: { conversationId: $c, body: \"toggled\" }) {
            message { id } errors { pluginCode } } }";
        let request = json!({ "query": query, "variables": { "c": room.id } }).to_string();
        while began.elapsed() < PATIENCE {
            let (_, answer) = connection.post(request.as_bytes()).await?;
            let is_refused = memmem::find(answer, packages::CODE.as_bytes()).is_some();
            if is_refused == is_on {
                return Ok(began.elapsed());
            }
        }
        Err("a switch was not felt".into())
    }
}

/// With all plugins on: how long until the hub listens, and until each of them can be asked.
async fn start_anew(hub: &mut Hub, options: &Options, how: &PluginsOptions, report: &mut Report) -> Result<()> {
    let copied = how.copies_of.as_ref().map(std::fs::read).transpose()?;
    let mut control = Plugins::of(hub).await?;
    for (guest, _) in in_the_way() {
        control.remove(id_of(&guest)).await?;
    }
    control.remove(REFUSING).await?;
    let before = how.on.iter().copied().max().unwrap_or(0).max(GOOD);
    for number in GOOD..before {
        control.remove(&Plugins::id(number)).await?;
    }
    let mut few = Vec::new();
    for _ in 0..how.rounds {
        hub.restart(options).await?;
        few.push(hub.ready_after.as_secs_f64() * 1_000.0);
    }
    let mut control = Plugins::of(hub).await?;
    for number in GOOD..how.installed {
        let id = format!("load.copy-{number}");
        let (package, grant) = match &copied {
            Some(package) => packages::renamed(package, &id)?,
            None => (packages::allowing(&id), Vec::new()),
        };
        control.install(package, &grant).await?;
        control.switch(&id, None, true).await?;
    }
    control.ready().await?;
    let (mut listening, mut ready) = (Vec::new(), Vec::new());
    for _ in 0..how.rounds {
        hub.restart(options).await?;
        let listens = Instant::now();
        listening.push(hub.ready_after.as_secs_f64() * 1_000.0);
        // Asking for a token takes longer than what is measured, so it is asked for by a hand that has one.
        control.move_to(hub).await?;
        control.ready().await?;
        ready.push((hub.ready_after + listens.elapsed()).as_secs_f64() * 1_000.0);
    }
    report.figure(format!("start_with_{GOOD}_plugins_milliseconds"), median(few));
    report.figure(format!("start_with_{}_plugins_milliseconds", how.installed), median(listening));
    report.figure(format!("all_{}_can_be_asked_after_milliseconds", how.installed), median(ready));
    report.figure("memory_with_all_plugins_pss_megabytes", megabytes(hub.pss_bytes()));
    Ok(())
}

fn id_of(guest: &Guest) -> &str {
    guest.manifest.as_ref().and_then(|manifest| manifest["id"].as_str()).expect("each of them has a name")
}

/// What was seen beside one that means harm.
struct Beside {
    without: Window,
    until_open: Duration,
    /// How long those waited until then who have nothing to do with it.
    meanwhile: Latencies,
    with: Window,
}

/// What was seen at a time.
struct Window {
    measured: Measured,
    rooms: [InRoom; 2],
}

struct InRoom {
    rate: f64,
    ack: Option<Percentiles>,
}

impl Window {
    fn cpu_milliseconds(&self) -> f64 {
        self.measured.server_cpu_seconds * 1_000.0 / self.measured.acknowledged as f64
    }

    fn rate(&self) -> f64 {
        self.measured.messages_per_second()
    }

    fn p50(&self, room: usize) -> f64 {
        self.rooms[room].ack.map_or(f64::NAN, |ack| ack.p50_milliseconds)
    }

    fn p99(&self, room: usize) -> f64 {
        self.rooms[room].ack.map_or(f64::NAN, |ack| ack.p99_milliseconds)
    }
}
